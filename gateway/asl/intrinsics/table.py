"""Every intrinsic function: what it does and how many arguments it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.asl.intrinsics import arrays, encoding, numbers, strings
from gateway.asl.scope import Json


@dataclass(frozen=True, slots=True)
class Function:
    """One intrinsic function."""

    apply: Callable[..., Json]
    """Arguments to value. Raises IntrinsicError."""
    least: int
    most: int | None = None
    """None: as many as there are."""
    dice: bool = False
    """``apply`` takes the scope's generator first."""
    template: bool = False
    """A literal as first argument goes to ``apply`` as the pieces between its ``{}``."""


FUNCTIONS: dict[str, Function] = {
    "Array": Function(arrays.make, 0),
    "ArrayPartition": Function(arrays.partition, 2, 2),
    "ArrayContains": Function(arrays.contains, 2, 2),
    "ArrayRange": Function(arrays.array_range, 3, 3),
    "ArrayGetItem": Function(arrays.get_item, 2, 2),
    "ArrayLength": Function(arrays.length, 1, 1),
    "ArrayUnique": Function(arrays.unique, 1, 1),
    "Base64Encode": Function(encoding.base64_encode, 1, 1),
    "Base64Decode": Function(encoding.base64_decode, 1, 1),
    "Hash": Function(encoding.hash_text, 2, 2),
    "JsonMerge": Function(encoding.json_merge, 3, 3),
    "StringToJson": Function(encoding.string_to_json, 1, 1),
    "JsonToString": Function(encoding.json_to_string, 1, 1),
    "MathRandom": Function(numbers.math_random, 2, 3, dice=True),
    "MathAdd": Function(numbers.math_add, 2, 2),
    "StringSplit": Function(strings.split, 2, 2),
    "UUID": Function(numbers.uuid, 0, 0, dice=True),
    "Format": Function(strings.format_text, 1, template=True),
}
