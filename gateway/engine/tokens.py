"""Task tokens: they name a task, prove that their holder was handed it, and cannot be guessed.

A token is base64url of a version byte, the execution's id, the task's number and 16 random bytes.
Only its SHA-256 is stored.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple

_FORM: Final = Struct(">BqI16s")
_VERSION: Final = 1


class Token(NamedTuple):
    """What a token says."""

    execution: int
    number: int
    hash: str
    """SHA-256 of its text, in hex."""


def new_token(execution: int, number: int) -> tuple[str, str]:
    """A token for a hand-out, and its hash."""
    data = _FORM.pack(_VERSION, execution, number, os.urandom(16))
    text = urlsafe_b64encode(data).rstrip(b"=").decode()
    return text, _hash(text)


def read_token(text: str) -> Token | None:
    """What the token names; None where it is none of ours."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    if len(data) != _FORM.size or data[0] != _VERSION:
        return None
    _, execution, number, _ = _FORM.unpack(data)
    return Token(execution, number, _hash(text))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
