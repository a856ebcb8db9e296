"""What a segment selects of one value: nothing, one or several values, never an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from gateway.asl.errors import StateError
from gateway.asl.jsonpath.filters import Predicate, Reader, compile_test
from gateway.asl.jsonpath.reading import Reading
from gateway.asl.jsonpath.segments import Descend, Filter, Indices, Names, Query, Slice, Wildcard
from gateway.asl.scope import Json

Picker: TypeAlias = Callable[[Json, Reading], list[Json]]
"""(value, reading) -> what is selected of it; nothing where the segment does not apply."""

MOST_FOUND = 100_000
"""Values that one segment may find: ``$..*..*`` multiplies, and an input has 256 KB."""


def bounded(found: Iterator[Json], reading: Reading) -> list[Json]:
    """The values found. StateError: more than ``MOST_FOUND``."""
    values: list[Json] = []
    for each in found:
        values.append(each)
        if len(values) > MOST_FOUND:
            cause = f"A JSONPath found more than {MOST_FOUND} values"
            raise StateError("States.Runtime", cause, located=True)
    reading.spend(len(values))
    return values


def compile_picker(
    segment: Names | Indices | Slice | Wildcard | Filter | Descend,
    compile_query: Callable[[Query], Reader],
) -> Picker:
    """The picker of a segment; ``compile_query`` compiles the paths in filters."""
    if not isinstance(segment, Descend):
        return _picker(segment, compile_query)
    if isinstance(segment.to, Filter):
        return at_any_depth(_whole(compile_test(segment.to.test, compile_query)))
    return at_any_depth(_picker(segment.to, compile_query))


def _picker(
    segment: Names | Indices | Slice | Wildcard | Filter, compile_query: Callable[[Query], Reader]
) -> Picker:
    match segment:
        case Names(names):
            return lambda value, _reading: (
                [value[name] for name in names if name in value] if isinstance(value, dict) else []
            )
        case Indices(indices):
            return lambda value, _reading: (
                [value[index] for index in indices if -len(value) <= index < len(value)]
                if isinstance(value, list)
                else []
            )
        case Slice(start, stop):
            return lambda value, _reading: value[start:stop] if isinstance(value, list) else []
        case Wildcard():
            return lambda value, _reading: _children(value)
        case Filter(test):
            return _elements(compile_test(test, compile_query))


def _elements(passes: Predicate) -> Picker:
    """Of a list the elements that pass; an object passes as a whole."""
    whole = _whole(passes)

    def pick(value: Json, reading: Reading) -> list[Json]:
        if isinstance(value, list):
            reading.spend(len(value))
            return [each for each in value if passes(each, reading)]
        return whole(value, reading)

    return pick


def _whole(passes: Predicate) -> Picker:
    """The value itself, if it is an object that passes."""
    return lambda value, reading: (
        [value] if isinstance(value, dict) and passes(value, reading) else []
    )


def at_any_depth(pick: Picker) -> Picker:
    """The picker over the value and all containers in it."""

    def found(value: Json, reading: Reading) -> Iterator[Json]:
        for each in _containers(value):
            reading.spend(1)
            yield from pick(each, reading)

    return lambda value, reading: bounded(found(value, reading), reading)


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
