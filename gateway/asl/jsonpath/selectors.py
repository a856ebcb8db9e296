"""A whole path as closures over lists of values, with Jayway's meaning.

What a path of one place asks for must be there: PathNotFound, in Jayway's words. A path that has
``*``, ``..``, a slice, a filter or a list of several anywhere passes over what is not there.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import TypeAlias

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath.compare import MISSING
from gateway.asl.jsonpath.filters import Reader
from gateway.asl.jsonpath.functions import FUNCTIONS, NoValueError
from gateway.asl.jsonpath.pickers import Picker, at_any_depth, bounded, compile_picker
from gateway.asl.jsonpath.reading import Reading
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

Selector: TypeAlias = Callable[[list[Json], Reading], list[Json]]
"""(values so far, reading) -> values found."""

MOST_SEGMENTS = 256
"""Segments of one path: no document is nested deeper."""


class PathNotFound(LookupError):
    """A definite path leads nowhere; the text is Jayway's."""


def compile_segments(segments: tuple[Segment, ...]) -> tuple[Reader, bool]:
    """``(read, definite)`` of a whole path; ``read`` raises PathNotFound."""
    if len(segments) > MOST_SEGMENTS:
        raise ExpressionError(f"A path has at most {MOST_SEGMENTS} segments, not {len(segments)}")
    marked = [(each, number == len(segments)) for number, each in enumerate(segments, 1)]
    plural = any(_is_plural(segment, last=last) for segment, last in marked)
    selectors: list[Selector] = []
    definite, place = True, "$"
    for segment, last in marked:
        if isinstance(segment, Call):
            selectors.append(_call(segment, one=definite))
            definite = True
        else:
            selectors.append(_selector(segment, None if plural else place, last=last))
            definite = definite and not _is_plural(segment, last=last)
        place += _shown(segment)
    return _reader(selectors, definite, place), definite


def _is_plural(segment: Segment, *, last: bool) -> bool:
    match segment:
        case Names((_,)) | Indices((_,)) | Call():
            return False
        case Names():
            return not last
        case _:
            return True


def _reader(selectors: list[Selector], definite: bool, place: str) -> Reader:
    def read(start: Json, reading: Reading) -> Json:
        reading.spend(len(selectors))
        values = [start]
        for select in selectors:
            values = select(values, reading)
        if not definite:
            return values
        if not values:
            raise PathNotFound(f"No results for path: {place}")
        return values[0]

    return read


def _selector(
    segment: Names | Indices | Slice | Wildcard | Filter | Descend, place: str | None, *, last: bool
) -> Selector:
    """``place`` is the path so far where what is missing is an error, else None."""
    match segment:
        case Names((name,)) if place is not None:
            return _required_name(name, place, last=last)
        case Indices((index,)) if place is not None:
            return _required_index(index, place)
        case Names(names) if len(names) > 1 and last:
            return _merge(names)
        case Descend(Names(names)) if len(names) > 1 and last:
            return _over(at_any_depth(_merge_whole(names)))
        case _:
            return _over(compile_picker(segment, _query))


def _over(pick: Picker) -> Selector:
    return lambda values, reading: bounded(
        chain.from_iterable(pick(value, reading) for value in values), reading
    )


def _required_name(name: str, place: str, *, last: bool) -> Selector:
    def select(values: list[Json], _reading: Reading) -> list[Json]:
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
    def select(values: list[Json], _reading: Reading) -> list[Json]:
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
    return lambda values, _reading: [
        {name: value[name] for name in names if name in value}
        for value in values
        if isinstance(value, dict)
    ]


def _merge_whole(names: tuple[str, ...]) -> Picker:
    """``..['a','b']`` at the end of a path: an object of those of each object that has them all."""
    return lambda value, _reading: (
        [{name: value[name] for name in names}]
        if isinstance(value, dict) and all(name in value for name in names)
        else []
    )


def _call(call: Call, *, one: bool) -> Selector:
    if call.name not in FUNCTIONS:
        raise ExpressionError(f"'{call.name}' is no function; those are {', '.join(FUNCTIONS)}")
    function, takes_arguments = FUNCTIONS[call.name]
    if call.arguments and not takes_arguments:
        raise ExpressionError(f"The function '{call.name}' takes no arguments")
    arguments = [_argument(each) for each in call.arguments]

    def select(values: list[Json], reading: Reading) -> list[Json]:
        if one and not values:
            return []
        try:
            given = [read(reading.document, reading) for read in arguments]
            return [function(values[0] if one else values, given)]
        except NoValueError as error:
            raise PathNotFound(str(error)) from None

    return select


def _argument(argument: Literal | Query) -> Reader:
    if isinstance(argument, Query):
        return _query(argument)
    return lambda _element, _reading: argument.value


def _query(query: Query) -> Reader:
    """A path inside a filter: ``MISSING`` instead of an error."""
    read, _ = compile_segments(query.segments)

    def reader(element: Json, reading: Reading) -> Json:
        try:
            return read(element if query.relative else reading.document, reading)
        except PathNotFound:
            return MISSING

    return reader


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
