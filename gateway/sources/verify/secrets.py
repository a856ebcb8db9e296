"""Secrets as settings take them: one, or several while they are being rotated.

Also the one comparison that may touch them: it takes the same time wherever two values differ.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema

_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ],
    "writeOnly": True,
}


def _several(written: Any) -> Any:
    """One secret is a list of one."""
    return [written] if isinstance(written, str | SecretStr) else written


Secret: TypeAlias = Annotated[SecretStr, Field(min_length=1)]
Secrets: TypeAlias = Annotated[
    tuple[Secret, ...],
    BeforeValidator(_several),
    Field(min_length=1),
    WithJsonSchema(_SCHEMA),
]


def is_one_of(given: bytes, expected: Iterable[bytes]) -> bool:
    """Whether ``given`` is among ``expected``; every one is looked at, each in constant time."""
    return sum(hmac.compare_digest(given, one) for one in expected) > 0
