"""Task tokens, as they come back: which task one names, and whose hash it has to have.

Of a hand-out to a worker only the hash is stored.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode
from typing import NamedTuple

from gateway.asl.tokens import FORM, VERSION, token_hash, token_text
from gateway.store.rows import TaskRow


class Token(NamedTuple):
    """What a token says."""

    execution: int
    number: int
    hash: str
    """SHA-256 of its text, in hex."""

    def opens(self, task: TaskRow) -> bool:
        """Whether it is the one that the task was handed out with."""
        return task.token_hash is not None and task.token_hash.hex() == self.hash


def new_token(execution: int, number: int) -> tuple[str, str]:
    """A token for a hand-out, and its hash."""
    text = token_text(execution, number, os.urandom(16))
    return text, token_hash(text)


def read_token(text: str) -> Token | None:
    """What the token names; None where it is none of ours."""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    if len(data) != FORM.size or data[0] != VERSION:
        return None
    _, execution, number, _ = FORM.unpack(data)
    return Token(execution, number, token_hash(text))
