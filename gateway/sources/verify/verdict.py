"""What is verified and what comes of it: a request as it arrived, and the verdicts about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request as it arrived, before anything of its body was parsed."""

    method: str
    path: str
    """As it was sent, without the query."""
    headers: Mapping[str, str]
    """Names in lower case; values of repeated headers joined by ``, ``."""
    query: str
    """The raw query string."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Genuine:
    """It comes from whom it should."""


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """It is genuine, and an envelope: this is what was inside."""

    id: str
    """The message's id, which takes the place of a delivery id."""
    body: Json
    members: Mapping[str, Json]
    """What the message gets besides the members of the request."""
    unfit: str | None = None
    """Why no trigger can ever take it, where that is so."""


@dataclass(frozen=True, slots=True)
class Handled:
    """It is genuine and was for the gateway itself (a handshake): there is nothing to deliver."""

    what: str


@dataclass(frozen=True, slots=True)
class Forged:
    """It does not come from whom it should, or that cannot be told."""

    reason: str
    challenge: str | None = None
    """The scheme that ``WWW-Authenticate`` asks for."""


Verdict: TypeAlias = Genuine | Unwrapped | Handled | Forged
Check: TypeAlias = Callable[[Arrival], Awaitable[Verdict]]
"""Judges one request. Raises Unavailable when what it needs (a certificate) is out of reach."""
