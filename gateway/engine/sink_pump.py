"""The pump of one sink: sends its notifications as they fall due, and decides what failures mean.

What is to be sent are rows; what is here is only who is being sent to just now and how the sink has
been doing. A crash therefore costs nothing but a repetition under the same id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from random import Random
from typing import Any, Final

import structlog
import trio

from gateway.engine.letters import is_dead_letter, notification_letter
from gateway.engine.metrics import Metrics
from gateway.engine.sink_route import SinkRoute
from gateway.errors import Gone, Rejected, Unavailable
from gateway.sinks.protocol import Outlet
from gateway.sinks.retry import RetrySettings
from gateway.store.changes import Change, DeleteLetter, DeleteNotification, Insert, Upsert
from gateway.store.failures import StoreFull
from gateway.store.protocol import Store
from gateway.store.rows import NotificationRow

CONCURRENCY: Final = 32
"""Notifications of one sink that are being sent at a time, each of another execution."""
PROBE_AFTER: Final = 10
"""Failures in a row after which the sink gets one notification at a time."""
FULL_RETRY_SECONDS: Final = 5.0
_FAR: Final = 2**62
_ERROR_CHARACTERS: Final = 500
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_REMOVED: Final = "the sink is no longer configured"


class SinkPump:
    """Sends what is due for one sink until cancelled.

    It is *running*; or *probing*, after ten failures in a row, with one notification at a time; or
    closed, because the sink is *gone* (410) or *removed* from the configuration: then all that
    waits becomes letters. To a gone sink only what a person sends again is sent, and reopens it if
    it is accepted.
    """

    def __init__(
        self,
        name: str,
        store: Store,
        outlet: Outlet,
        now: Callable[[], int],
        metrics: Metrics,
        dice: Random,
    ) -> None:
        self._name = name
        self._store = store
        self._outlet = outlet
        self._now = now
        self._metrics = metrics
        self._dice = dice
        self._route: SinkRoute | None = None
        self._gone: str | None = None
        self._failures = 0
        self._probed: str | None = None
        """The notification that was last sent as a probe."""
        self._failed_probes = 0
        self._probe_at = 0
        self._busy: set[str] = set()
        self._news = trio.Event()
        self._last_error: str | None = None
        self._log = structlog.get_logger("outbox").bind(sink=name)

    def configure(self, route: SinkRoute | None) -> None:
        """Go on with these settings, open again; None: the sink has been removed."""
        self._route = route
        self._gone = None
        self._failures = self._failed_probes = 0
        self.wake()

    def wake(self) -> None:
        """There may be something new."""
        self._news.set()

    def status(self) -> dict[str, Any]:
        """For /healthz: ``state`` (running | probing | gone | removed), how many are being sent,
        the failures in a row, and the last error."""
        return {
            "state": self._state(),
            "sending": len(self._busy),
            "failures": self._failures,
            "last_error": self._last_error,
        }

    def _state(self) -> str:
        if self._route is None:
            return "removed"
        if self._gone is not None:
            return "gone"
        return "probing" if self._failures >= PROBE_AFTER else "running"

    # ------------------------------------------------------------------ what to send
    async def run(self) -> None:
        """Send, and sleep until something falls due or is new."""
        async with trio.open_nursery() as nursery:
            while True:
                news = self._news = trio.Event()
                heads = await self._heads()
                due = await self._round(nursery, heads)
                seconds = inf if due is None else max(0, due - self._now()) / 1000
                with trio.move_on_after(seconds):
                    await news.wait()

    async def _heads(self) -> list[NotificationRow]:
        """The first notification of each execution that is not being sent, by due, due or not."""
        # One whose sending ends while the rows are read may show as it was before; it is left for
        # the next round, which its end has called for. Of the first rows so many are being sent, or
        # fewer, that those left over fill the room there is.
        busy = frozenset(self._busy)
        rows = await self._store.notifications(self._name, _FAR, CONCURRENCY)
        return [row for row in rows if row.id not in busy]

    async def _round(self, nursery: trio.Nursery, heads: Sequence[NotificationRow]) -> int | None:
        """Do what can be done now; returns when there is more to do even if nothing happens."""
        if self._route is None or self._gone is not None:
            return await self._park(nursery, heads)
        if self._failures >= PROBE_AFTER:
            return await self._probe(nursery, heads, self._route)
        return self._send_due(nursery, heads)

    def _send_due(self, nursery: trio.Nursery, heads: Sequence[NotificationRow]) -> int | None:
        now, room = self._now(), CONCURRENCY - len(self._busy)
        due = [row for row in heads if row.due <= now][:room]
        for row in due:
            self._begin(nursery, row)
        if len(due) == room or len(due) == len(heads):
            return None
        return heads[len(due)].due

    async def _probe(
        self, nursery: trio.Nursery, heads: Sequence[NotificationRow], route: SinkRoute
    ) -> int | None:
        if self._busy or not heads:
            return None
        now = self._now()
        if expired := [row for row in heads if now >= route.deadline(row)]:
            await self._give_up(expired, f"given up: {self._last_error}")
            return now
        if (at := max(self._probe_at, heads[0].due)) > now:
            return min(at, *(route.deadline(row) for row in heads))
        # Not the first: those that fail whatever the sink is like would hold up the others for
        # as long as they are tried. Nor only the latest, among which an old one may not be.
        some = [row for row in heads if row.due <= now]
        if (other := await self._store.least_tried(self._name, now)) is not None:
            some.append(other)
        row = min(some, key=lambda each: each.attempts)
        self._probed = row.id
        self._begin(nursery, row)
        return None

    async def _park(self, nursery: trio.Nursery, heads: Sequence[NotificationRow]) -> int | None:
        parked = [row for row in heads if self._route is None or not row.late]
        if parked:
            await self._give_up(parked, self._gone or _REMOVED)
            return self._now()
        return self._send_due(nursery, heads)

    def _begin(self, nursery: trio.Nursery, row: NotificationRow) -> None:
        self._busy.add(row.id)
        nursery.start_soon(self._attempt, row)

    # --------------------------------------------------------------------- one attempt
    async def _attempt(self, row: NotificationRow) -> None:
        try:
            match await self._send(row):
                case None:
                    await self._accepted(row)
                case Unavailable() as failure:
                    await self._failed(row, failure)
                case Gone(reason=reason):
                    self._gone = self._last_error = reason
                    self._log.error(
                        "the sink wants nothing any more", reason=reason, notification=row.id
                    )
                    await self._give_up([row], reason)
                case Rejected(reason=reason):
                    self._last_error = reason
                    await self._give_up([row], reason)
        finally:
            self._busy.discard(row.id)
            self.wake()

    async def _send(self, row: NotificationRow) -> Unavailable | Rejected | None:
        """One attempt; returns what was wrong, None if it was accepted."""
        route = self._route
        if route is None:
            return Rejected(_REMOVED)
        trace = await self._trace(row)
        try:
            await route.sink.send(route.notification(row, trace), self._outlet)
        except (Unavailable, Rejected) as failure:
            return failure
        except Exception as bug:
            self._log.exception("a bug: the notification is tried again", notification=row.id)
            return Unavailable(f"a bug: {type(bug).__name__}, see the log")
        return None

    async def _trace(self, row: NotificationRow) -> str | None:
        execution = await self._store.execution_by_id(row.execution) if row.execution else None
        trace = None if execution is None else execution.trace
        return trace if trace is not None and _TRACEPARENT.fullmatch(trace) else None

    # ------------------------------------------------------------------ what came of it
    async def _accepted(self, row: NotificationRow) -> None:
        self._failures = self._failed_probes = 0
        self._gone = None
        unit: list[Change] = [DeleteNotification(row.id)]
        if is_dead_letter(row.sink):
            unit.append(DeleteLetter(row.id))
        await self._commit(unit)

    async def _failed(self, row: NotificationRow, failure: Unavailable) -> None:
        route, now = self._route, self._now()
        self._failures += 1
        self._last_error = failure.reason
        self._log.warning("not accepted", reason=failure.reason, notification=row.id)
        if route is None or now >= route.deadline(row):
            await self._give_up([row], f"given up: {failure.reason}")
            return
        pause = self._pause(route.retry, row.attempts + 1, failure)
        if self._failures >= PROBE_AFTER:
            # What was under way together fails together: only a probe that fails makes the next
            # pause longer, or a hiccup of a second would be followed by the longest of them.
            self._failed_probes += row.id == self._probed
            self._probe_at = now + self._pause(route.retry, self._failed_probes + 1, failure)
        again = row._replace(
            attempts=row.attempts + 1,
            due=min(now + pause, route.deadline(row)),
            last_error=failure.reason[:_ERROR_CHARACTERS],
        )
        if not await self._is_moot(row):
            await self._commit([Upsert(again)])

    async def _is_moot(self, row: NotificationRow) -> bool:
        """Whether a person has dropped or retried the dead letter while it was being sent."""
        return is_dead_letter(row.sink) and await self._store.letter(row.id) is None

    def _pause(self, retry: RetrySettings, failures: int, failure: Unavailable) -> int:
        """Milliseconds until it makes sense to try again."""
        seconds = max(retry.delay_seconds(failures, self._dice), failure.retry_after or 0)
        return round(seconds * 1000)

    async def _give_up(self, rows: Sequence[NotificationRow], reason: str) -> None:
        """Letters take the place of the rows, in one unit."""
        ids = [row.id for row in rows]
        self._log.error("given up, kept as letters", reason=reason, notifications=ids)
        unit: list[Change] = []
        for row in rows:
            unit += await self._letter(row, reason)
        await self._commit(unit)
        self._metrics.letter(self._name, len(rows))

    async def _letter(self, row: NotificationRow, reason: str) -> list[Change]:
        if not is_dead_letter(row.sink):
            letter = notification_letter(row, reason, self._now())
            return [DeleteNotification(row.id), DeleteLetter(row.id), Insert(letter)]
        # The letter is there already and stays; it says why its target has not got it.
        kept = await self._store.letter(row.id)
        if kept is None:
            return [DeleteNotification(row.id)]
        letter = kept._replace(reason=f"{kept.reason} (not taken by dead_letter: {reason})")
        return [DeleteNotification(row.id), DeleteLetter(row.id), Insert(letter)]

    async def _commit(self, unit: Sequence[Change]) -> None:
        # What the far side has accepted is written down even if the daemon is being stopped.
        while True:
            with trio.CancelScope(shield=True), suppress(StoreFull):
                return await self._store.commit(unit)
            await trio.sleep(FULL_RETRY_SECONDS)
