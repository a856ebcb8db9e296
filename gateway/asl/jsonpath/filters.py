"""Filters, ``[?(...)]``, as closures over an element and the document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath.compare import MISSING, OPERATORS
from gateway.asl.jsonpath.reading import Reading, weight
from gateway.asl.jsonpath.segments import (
    AllOf,
    AnyOf,
    Compare,
    Exists,
    Literal,
    Not,
    Operand,
    Query,
    Regex,
    Test,
)
from gateway.asl.scope import Json

Predicate: TypeAlias = Callable[[Json, Reading], bool]
"""(element, reading) -> it passes."""
Reader: TypeAlias = Callable[[Json, Reading], Json]
"""(element, reading) -> the operand's value, or ``MISSING``."""

_EACH_WITH_EACH: Final = frozenset({"subsetof", "anyof", "noneof", "all"})


def compile_test(test: Test, compile_query: Callable[[Query], Reader]) -> Predicate:
    """A filter's condition; ``compile_query`` compiles the paths in it."""
    match test:
        case Exists(query):
            read = compile_query(query)
            return lambda element, reading: read(element, reading) is not MISSING
        case Not(inner):
            negated = compile_test(inner, compile_query)
            return lambda element, reading: not negated(element, reading)
        case AllOf(tests):
            each = [compile_test(one, compile_query) for one in tests]
            return lambda element, reading: all(one(element, reading) for one in each)
        case AnyOf(tests):
            each = [compile_test(one, compile_query) for one in tests]
            return lambda element, reading: any(one(element, reading) for one in each)
        case Compare(left, operator, right):
            return _comparison(left, operator, right, compile_query)


def _comparison(
    left: Operand, operator: str, right: Operand, compile_query: Callable[[Query], Reader]
) -> Predicate:
    if isinstance(left, Regex):
        left, right = right, left
    read = _reader(left, compile_query)
    if operator == "=~":
        if not isinstance(right, Regex):
            raise ExpressionError("'=~' takes a pattern between slashes: /.../")
        # Few filters have a pattern: regex takes its time to load.
        from gateway.asl.jsonpath.patterns import matching

        return matching(read, right)
    compare = OPERATORS[operator]
    other = _reader(right, compile_query)

    def predicate(element: Json, reading: Reading) -> bool:
        one, two = read(element, reading), other(element, reading)
        reading.spend(_cost(operator, one, two))
        return compare(one, two)

    return predicate


def _cost(operator: str, left: Json, right: Json) -> int:
    """How many values are looked at to compare the two."""
    if not isinstance(left, dict | list) or not isinstance(right, dict | list):
        # One value is looked for among the others.
        return 1 + sum(len(each) for each in (left, right) if isinstance(each, list))
    times = max(len(left), len(right)) if operator in _EACH_WITH_EACH else 1
    return times * (weight(left) + weight(right))


def _reader(operand: Operand, compile_query: Callable[[Query], Reader]) -> Reader:
    match operand:
        case Literal(value):
            return lambda _element, _reading: value
        case Query():
            return compile_query(operand)
        case Regex():
            raise ExpressionError("A pattern between slashes takes the operator '=~'")
