"""Filters, ``[?(...)]``, as closures over an element and the document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath.compare import MISSING, OPERATORS
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

Predicate: TypeAlias = Callable[[Json, Json], bool]
"""(element, document) -> it passes."""
Reader: TypeAlias = Callable[[Json, Json], Json]
"""(element, document) -> the operand's value, or ``MISSING``."""


def compile_test(test: Test, compile_query: Callable[[Query], Reader]) -> Predicate:
    """A filter's condition; ``compile_query`` compiles the paths in it."""
    match test:
        case Exists(query):
            read = compile_query(query)
            return lambda element, document: read(element, document) is not MISSING
        case Not(inner):
            negated = compile_test(inner, compile_query)
            return lambda element, document: not negated(element, document)
        case AllOf(tests):
            each = [compile_test(one, compile_query) for one in tests]
            return lambda element, document: all(one(element, document) for one in each)
        case AnyOf(tests):
            each = [compile_test(one, compile_query) for one in tests]
            return lambda element, document: any(one(element, document) for one in each)
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
    return lambda element, document: compare(read(element, document), other(element, document))


def _reader(operand: Operand, compile_query: Callable[[Query], Reader]) -> Reader:
    match operand:
        case Literal(value):
            return lambda _element, _document: value
        case Query():
            return compile_query(operand)
        case Regex():
            raise ExpressionError("A pattern between slashes takes the operator '=~'")
