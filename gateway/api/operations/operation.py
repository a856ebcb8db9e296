"""What an operation is to the wire: a function from request to response, or a long poll."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gateway.api.model import Model, Request, Response

Operation: TypeAlias = Callable[[Request], Awaitable[Response]]
"""Takes the checked members; raises ApiError. Anything else that it raises is a bug."""


@dataclass(frozen=True, slots=True)
class HandOut:
    """An answer that must reach its caller; where it cannot, ``give_back`` undoes it."""

    response: Response
    give_back: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Poll:
    """A long poll: it is cancelled when the caller goes away, or when the server closes."""

    wait: Callable[[Request, float], Awaitable[HandOut | None]]
    """Takes the seconds that it may wait; with none, it gives what is there. None: nothing came in
    time."""
    seconds: float


Table: TypeAlias = Mapping[str, Operation | Poll]
"""Operations by name."""


@dataclass(frozen=True, slots=True)
class Service:
    """What is served under one target prefix: the model, and those of its operations that are."""

    model: Model
    table: Table
