"""How large a result may be before it is no result."""

from __future__ import annotations

from collections.abc import Sized
from typing import Final

MOST_BYTES: Final = 2 * 1024 * 1024
"""Of an answer. A result of 256 KiB, each character of it escaped, has less."""


class TooLarge(Exception):
    """The answer is longer than anybody would want it."""


def check_size(answer: Sized) -> None:
    """Raises TooLarge."""
    if len(answer) > MOST_BYTES:
        raise TooLarge
