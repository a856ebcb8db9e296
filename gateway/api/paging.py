"""The nextToken of all lists: opaque, good after a restart and for the list that gave it only."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_right
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, TypeVar

from gateway.api.model import Request, Response
from gateway.errors import ApiError

T = TypeVar("T")

PAGE_DEFAULT: Final = 100
"""Rows of a page where maxResults is 0 or left out."""
_DIGEST_BYTES: Final = 12


def page_size(request: Request) -> int:
    """Rows that the page may hold."""
    return request.get("maxResults") or PAGE_DEFAULT


def make_token(listing: str, key: str) -> str:
    """The token that makes ``listing`` (the operation and what narrows it) go on after ``key``."""
    return urlsafe_b64encode(_digest(listing, key) + key.encode()).decode()


def read_token(listing: str, request: Request) -> str | None:
    """The key in the request's nextToken, None on the first page. Raises ApiError InvalidToken."""
    token = request.get("nextToken")
    if token is None:
        return None
    try:
        data = urlsafe_b64decode(token)
        digest, key = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:].decode()
    except ValueError:
        digest, key = b"", ""
    if digest != _digest(listing, key):
        raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'")
    return key


def next_token(listing: str, key: str | None) -> Response:
    """The member nextToken, or nothing where the listing ends."""
    return {} if key is None else {"nextToken": make_token(listing, key)}


def one_page(
    rows: Sequence[T], key: Callable[[T], str], listing: str, request: Request
) -> tuple[Sequence[T], Response]:
    """The page of ``rows`` (sorted by ``key``) that is asked for, and the nextToken member."""
    after = read_token(listing, request)
    begin = 0 if after is None else bisect_right(rows, after, key=key)
    end = begin + page_size(request)
    last = key(rows[end - 1]) if end < len(rows) else None
    return rows[begin:end], next_token(listing, last)


def _digest(listing: str, key: str) -> bytes:
    # It tells a token of another list, and a mistyped one, from the right one; it guards no secret.
    return sha256(f"{listing}\n{key}".encode()).digest()[:_DIGEST_BYTES]
