"""Filters, ``[?(...)]``, as closures over an element and the document."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import regex

from gateway.asl.errors import ExpressionError, StateError
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

PATTERN_SECONDS = 0.1
"""A pattern that has not matched by then holds up every other execution."""

_FLAGS = {
    "i": regex.I,
    "m": regex.M,
    "s": regex.S,
    "x": regex.X,
    "u": regex.U,
    "d": 0,
    "U": regex.U,
}


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
        return _matching(read, right)
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


def _matching(read: Reader, pattern: Regex) -> Predicate:
    """Jayway matches the whole value."""
    flags = 0
    for letter in pattern.flags:
        if letter not in _FLAGS:
            raise ExpressionError(
                f"'{letter}' is no flag of a pattern; those are {''.join(_FLAGS)}"
            )
        flags |= _FLAGS[letter]
    try:
        compiled = regex.compile(pattern.pattern.replace("\\/", "/"), flags)
    except regex.error as error:
        raise ExpressionError(f"The pattern /{pattern.pattern}/ is wrong: {error}") from None

    def predicate(element: Json, document: Json) -> bool:
        value = read(element, document)
        if not isinstance(value, str):
            return False
        try:
            return compiled.fullmatch(value, timeout=PATTERN_SECONDS) is not None
        except TimeoutError:
            cause = f"The pattern /{pattern.pattern}/ took more than {PATTERN_SECONDS} seconds"
            raise StateError("States.Runtime", cause, located=True) from None

    return predicate
