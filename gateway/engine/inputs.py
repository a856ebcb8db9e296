"""JSON documents that come in as text: are they JSON, and AWS's words where they are not."""

from __future__ import annotations

from typing import Final

from gateway.asl.documents import read_document
from gateway.errors import ApiError

DOCUMENT_BYTES_MAX: Final = 262_144


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
    except ValueError as error:
        return str(error)
    return None
