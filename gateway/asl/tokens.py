"""Task tokens, as they are made: they name a task, prove that their holder was handed it, and
cannot be guessed.

A token is base64url of a version byte, the execution's id, the task's number and 16 secret bytes;
so it may stand in a link.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256
from struct import Struct
from typing import Final

FORM: Final = Struct(">BqI16s")
VERSION: Final = 1


def token_text(execution: int, number: int, secret: bytes) -> str:
    """The token of a task; ``secret`` is 16 bytes that nobody else can know."""
    return urlsafe_b64encode(FORM.pack(VERSION, execution, number, secret)).rstrip(b"=").decode()


def token_hash(text: str) -> str:
    """SHA-256 of the token, in hex: what is kept to know it again."""
    return sha256(text.encode()).hexdigest()
