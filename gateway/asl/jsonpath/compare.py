"""Values side by side as Jayway's filters see them: which are equal, which is less."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from decimal import Decimal
from typing import Any, Final

from gateway.asl.scope import Json

_DECIMAL: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,9})?")
"""What Java reads as a decimal number."""
MISSING: Final[Any] = object()
"""What a path in a filter gives that finds nothing; equal to nothing, itself included."""


def is_number(value: Json) -> bool:
    """An int or a float; ``True`` is a number in Python only."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(left: Json, right: Json) -> bool:
    """Equality of JSON values: 1 is 1.0, but not ``true``; at any depth."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def identity(value: Json) -> Hashable:
    """What two values have in common if ``same`` says that they are equal, and only then."""
    match value:
        case bool():
            return (bool, value)
        case dict():
            return (dict, frozenset((name, identity(each)) for name, each in value.items()))
        case list():
            return (list, tuple(map(identity, value)))
        case _:
            scalar: Hashable = value
            return scalar


def _equal(left: Json, right: Json) -> bool:
    """Jayway makes of the right side what the left one is: a text, or a number if it can."""
    if left is MISSING or right is MISSING:
        return False
    if isinstance(left, str) and is_number(right):
        return left == str(right)
    if is_number(left) and isinstance(right, str):
        return _DECIMAL.fullmatch(right) is not None and Decimal(right) == Decimal(str(left))
    return same(left, right)


def in_order(text: str) -> bytes:
    """What texts are ordered by, in Java as in JavaScript: their UTF-16, not their characters."""
    return text.encode("utf-16-be", "surrogatepass")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Json, Json], bool]:
    def test(left: Json, right: Json) -> bool:
        if isinstance(left, str) and isinstance(right, str):
            return compare(in_order(left), in_order(right))
        return is_number(left) and is_number(right) and compare(left, right)

    return test


def _in(left: Json, right: Json) -> bool:
    return isinstance(right, list) and any(_equal(left, each) for each in right)


def _contains(left: Json, right: Json) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return right in left
    return _in(right, left)


def _subset_of(left: Json, right: Json) -> bool:
    return isinstance(left, list) and isinstance(right, list) and all(_in(e, right) for e in left)


def _any_of(left: Json, right: Json) -> bool:
    return isinstance(left, list) and isinstance(right, list) and any(_in(e, right) for e in left)


def _none_of(left: Json, right: Json) -> bool:
    return isinstance(left, list) and isinstance(right, list) and not _any_of(left, right)


def _size(left: Json, right: Json) -> bool:
    return isinstance(left, str | list) and is_number(right) and len(left) == right


def _empty(left: Json, right: Json) -> bool:
    return isinstance(left, str | list | dict) and (not left) is right


OPERATORS: dict[str, Callable[[Json, Json], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "===": lambda left, right: left is not MISSING and same(left, right),
    "!==": lambda left, right: left is MISSING or not same(left, right),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "in": _in,
    "nin": lambda left, right: isinstance(right, list) and not _in(left, right),
    "subsetof": _subset_of,
    "anyof": _any_of,
    "noneof": _none_of,
    "all": lambda left, right: _subset_of(right, left),
    "contains": _contains,
    "size": _size,
    "empty": _empty,
}
"""Each operator of a filter but ``=~``, over two values of which either may be ``MISSING``."""
