"""Sums and dice. Whatever is random comes from the generator that is handed in."""

from __future__ import annotations

from random import Random
from uuid import UUID

from gateway.asl.intrinsics.arguments import IntrinsicError, integer
from gateway.asl.scope import Json


def math_add(first: Json, second: Json) -> Json:
    """States.MathAdd: both are rounded first."""
    return integer(first, "The first argument") + integer(second, "The second argument")


def math_random(dice: Random, start: Json, end: Json, seed: Json = None) -> Json:
    """States.MathRandom: from ``start`` to below ``end``; a seed always gives the same number."""
    low, high = integer(start, "The start number"), integer(end, "The end number")
    if low >= high:
        raise IntrinsicError("The start number must be less than the end number")
    return (dice if seed is None else Random(integer(seed, "The seed"))).randrange(low, high)


def uuid(dice: Random) -> Json:
    """States.UUID: version 4."""
    return str(UUID(int=dice.getrandbits(128), version=4))
