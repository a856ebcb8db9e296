"""A sink that answers as it is told, and an outbox over the in-memory store under a mock clock."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import structlog
import trio

from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox, SinkRoute
from gateway.sinks.protocol import Notification, Outlet
from gateway.sinks.retry import RetrySettings
from gateway.store.changes import Change
from gateway.store.memory import MemoryStore
from gateway.store.protocol import Page
from gateway.store.rows import ExecutionRow, LetterRow, NotificationRow, Status

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:fulfil"
FINAL: frozenset[Status] = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
START = 1_700_000_000_000
"""Milliseconds since the epoch at which a mock clock begins."""


def now() -> int:
    """Wall time that goes with the mock clock."""
    return START + round(trio.current_time() * 1000)


def execution(number: int, status: Status = "SUCCEEDED", **members: Any) -> ExecutionRow:
    """An execution of the machine ``fulfil`` that reached its status now."""
    row = ExecutionRow(
        id=number,
        arn=f"arn:aws:states:us-east-1:123456789012:execution:fulfil:order-{number}",
        machine_arn=MACHINE,
        name=f"order-{number}",
        revision=1,
        start_at=START,
        input="{}",
        status=status,
        stop_at=None if status == "RUNNING" else START,
        output="{}" if status == "SUCCEEDED" else None,
    )
    return row._replace(**members)


@dataclass
class FakeSink:
    """Raises what ``answer`` gives for a notification, or accepts it, after ``seconds``."""

    answer: Callable[[Notification], Exception | None] = lambda notification: None
    seconds: float = 0
    type: str = "fake"
    sent: list[tuple[float, Notification]] = field(default_factory=list)
    accepted: list[Notification] = field(default_factory=list)
    most_at_a_time: int = 0
    _at_a_time: int = 0

    async def send(self, notification: Notification, outlet: Outlet) -> None:
        """One attempt."""
        self.sent.append((trio.current_time(), notification))
        self._at_a_time += 1
        self.most_at_a_time = max(self.most_at_a_time, self._at_a_time)
        await trio.sleep(self.seconds)
        self._at_a_time -= 1
        if (failure := self.answer(notification)) is not None:
            raise failure
        self.accepted.append(notification)

    @property
    def times(self) -> list[float]:
        """When each attempt began."""
        return [at for at, _ in self.sent]

    @property
    def names(self) -> list[str]:
        """Execution and status of what was accepted, in order."""
        details = [notification.event["detail"] for notification in self.accepted]
        return [f"{detail['name']} {detail['status']}" for detail in details]


def route(sink: FakeSink, name: str = "ops", **changes: Any) -> SinkRoute:
    """A sink that hears of all final statuses."""
    given = {
        "name": name,
        "sink": sink,
        "when": FINAL,
        "machines": None,
        "message": None,
        "retry": RetrySettings(),
        "give_up_after_seconds": 3 * 86_400.0,
    }
    return SinkRoute(**{**given, **changes})


class World:
    """An outbox with its store."""

    def __init__(self, *routes: SinkRoute, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore()
        self.outbox = Outbox(self.store, lambda name: OUTLET, now, Metrics(), Random(7))
        self.outbox.configure(routes)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        """The outbox at work."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.outbox.run)
            yield self
            nursery.cancel_scope.cancel()

    async def tell(self, *executions: ExecutionRow) -> None:
        """The executions have these statuses now."""
        unit: list[Change] = []
        for row in executions:
            unit += self.outbox.inserts(row, "fulfil")
        await self.store.commit(unit)
        self.outbox.committed(unit)

    async def waiting(self, sink: str = "ops") -> list[NotificationRow]:
        """What the sink has not accepted, one for each execution."""
        return await self.store.notifications(sink, 2**62, 10_000)

    async def letters(self) -> list[LetterRow]:
        """All letters."""
        letters, _ = await self.store.letters(None, Page(10_000))
        return letters


OUTLET = Outlet(
    http=None,  # type: ignore[arg-type]  # the fake sink posts nothing
    aws=None,  # type: ignore[arg-type]
    now=now,
    log=structlog.get_logger("test"),
)
