"""The line of a place in JSON text, so that a finding in a definition can be looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_WHITESPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


def line_of(text: str, pointer: str) -> int:
    """The 1-based line of a place in valid JSON, or of the nearest one around it.

    The pointer is a diagnostic's: ``/States/P/Branches[0]/StartAt``, nothing in it escaped.
    """
    at, rest = _skip(text, 0), re.sub(r"\[(\d+)\]", r"/\1", pointer).strip("/")
    while rest:
        for key, key_at, value_at in _children(text, at):
            if rest == key or rest.startswith(f"{key}/"):
                rest = rest[len(key) + 1 :]
                at = value_at if rest else key_at
                break
        else:
            break
    return text.count("\n", 0, at) + 1


def _children(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Each member or element: its key or index, where that begins, where the value begins."""
    closing = {"{": "}", "[": "]"}.get(text[at])
    if closing is None:
        return
    index, at = 0, _skip(text, at + 1)
    while text[at] != closing:
        key, key_at = str(index), at
        if closing == "}":
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        yield key, key_at, at
        _, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
        index += 1


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITESPACE:
        at += 1
    return at
