"""Documents as they were written: AWS shows what no expression made anew with the text, spaces and
all, that it came in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from gateway.asl.documents import read_document
from gateway.asl.scope import Json

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_OPENS: Final = frozenset("{[")
_CLOSES: Final = frozenset("}]")


class _Place(NamedTuple):
    text: str
    start: int
    end: int


class Verbatim:
    """Reads documents, and writes them or what is made of them."""

    def __init__(self) -> None:
        self._places: dict[int, _Place] = {}
        """Of the objects and arrays that were read, by identity."""
        self._kept: list[Json] = []
        """What was read: an identity is nobody else's as long as its owner lives."""

    def read(self, text: str) -> Json:
        """The document. Raises ValueError as ``read_document`` does."""
        document = read_document(text)
        self._kept.append(document)
        containers, places = list(_containers(document)), _places(text)
        # They are fewer where a name stands twice in an object: then nobody knows which is which.
        if len(containers) == len(places):
            self._places.update(zip(map(id, containers), places, strict=True))
        return document

    def write(self, document: Json) -> str:
        """JSON text."""
        place = self._places.get(id(document))
        if place is not None:
            return place.text[place.start : place.end]
        match document:
            case dict():
                members = (f"{_text(name)}:{self.write(each)}" for name, each in document.items())
                return f"{{{','.join(members)}}}"
            case list():
                return f"[{','.join(map(self.write, document))}]"
            case _:
                return _text(document)


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()


def _containers(document: Json) -> Iterator[Json]:
    """The objects and arrays of a document, in the order in which they begin."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            yield value
            inner = list(value.values()) if isinstance(value, dict) else value
            waiting += reversed(inner)


def _places(text: str) -> list[_Place]:
    """Where they stand, in the same order."""
    places: list[_Place] = []
    is_open: list[int] = []
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in _OPENS:
            is_open.append(len(places))
            places.append(_Place(text, token.start(), 0))
        elif mark in _CLOSES:
            number = is_open.pop()
            places[number] = places[number]._replace(end=token.end())
    return places
