"""JSON documents that come in as text: are they JSON, and AWS's words where they are not."""

from __future__ import annotations

import re
from typing import Final

import orjson

from gateway.asl.documents import read_document
from gateway.errors import ApiError

DOCUMENT_BYTES_MAX: Final = 262_144
_TOKEN: Final = re.compile(r"[\w$]+")


def check_input(text: str) -> None:
    """Raise ApiError InvalidExecutionInput unless the text is JSON of an allowed size."""
    reason = _problem(text)
    if reason is not None:
        message = f"Invalid State Machine Execution Input: '{reason}'"
        raise ApiError("InvalidExecutionInput", message)


def _problem(text: str) -> str | None:
    if not text.strip():
        return "Invalid execution input."
    size = len(text.encode())
    if size > DOCUMENT_BYTES_MAX:
        return f"The input has {size} bytes of UTF-8; at most {DOCUMENT_BYTES_MAX} are allowed."
    try:
        read_document(text)
    except orjson.JSONDecodeError as error:
        return _in_words(text, error)
    except ValueError as error:
        return str(error)
    return None


def _in_words(text: str, error: orjson.JSONDecodeError) -> str:
    """The parser of AWS has words of its own for the two mistakes that are made most."""
    rest = text[error.pos :]
    token = _TOKEN.match(rest)
    if "expected a string key" in error.msg and rest:
        found = f"Unexpected character ('{rest[0]}' (code {ord(rest[0])}))"
        return f"{found}: was expecting double-quote to start field name"
    if token is not None and ("literal" in error.msg or "expected a JSON value" in error.msg):
        literals = "'null', 'true' or 'false'"
        expected = f"(JSON String, Number, Array, Object or token {literals})"
        return f"Unrecognized token '{token[0]}': was expecting {expected}"
    return str(error)
