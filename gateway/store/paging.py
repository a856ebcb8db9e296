"""The opaque keys with which a listing goes on: the sort key of the last row that was shown.

Both stores give out the same keys, so a page may be continued whatever was inserted meanwhile.
"""

from __future__ import annotations


def make_key(at: int, identity: int | str) -> str:
    """The key behind a row that sorts by ``(at, identity)``."""
    return f"{at}.{identity}"


def execution_key(after: str) -> tuple[int, int]:
    """What ``make_key`` was given for an execution. Raises ValueError for anything else."""
    at, identity = _split(after)
    return at, _number(identity, after)


def letter_key(after: str) -> tuple[int, str]:
    """What ``make_key`` was given for a letter. Raises ValueError for anything else."""
    return _split(after)


def _split(after: str) -> tuple[int, str]:
    at, _, identity = after.partition(".")
    return _number(at, after), identity


def _number(text: str, after: str) -> int:
    # SQLite's integers have 64 bits; a longer one cannot have come from make_key.
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ValueError(f"{after!r} is no key of this listing; take it from the page before")
    return int(text)
