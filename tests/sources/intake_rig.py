"""An intake over a fake trigger that keeps what it was handed, for tests of sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import structlog
import trio

from gateway.errors import Unavailable
from gateway.sources.protocol import Intake, Message, Outcome, Started
from gateway.store.rows import PositionRow


class FakeTrigger:
    """Takes messages as a trigger does: one execution for each name, outcomes in order."""

    def __init__(self) -> None:
        self.batches: list[list[Message]] = []
        self.redrives: list[bool] = []
        self.started: list[Message] = []
        self.decide: Callable[[Message], Outcome | Exception | None] = lambda message: None
        """What a message comes to; None for a start, an exception to be raised."""
        self.gate: trio.Event | None = None
        """While it is set and not open, deliver does not return."""
        self.in_work = 0
        self.most_in_work = 0
        self.arrivals = trio.Condition()
        self.full_seconds: float | None = None
        self.away: Unavailable | None = None
        """While it is set, nothing can be taken."""
        self.reports: list[tuple[str, dict[str, Any]]] = []

    async def deliver(
        self, messages: Sequence[Message], *, positions: Any = (), redrives: bool = False
    ) -> list[Outcome]:
        """One outcome for each message; all are looked at before any counts as started."""
        self.batches.append(list(messages))
        self.redrives.append(redrives)
        self.in_work += len(messages)
        self.most_in_work = max(self.most_in_work, self.in_work)
        async with self.arrivals:
            self.arrivals.notify_all()
        try:
            if self.gate is not None:
                await self.gate.wait()
            return [self._outcome(message) for message in messages]
        finally:
            self.in_work -= len(messages)
            with trio.CancelScope(shield=True):
                async with self.arrivals:
                    self.arrivals.notify_all()

    async def rewind(self, row: PositionRow) -> None:
        """There are no positions here."""

    def _outcome(self, message: Message) -> Outcome:
        decided = self.decide(message)
        if isinstance(decided, Exception):
            raise decided
        if decided is not None:
            return decided
        duplicate = any(one.default_name == message.default_name for one in self.started)
        if not duplicate:
            self.started.append(message)
        return Started(f"arn:{message.default_name}", message.default_name, duplicate)

    def full(self) -> float | None:
        """As the test has set it."""
        if self.away is not None:
            raise self.away
        return self.full_seconds

    def report(self, state: str, **details: Any) -> None:
        """Keeps what the source said of itself."""
        self.reports.append((state, details))

    @property
    def states(self) -> list[str]:
        """The states reported, without repetitions in a row."""
        states = [state for state, _ in self.reports]
        return [s for i, s in enumerate(states) if i == 0 or states[i - 1] != s]

    async def until(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        """Wait for a condition over what was handed in or reported."""
        with trio.fail_after(seconds):
            while not condition():
                with trio.move_on_after(0.02):
                    async with self.arrivals:
                        await self.arrivals.wait()

    def intake(self, *, concurrency: int = 8, **more: Any) -> Intake:
        """What a source is given; one of SQS needs ``aws``."""
        return Intake(
            trigger="orders",
            deliver=self.deliver,
            concurrency=concurrency,
            room=trio.lowlevel.checkpoint,
            full=self.full,
            positions=_no_positions,
            rewind=self.rewind,
            report=self.report,
            now=lambda: 1_700_000_000_000,
            log=structlog.get_logger(),
            **{"aws": None, **more},
        )


async def _no_positions(group: str) -> list[Any]:
    return []
