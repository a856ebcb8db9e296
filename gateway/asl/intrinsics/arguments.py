"""What the functions ask of their arguments, said once."""

from __future__ import annotations

import math

from gateway.asl.jsonpath.compare import is_number
from gateway.asl.scope import Json

MOST_CHARACTERS = 10_000
"""AWS's limit on what is encoded, decoded or hashed."""
LARGEST_INTEGER = 2**53
"""The integers up to here are exact in every JSON implementation."""


class IntrinsicError(ValueError):
    """A function cannot work on what it was given; the text says why."""


def integer(value: Json, what: str) -> int:
    """A number, rounded as AWS does: half up."""
    if not is_number(value) or not -LARGEST_INTEGER <= value <= LARGEST_INTEGER:
        raise IntrinsicError(f"{what} must be an integer")
    return math.floor(value + 0.5) if isinstance(value, float) else int(value)


def array(value: Json) -> list[Json]:
    """A list."""
    if not isinstance(value, list):
        raise IntrinsicError("The first argument must be an array")
    return value


def string(value: Json, what: str) -> str:
    """A string."""
    if not isinstance(value, str):
        raise IntrinsicError(f"{what} must be a string")
    return value


def short_string(value: Json, what: str) -> str:
    """A string of at most ``MOST_CHARACTERS``."""
    if len(string(value, what)) > MOST_CHARACTERS:
        raise IntrinsicError(f"{what} must have at most {MOST_CHARACTERS} characters")
    return str(value)
