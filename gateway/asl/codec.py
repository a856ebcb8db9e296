"""Records to bytes and back: the only place that knows how history looks on disk.

One row holds the records of one step as a JSON array of ``[code, member, …]``. A document member is
``[]`` for SAME, ``[value]`` where it stands in place, and a number where it is a row of its own
(over ``DOCUMENT_BYTES``), so that reading a history without its data does not read the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Final, NamedTuple, get_type_hints

import orjson

from gateway.asl import records
from gateway.asl.records import CODES, SAME, Record
from gateway.asl.scope import Json

FORMAT: Final = 1
DOCUMENT_BYTES: Final = 4096

_KINDS: Final = {code: kind for kind, code in CODES.items()}


def _document_members(kind: type[Record]) -> tuple[int, ...]:
    hints = get_type_hints(kind, vars(records))
    return tuple(i for i, name in enumerate(kind._fields) if hints[name] is Any)


_DOCUMENTS: Final = {kind: _document_members(kind) for kind in CODES}
_LAYOUT: Final = {
    kind: (code, tuple(i + 1 for i in _DOCUMENTS[kind])) for kind, code in CODES.items()
}
"""How a row begins, and where its documents are."""
_SAME_MARK: Final[list[Json]] = []


class Encoded(NamedTuple):
    """One row's worth of records."""

    records: bytes
    documents: list[tuple[int, bytes]]
    """Numbered from the ``first_document`` that was given."""


def encode(
    step: Sequence[Record], first_document: int, dumps: Callable[[Json], bytes] = orjson.dumps
) -> Encoded:
    """Encode the records of one step; documents too large for the row get numbers from
    ``first_document`` on. The same object is written once, however many records hold it. ``dumps``
    may be a memo of texts that were made while their size was checked."""
    numbers = count(first_document)
    documents: list[tuple[int, bytes]] = []
    seen: dict[int, int] = {}

    def member(value: Json) -> Json:
        if id(value) in seen:
            return seen[id(value)]
        text = dumps(value)
        if len(text) <= DOCUMENT_BYTES:
            return [orjson.Fragment(text)]
        number = seen[id(value)] = next(numbers)
        documents.append((number, text))
        return number

    rows = []
    for record in step:
        code, places = _LAYOUT[type(record)]
        row: list[Json] = [code, *record]
        for i in places:
            row[i] = _SAME_MARK if row[i] is SAME else member(row[i])
        rows.append(row)
    return Encoded(orjson.dumps(rows), documents)


def document_numbers(data: bytes) -> list[int]:
    """Which document rows the records refer to."""
    return [
        row[i + 1]
        for row in orjson.loads(data)
        for i in _DOCUMENTS[_KINDS[row[0]]]
        if isinstance(row[i + 1], int)
    ]


def kinds(data: bytes) -> Iterator[tuple[type[Record], list[Json]]]:
    """The kind of each record and its members, the documents among them as they are stored."""
    return ((_KINDS[code], members) for code, *members in orjson.loads(data))


def decode(data: bytes, format: int, documents: Mapping[int, bytes]) -> list[Record]:  # noqa: A002
    """The records of one row. ``format`` picks the reader; there is one format so far."""
    if format != FORMAT:
        raise ValueError(f"history in format {format}: this version reads format {FORMAT}")
    parsed: dict[int, Json] = {}

    def member(stored: Json) -> Json:
        if isinstance(stored, int):
            if stored not in parsed:
                parsed[stored] = orjson.loads(documents[stored])
            return parsed[stored]
        return stored[0] if stored else SAME

    step: list[Record] = []
    for code, *values in orjson.loads(data):
        kind = _KINDS[code]
        for i in _DOCUMENTS[kind]:
            values[i] = member(values[i])
        step.append(kind(*values))
    return step
