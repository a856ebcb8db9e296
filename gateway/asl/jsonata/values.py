"""The values of an evaluation: JSON, what is undefined, and the sequences that paths build.

``None`` is JSON's null. A container never holds ``UNDEFINED`` or a sequence, so that what an
expression returns is plain JSON as soon as its outermost list is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from gateway.asl.jsonata.errors import failure
from gateway.asl.jsonpath.compare import is_number
from gateway.asl.scope import Json

LARGEST_EXACT: Final = 2**53
"""JSONata's numbers are doubles: up to here each integer is one."""
LARGEST_WRITTEN: Final = 2**63
"""Integers beyond 64 bits are written with an exponent."""


class _Undefined:
    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final[Any] = _Undefined()
"""What a path gives that finds nothing."""


class Sequence(list[Json]):
    """What a path found: none of it is ``UNDEFINED``, one alone is that value itself."""

    keep = False
    """``[]`` was written: one value alone stays a list."""
    tuples = False
    """Its elements are bindings (``@``, ``#``, ``%``), not values."""


class Constructed(list[Json]):
    """A list written in brackets at either end of a path, which is not flattened into it."""


class Function:
    """Whatever can be called."""

    arity = 1


Value: TypeAlias = Any
"""A JSON value, ``UNDEFINED``, a Sequence or a Function."""
Truth: TypeAlias = Callable[[Value], bool]


def plain(value: Value) -> Value:
    """What may be put into a container."""
    return list(value) if isinstance(value, Sequence | Constructed) else value


def paired(value: Value) -> Value:
    """A text in which the halves of each ``\\ud83d\\ude00`` are one character."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def as_number(value: float) -> float:
    """An integer where it is one. D1001: JSON has no such number."""
    if isinstance(value, int) and -LARGEST_EXACT <= value <= LARGEST_EXACT:
        return value
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise failure("D1001", number)
    exact = number.is_integer() and -LARGEST_WRITTEN < number < LARGEST_WRITTEN
    return int(number) if exact else number


def is_integer(value: Value) -> bool:
    """A number without a fraction, written with one or not."""
    return is_number(value) and (isinstance(value, int) or value.is_integer())


_SYMBOLS: Final[dict[type, str]] = {
    bool: "b",
    str: "s",
    int: "n",
    float: "n",
    dict: "o",
    list: "a",
    Sequence: "a",
    Constructed: "a",
    type(None): "l",
    _Undefined: "m",
}


def symbol(value: Value) -> str:
    """The letter of a value's type in a signature; ``m`` for one that is missing."""
    return _SYMBOLS.get(value.__class__, "f")
