"""States.Array and the functions over arrays."""

from __future__ import annotations

from collections.abc import Hashable

from gateway.asl.intrinsics.arguments import IntrinsicError, array, integer
from gateway.asl.jsonpath.compare import identity, same
from gateway.asl.scope import Json

MOST_IN_RANGE = 1000
"""AWS's limit of States.ArrayRange."""


def make(*values: Json) -> Json:
    """States.Array: its arguments as an array."""
    return list(values)


def partition(values: Json, size: Json) -> Json:
    """States.ArrayPartition: chunks of ``size``, the last one shorter."""
    chunk = integer(size, "The chunk size")
    if chunk < 1:
        raise IntrinsicError("The chunk size must be a positive integer")
    whole = array(values)
    return [whole[start : start + chunk] for start in range(0, len(whole), chunk)]


def contains(values: Json, wanted: Json) -> Json:
    """States.ArrayContains."""
    return any(same(each, wanted) for each in array(values))


def array_range(first: Json, last: Json, step: Json) -> Json:
    """States.ArrayRange: from ``first`` to ``last``, which is included."""
    start, end = integer(first, "The first value"), integer(last, "The last value")
    increment = integer(step, "The increment")
    if increment == 0:
        raise IntrinsicError("The increment must not be 0")
    numbers = range(start, end + (1 if increment > 0 else -1), increment)
    # len() of a range beyond 2**63 overflows: the element behind the limit is asked for instead.
    if numbers[MOST_IN_RANGE : MOST_IN_RANGE + 1]:
        raise IntrinsicError(f"The array must have at most {MOST_IN_RANGE} elements")
    return list(numbers)


def get_item(values: Json, index: Json) -> Json:
    """States.ArrayGetItem."""
    whole, at = array(values), integer(index, "The index")
    if not 0 <= at < len(whole):
        raise IntrinsicError(f"The index {at} is out of the range of an array of {len(whole)}")
    return whole[at]


def length(values: Json) -> Json:
    """States.ArrayLength."""
    return len(array(values))


def unique(values: Json) -> Json:
    """States.ArrayUnique: the first of each, in order."""
    found: dict[Hashable, Json] = {}
    for value in array(values):
        found.setdefault(identity(value), value)
    return list(found.values())
