"""The operators of choice rules, composed of a type, a comparison and ``Path``."""

from __future__ import annotations

import operator as compare
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from gateway.asl import causes
from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath import Path, PathNotFound, compile_path
from gateway.asl.jsonpath.compare import in_order, is_number
from gateway.asl.scope import Json, Scope
from gateway.asl.timestamp import timestamp_nanoseconds

Condition: TypeAlias = Callable[[Scope], bool]
"""A compiled condition. Raises StateError where a path leads nowhere."""


class _Type(NamedTuple):
    """A type of values that can be compared."""

    noun: str
    key: Callable[[Json], Any]
    """What is compared of a value; None where the value is of another type."""


_TYPES = {
    "String": _Type("a string", lambda value: in_order(value) if isinstance(value, str) else None),
    "Numeric": _Type("a number", lambda value: value if is_number(value) else None),
    "Boolean": _Type("a boolean", lambda value: value if isinstance(value, bool) else None),
    "Timestamp": _Type("a timestamp as 2016-03-14T01:59:00Z", timestamp_nanoseconds),
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": compare.eq,
    "LessThan": compare.lt,
    "GreaterThan": compare.gt,
    "LessThanEquals": compare.le,
    "GreaterThanEquals": compare.ge,
}
_TESTS: dict[str, Callable[[Json], bool]] = {
    "IsNull": lambda value: value is None,
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsNumeric": is_number,
    "IsString": lambda value: isinstance(value, str),
    "IsTimestamp": lambda value: timestamp_nanoseconds(value) is not None,
}
_COMPARING = re.compile(rf"({'|'.join(_TYPES)})({'|'.join(_COMPARISONS)})(Path)?")
_PATTERN_PIECE = re.compile(r"\\([*\\])|(\*)")


def compile_operator(name: str, operand: Json, variable: Path) -> Condition:
    """The condition ``name: operand`` on ``variable``. ExpressionError: no operator or operand."""
    if name == "IsPresent":
        return _presence(variable, _flag(name, operand))
    if name in _TESTS:
        test, wanted = _TESTS[name], _flag(name, operand)
        return lambda scope: test(_value(variable, scope)) is wanted
    if name == "StringMatches":
        return _matching(variable, operand)
    found = _COMPARING.fullmatch(name)
    if found is None or (found[1] == "Boolean" and found[2] != "Equals"):
        raise ExpressionError(f"The field '{name}' is not an operator of a choice rule")
    kind, compares = _TYPES[found[1]], _COMPARISONS[found[2]]
    expected = _path_operand(name, operand, kind) if found[3] else _constant(name, operand, kind)

    def compared(scope: Scope) -> bool:
        own = kind.key(_value(variable, scope))
        wanted = expected(scope)
        return own is not None and compares(own, wanted)

    return compared


def _value(path: Path, scope: Scope) -> Json:
    try:
        return path.read_from(scope)
    except PathNotFound:
        raise causes.invalid_value(path.text) from None


def _presence(variable: Path, wanted: bool) -> Condition:
    def present(scope: Scope) -> bool:
        try:
            variable.read_from(scope)
        except PathNotFound:
            return not wanted
        return wanted

    return present


def _flag(name: str, operand: Json) -> bool:
    if not isinstance(operand, bool):
        raise ExpressionError(f"The value for the field '{name}' must be true or false")
    return operand


def _constant(name: str, operand: Json, kind: _Type) -> Callable[[Scope], Any]:
    wanted = kind.key(operand)
    if wanted is None:
        raise ExpressionError(f"The value for the field '{name}' must be {kind.noun}")
    return lambda _scope: wanted


def _path_operand(name: str, operand: Json, kind: _Type) -> Callable[[Scope], Any]:
    """The value that a ``…Path`` operand refers to must be there, and of the operator's type."""
    path = compile_operand_path(name, operand)

    def expected(scope: Scope) -> Any:
        wanted = kind.key(_value(path, scope))
        if wanted is None:
            raise causes.invalid_value(path.text)
        return wanted

    return expected


def compile_operand_path(field: str, operand: Json) -> Path:
    """The path in ``field`` of a rule. ExpressionError: there is none, or it is wrong."""
    if not isinstance(operand, str):
        raise ExpressionError(f"The field '{field}' is required and must hold a JSONPath")
    try:
        return compile_path(operand)
    except ExpressionError as error:
        message = f"The value for the field '{field}' must be a valid JSONPath: {error}"
        raise ExpressionError(message) from None


def _matching(variable: Path, operand: Json) -> Condition:
    if not isinstance(operand, str):
        raise ExpressionError("The value for the field 'StringMatches' must be a string")
    pieces = _pattern_pieces(operand)

    def matches(scope: Scope) -> bool:
        value = _value(variable, scope)
        return isinstance(value, str) and _matches(pieces, value)

    return matches


def _pattern_pieces(pattern: str) -> list[str]:
    r"""What stands between the ``*`` of a pattern; ``\*`` and ``\\`` stand for themselves."""
    pieces, at = [""], 0
    for mark in _PATTERN_PIECE.finditer(pattern):
        pieces[-1] += pattern[at : mark.start()] + (mark[1] or "")
        if mark[2]:
            pieces.append("")
        at = mark.end()
    pieces[-1] += pattern[at:]
    return pieces


def _matches(pieces: list[str], value: str) -> bool:
    """Each piece at its first place behind the one before: linear, unlike a regular expression."""
    first, *middle = pieces
    if not middle:
        return value == first
    last = middle.pop()
    if not value.startswith(first):
        return False
    at = len(first)
    for piece in middle:
        found = value.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return len(value) - len(last) >= at and value.endswith(last)
