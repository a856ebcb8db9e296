"""JSON text that comes in, behind the guards that let everything after them be written again."""

from __future__ import annotations

import re
from typing import Final

import orjson

from gateway.asl.scope import Json
from gateway.json_text import loads

_TOKEN: Final = re.compile(r"[\w$]+")


def read_document(text: str | bytes) -> Json:
    """The document. Raises ValueError, in words, where it is no JSON or nested too deep to be kept.

    Numbers beyond 64 bits become floats, NaN and lone surrogates are no JSON.
    """
    try:
        value = loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(no_json(error)) from None
    try:
        orjson.dumps(value)
    except TypeError:
        raise ValueError("The document is nested deeper than 254 levels") from None
    return value


def no_json(error: orjson.JSONDecodeError) -> str:
    """What is wrong with the text. The parser of AWS has words of its own for the two mistakes that
    are made most."""
    rest = error.doc[error.pos :]
    token = _TOKEN.match(rest)
    if "expected a string key" in error.msg and rest:
        found = f"Unexpected character ('{rest[0]}' (code {ord(rest[0])}))"
        return f"{found}: was expecting double-quote to start field name"
    if token is not None and ("literal" in error.msg or "expected a JSON value" in error.msg):
        literals = "'null', 'true' or 'false'"
        expected = f"(JSON String, Number, Array, Object or token {literals})"
        return f"Unrecognized token '{token[0]}': was expecting {expected}"
    return str(error)
