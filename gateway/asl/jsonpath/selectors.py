"""What each segment of a path selects, with Jayway's meaning, as closures over lists of values.

While a path is definite, what it asks for must be there (PathNotFound, in Jayway's words); behind
the first ``*``, ``..``, slice, filter or list of several, what is not there is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeAlias

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.jsonpath.compare import MISSING
from gateway.asl.jsonpath.filters import Predicate, Reader, compile_test
from gateway.asl.jsonpath.functions import FUNCTIONS, NoValueError
from gateway.asl.jsonpath.segments import (
    Call,
    Descend,
    Filter,
    Indices,
    Literal,
    Names,
    Query,
    Segment,
    Slice,
    Wildcard,
)
from gateway.asl.scope import Json

Selector: TypeAlias = Callable[[list[Json], Json], list[Json]]
"""(values so far, document) -> values found."""

MOST_SEGMENTS = 256
"""Segments of one path: no document is nested deeper."""
MOST_FOUND = 100_000
"""Values that one path may find: ``$..*..*`` multiplies, and an input has 256 KB."""


class PathNotFound(LookupError):
    """A definite path leads nowhere; the text is Jayway's."""


def compile_segments(segments: tuple[Segment, ...], root: str = "$") -> tuple[Reader, bool]:
    """``(read, definite)`` of a whole path; ``read`` raises PathNotFound."""
    if len(segments) > MOST_SEGMENTS:
        raise ExpressionError(f"A path has at most {MOST_SEGMENTS} segments, not {len(segments)}")
    selectors: list[Selector] = []
    definite, place = True, root
    for number, segment in enumerate(segments):
        last = number == len(segments) - 1
        if isinstance(segment, Names) and len(segment.names) > 1 and last:
            selectors.append(_merge(segment.names))
        else:
            selectors.append(_selector(segment, place if definite else None, last=last))
            definite = isinstance(segment, Call) or (definite and _is_single(segment))
        place += _shown(segment)
    return _reader(selectors, definite, place), definite


def _is_single(segment: Segment) -> bool:
    match segment:
        case Names((_,)) | Indices((_,)):
            return True
        case _:
            return False


def _reader(selectors: list[Selector], definite: bool, place: str) -> Reader:
    def read(start: Json, document: Json) -> Json:
        values = [start]
        for select in selectors:
            values = select(values, document)
        if not definite:
            return values
        if not values:
            raise PathNotFound(f"No results for path: {place}")
        return values[0]

    return read


def _selector(segment: Segment, place: str | None, *, last: bool) -> Selector:
    """``place`` is the path so far while that is definite, so that what is missing is an error."""
    match segment:
        case Names((name,)) if place is not None:
            return _required_name(name, place, last=last)
        case Indices((index,)) if place is not None:
            return _required_index(index, place)
        case Call():
            return _call(segment, one=place is not None)
        case Descend(to):
            return _descend(to)
        case Names() | Indices() | Slice() | Wildcard() | Filter():
            pick = _picker(segment)
            return lambda values, document: _bounded(
                chain.from_iterable(pick(value, document) for value in values)
            )


_Picker: TypeAlias = Callable[[Json, Json], list[Json]]
"""(value, document) -> what is selected of it; nothing where it does not apply."""


def _picker(segment: Names | Indices | Slice | Wildcard | Filter) -> _Picker:
    match segment:
        case Names(names):
            return lambda value, _document: (
                [value[name] for name in names if name in value] if isinstance(value, dict) else []
            )
        case Indices(indices):
            return lambda value, _document: (
                [value[index] for index in indices if -len(value) <= index < len(value)]
                if isinstance(value, list)
                else []
            )
        case Slice(start, stop):
            return lambda value, _document: value[start:stop] if isinstance(value, list) else []
        case Wildcard():
            return lambda value, _document: _children(value)
        case Filter(test):
            return _filter(compile_test(test, _query))


def _filter(passes: Predicate) -> _Picker:
    """Of a list the elements that pass; an object passes as a whole."""

    whole = _whole(passes)

    def pick(value: Json, document: Json) -> list[Json]:
        if isinstance(value, list):
            return [each for each in value if passes(each, document)]
        return whole(value, document)

    return pick


def _whole(passes: Predicate) -> _Picker:
    """The value itself, if it is an object that passes."""
    return lambda value, document: (
        [value] if isinstance(value, dict) and passes(value, document) else []
    )


def _required_name(name: str, place: str, *, last: bool) -> Selector:
    def select(values: list[Json], _document: Json) -> list[Json]:
        for value in values:
            if not isinstance(value, dict):
                raise PathNotFound(
                    f"Expected to find an object with property ['{name}'] in path {place} "
                    f"but found '{_kind(value)}'."
                )
            if name in value:
                return [value[name]]
            if not last:
                raise PathNotFound(f"Missing property in path {place}['{name}']")
        return []

    return select


def _required_index(index: int, place: str) -> Selector:
    def select(values: list[Json], _document: Json) -> list[Json]:
        for value in values:
            if value is None:
                raise PathNotFound(f"The path {place} is null")
            if not isinstance(value, list):
                raise PathNotFound(
                    f"Filter: [{index}] can only be applied to arrays. "
                    f"Found '{_kind(value)}' in path {place}."
                )
            return [value[index]] if -len(value) <= index < len(value) else []
        return []

    return select


def _merge(names: tuple[str, ...]) -> Selector:
    """``['a','b']`` at the end of a path: an object of those that are there."""
    return lambda values, _document: [
        {name: value[name] for name in names if name in value}
        for value in values
        if isinstance(value, dict)
    ]


def _descend(to: Names | Indices | Slice | Wildcard | Filter) -> Selector:
    pick = _whole(compile_test(to.test, _query)) if isinstance(to, Filter) else _picker(to)
    return lambda values, document: _bounded(
        found for value in values for each in _containers(value) for found in pick(each, document)
    )


def _call(call: Call, *, one: bool) -> Selector:
    if call.name not in FUNCTIONS:
        raise ExpressionError(f"'{call.name}' is no function; those are {', '.join(FUNCTIONS)}")
    function, takes_arguments = FUNCTIONS[call.name]
    if call.arguments and not takes_arguments:
        raise ExpressionError(f"The function '{call.name}' takes no arguments")
    arguments = [_argument(each) for each in call.arguments]

    def select(values: list[Json], document: Json) -> list[Json]:
        if one and not values:
            return []
        try:
            given = [read(document, document) for read in arguments]
            return [function(values[0] if one else values, given)]
        except NoValueError as error:
            raise PathNotFound(str(error)) from None

    return select


def _argument(argument: Literal | Query) -> Reader:
    if isinstance(argument, Query):
        return _query(argument)
    return lambda _element, _document: argument.value


def _query(query: Query) -> Reader:
    """A path inside a filter: ``MISSING`` instead of an error."""
    read, _ = compile_segments(query.segments)

    def reader(element: Json, document: Json) -> Json:
        try:
            return read(element if query.relative else document, document)
        except PathNotFound:
            return MISSING

    return reader


def _containers(value: Json) -> Iterator[Json]:
    """The objects and lists at any depth, each before what it holds."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict | list):
            yield each
            waiting.extend(reversed(_children(each)))


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _bounded(found: Iterator[Json]) -> list[Json]:
    values: list[Json] = []
    for each in found:
        values.append(each)
        if len(values) > MOST_FOUND:
            cause = f"A JSONPath found more than {MOST_FOUND} values"
            raise StateError("States.Runtime", cause, located=True)
    return values


_KINDS = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
}


def _kind(value: Json) -> str:
    return _KINDS.get(type(value), "object")


def _shown(segment: Segment) -> str:
    """The segment as Jayway writes it in messages."""
    match segment:
        case Names(names):
            shown = ",".join(f"'{name}'" for name in names)
        case Indices(indices):
            shown = ",".join(map(str, indices))
        case Slice(start, stop):
            shown = f"{'' if start is None else start}:{'' if stop is None else stop}"
        case Wildcard():
            shown = "*"
        case Filter():
            shown = "?"
        case Descend(to):
            return ".." + _shown(to)
        case Call(name):
            return f".{name}()"
    return f"[{shown}]"
