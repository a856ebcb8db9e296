"""The seam between a source and the trigger that it feeds.

A source is one frozen settings class (pydantic) whose fields are its YAML keys, with one method
``run(intake)``. It turns what arrives into messages, hands them to ``intake.deliver`` and
acknowledges to its far side only what deliver returned. It decides nothing about machines, names
or filters.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias, TypeVar

import structlog

from gateway.store.rows import PositionRow

if TYPE_CHECKING:
    from gateway.aws.client import Aws
    from gateway.sources.webhook_routes import WebhookRoutes

Json: TypeAlias = Any
T = TypeVar("T")


class Message(NamedTuple):
    """One event as it came in. ``document()`` is what filter, name and input look at."""

    id: str
    """The far side's own id: MessageId, topic-partition-offset, delivery id."""
    body: Json
    """The parsed payload; a string where it is not JSON."""
    received_at: int
    """Milliseconds since the epoch."""
    default_name: str
    """The message's own coordinates: with the trigger's name before it, the execution's name."""
    coordinates: str
    """The same for people: ``queue orders, message 3f2…``."""
    members: Mapping[str, Json] = MappingProxyType({})
    """What this kind of source adds: headers, attributes, offset …"""
    trace: str | None = None
    """W3C traceparent, where the message carried one."""
    unfit: str | None = None
    """Why no trigger can ever take it, where that is so: then ``body`` is the text as it came."""


class Started(NamedTuple):
    """An execution has the message's name: a new one, or (``duplicate``) the one that had it."""

    arn: str
    name: str
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Filtered:
    """The trigger's filter rejects it: acknowledge and go on."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It can never be taken. ``letter`` is the id of the letter that keeps it; None where the far
    side keeps it itself (``redrives``): then it must not be acknowledged."""

    reason: str
    letter: str | None


Outcome: TypeAlias = Started | Filtered | Refused


class Deliver(Protocol):
    """Hands messages to the trigger; returns one outcome for each, in order, when all are
    on disk."""

    async def __call__(
        self,
        messages: Sequence[Message],
        *,
        positions: Sequence[PositionRow] = (),
        redrives: bool = False,
    ) -> list[Outcome]:
        """All outcomes and the positions are one unit: all or nothing is durable. ``redrives`` says
        that the far side parks what is not acknowledged (an SQS redrive policy).
        Raises Unavailable when nothing was taken (disk full, stopping): try again later."""
        ...


@dataclass(frozen=True, slots=True)
class Intake:
    """All that a source may use."""

    trigger: str
    deliver: Deliver
    concurrency: int
    """Messages received and not yet acknowledged, at most."""
    room: Callable[[], Awaitable[None]]
    """Waits until the trigger takes more (``max_running``, full disk); call it before each
    receive."""
    full: Callable[[], float | None]
    """Seconds after which it is worth trying again, or None while there is room (for webhooks).
    Raises Unavailable, with a time, while nothing can be taken (disk full)."""
    positions: Callable[[str], Awaitable[list[PositionRow]]]
    """The stored positions of a consumer group."""
    rewind: Callable[[PositionRow], Awaitable[None]]
    """Sets a position even backwards, where the log itself begins again. Raises Unavailable."""
    report: Callable[..., None]
    """``report(state, **details)`` for /healthz and /metrics; state: starting | running |
    backing-off | failed; details are small and readable; ``lag=`` is a number of messages."""
    aws: Aws
    """Signed calls to AWS services; see ``gateway.aws.service``."""
    now: Callable[[], int]
    """Milliseconds since the epoch."""
    log: structlog.stdlib.BoundLogger
    webhooks: WebhookRoutes | None = None
    """The routes of the listener that all webhook sources share; None where there is none."""


class Source(Protocol):
    """What every source's settings class offers besides its fields (see sqs.py, kafka.py)."""

    type: str
    usual_concurrency: ClassVar[int]
    """The trigger's ``concurrency`` where it has none of its own."""

    async def run(self, intake: Intake) -> None:
        """Receive, deliver and acknowledge until cancelled. Cancellation is graceful: what was
        handed to deliver is still acknowledged if it became durable (shielded, a few seconds at
        most). Far-side trouble is backed off inside, never raised; a bug may be raised (the daemon
        restarts it with back-off)."""
        ...
