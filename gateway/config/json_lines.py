"""The line of a place in JSON text, so that a finding in a definition can be looked up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

_WHITESPACE = " \t\r\n"
_DECODER = json.JSONDecoder()


class JsonLines:
    """Where the places of a valid JSON text stand. What is in it is read once, as far as somebody
    asks for it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._children: dict[int, dict[str, tuple[int, int]]] = {}
        """What is in the value that begins at a place: where each key and its value begin."""

    def line_of(self, pointer: str) -> int:
        """The 1-based line of a place, or of the nearest one around it.

        The pointer is a diagnostic's: ``/States/P/Branches[0]/StartAt``, nothing in it escaped.
        """
        at, rest = _skip(self._text, 0), re.sub(r"\[(\d+)\]", r"/\1", pointer).strip("/")
        while rest and (found := self._child(at, rest)) is not None:
            key_at, value_at, rest = found
            at = value_at if rest else key_at
        return self._text.count("\n", 0, at) + 1

    def _child(self, at: int, rest: str) -> tuple[int, int, str] | None:
        """Where what the pointer names first begins, and the rest of the pointer."""
        if at not in self._children:
            children = _children(self._text, at)
            self._children[at] = {key: (key_at, value_at) for key, key_at, value_at in children}
        parts = rest.split("/")
        # The name of a state may have slashes.
        for length in range(1, len(parts) + 1):
            places = self._children[at].get("/".join(parts[:length]))
            if places is not None:
                return *places, "/".join(parts[length:])
        return None


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
