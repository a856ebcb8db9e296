"""The seam between the outbox and a sink.

A sink is one frozen settings class (pydantic) with one method ``send``. The outbox owns retry,
back-off, order and letters; a sink maps its vendor's answers to success, Unavailable, Rejected or
Gone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import structlog

if TYPE_CHECKING:
    from gateway.aws.client import Aws
    from gateway.sinks.post import Answer

Json: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to tell."""

    id: str
    """Stable over all attempts and for a late one: receivers deduplicate by it."""
    event: dict[str, Json]
    """The status-change event (CONVENTIONS.md) or, for a dead letter, the letter."""
    message: Json | None
    """What the sink's ``message`` template made of the event; None = send the event."""
    attempt: int
    """1 for the first."""
    created_at: int
    """Milliseconds since the epoch."""
    late: bool = False
    """It had been given up and is sent again by hand."""
    trace: str | None = None
    """W3C traceparent, where the execution has one."""


class Poster(Protocol):
    """What posts to URLs; ``PostClient`` says how."""

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_seconds: float,
        allow_private: bool,
    ) -> Answer:
        """One POST; whatever status was answered."""
        ...


@dataclass(frozen=True, slots=True)
class Outlet:
    """All that a sink may use."""

    http: Poster
    """Open one with ``gateway.sinks.post.open_post_client``."""
    aws: Aws
    """Signed calls to AWS services; see ``gateway.aws.service``."""
    now: Callable[[], int]
    log: structlog.stdlib.BoundLogger


class Sink(Protocol):
    """What every sink's settings class offers besides its fields (see sns.py, webhook.py)."""

    @property
    def type(self) -> str:
        """Which kind it is, as the YAML file says it."""
        ...

    async def send(self, notification: Notification, outlet: Outlet) -> None:
        """Return when the far side has accepted it. Raises Unavailable (with its Retry-After),
        Rejected (this one will never be taken) or Gone (it wants nothing any more). Bounded in time
        by itself. Its errors name no secret: no header, no credential, no path of a URL."""
        ...
