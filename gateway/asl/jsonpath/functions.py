"""Jayway's functions at the end of a path: ``$.items.length()``, ``$..price.max()``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from gateway.asl.jsonpath.compare import is_number
from gateway.asl.scope import Json


class NoValueError(ValueError):
    """A function has nothing to work on; the text says why."""


def _numbers(value: Json, arguments: Sequence[Json]) -> list[float]:
    offered = [*(value if isinstance(value, list) else []), *arguments]
    found = [each for each in offered if is_number(each)]
    if not found:
        raise NoValueError("Aggregation function attempted to calculate value using empty array")
    return found


def _aggregate(function: Callable[[list[float]], float]) -> Callable[[Json, Sequence[Json]], Json]:
    # Jayway counts in doubles, and AWS shows them: the sum of 1 and 2 is 3.0.
    return lambda value, arguments: float(function(_numbers(value, arguments)))


def _average(numbers: list[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def _deviation(numbers: list[float]) -> float:
    mean = _average(numbers)
    return math.sqrt(math.fsum((each - mean) ** 2 for each in numbers) / len(numbers))


def _length(value: Json, _arguments: Sequence[Json]) -> Json:
    return len(value) if isinstance(value, list | dict) else None


def _keys(value: Json, _arguments: Sequence[Json]) -> Json:
    return list(value) if isinstance(value, dict) else None


def _concat(value: Json, arguments: Sequence[Json]) -> Json:
    own = value if isinstance(value, list) else []
    return "".join(each for each in [*own, *arguments] if isinstance(each, str))


def _append(value: Json, arguments: Sequence[Json]) -> Json:
    return [*value, *arguments] if isinstance(value, list) else value


def _at(value: Json, index: Json) -> Json:
    if not isinstance(value, list) or not is_number(index):
        raise NoValueError("Aggregation function attempted to calculate value using empty array")
    try:
        return value[int(index)]
    except (IndexError, OverflowError, ValueError):
        raise NoValueError(f"Target index:{index} larger than object count:{len(value)}") from None


FUNCTIONS: dict[str, tuple[Callable[[Json, Sequence[Json]], Json], bool]] = {
    "min": (_aggregate(min), True),
    "max": (_aggregate(max), True),
    "avg": (_aggregate(_average), True),
    "stddev": (_aggregate(_deviation), True),
    "sum": (_aggregate(sum), True),
    "length": (_length, False),
    "size": (_length, False),
    "keys": (_keys, False),
    "concat": (_concat, True),
    "append": (_append, True),
    "first": (lambda value, _arguments: _at(value, 0), False),
    "last": (lambda value, _arguments: _at(value, -1), False),
    "index": (lambda value, arguments: _at(value, *arguments[:1]), True),
}
"""Name to (what it does with a value and its arguments, whether it takes arguments)."""
