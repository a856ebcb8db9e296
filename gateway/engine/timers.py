"""Timers: rows in the store, and one heap of those that are due soon.

A parked execution costs a row; the next ``WINDOW_MS`` worth of rows (at most ``WINDOW_ROWS``) are
in memory. A timer that fires stays a row until what it led to is committed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from heapq import heappop, heappush
from typing import Final

import structlog
import trio

from gateway.store.changes import Change, DeleteTimer, Insert, MoveTimer, Upsert
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.protocol import Store
from gateway.store.rows import TimerRow

WINDOW_MS: Final = 60_000
WINDOW_ROWS: Final = 10_000
AT_ONCE: Final = 100
"""Timers in work at the same time."""
CROWDED_MS: Final = 100
"""Between two readings of a window that is full."""
SET_BACK_MS: Final = 1_000
"""What the clock may lose against the monotonic one between two looks: its rate is adjusted."""
MOVING: Final = frozenset({"timeout", "heartbeat"})
"""Timers whose due moves without a record: by a heartbeat, after a restart, by a clock set back."""
_ANY_MOMENT: Final = 2**63 - 1
FULL_RETRY_MS: Final = 1_000
BUG_RETRY_MS: Final = 60_000

Key = tuple[int, int, str]


def _key(row: TimerRow) -> Key:
    return (row.execution, row.number, row.kind)


class Timers:
    """Calls ``fire`` for each timer when it is due; it says whether that led to anything."""

    def __init__(
        self, store: Store, now: Callable[[], int], fire: Callable[[TimerRow], Awaitable[bool]]
    ) -> None:
        self._store = store
        self._now = now
        self._fire = fire
        self._heap: list[tuple[int, Key]] = []
        self._armed: dict[Key, TimerRow] = {}
        self._firing: set[Key] = set()
        self._horizon = 0
        """Every timer due before this is in memory."""
        self._refill_at = 0
        self._changed = trio.Event()
        self._clocks = (0, 0.0)
        """The wall clock and the monotonic one (ms) when they were last compared."""
        self._log = structlog.get_logger("timers")

    def committed(self, unit: Sequence[Change]) -> None:
        """Take note of the timers that a durable unit began or ended."""
        for change in unit:
            match change:
                case Insert(TimerRow() as row) | Upsert(TimerRow() as row) | MoveTimer(row):
                    if row.due < self._horizon:
                        self._arm(row)
                case DeleteTimer(execution, number, kind):
                    self._armed.pop((execution, number, kind), None)
                case _:
                    pass

    def _arm(self, row: TimerRow) -> None:
        self._armed[_key(row)] = row
        heappush(self._heap, (row.due, _key(row)))
        if self._heap[0][1] == _key(row):
            self._changed.set()

    async def run(self) -> None:
        """Fire timers as they are due, until cancelled."""
        limiter = trio.CapacityLimiter(AT_ONCE)
        async with trio.open_nursery() as nursery:
            while True:
                await self._notice_set_back()
                await self._refill()
                for row in self._due():
                    # A timer may be due again before its last firing has returned.
                    firing = object()
                    self._firing.add(_key(row))
                    await limiter.acquire_on_behalf_of(firing)
                    nursery.start_soon(self._fire_one, row, firing, limiter)
                await self._sleep()

    def _due(self) -> list[TimerRow]:
        now, due = self._now(), []
        while self._heap and self._heap[0][0] <= now:
            at, key = heappop(self._heap)
            row = self._armed.get(key)
            # A heap entry whose timer is gone or was moved stands for nothing.
            if row is not None and row.due == at:
                del self._armed[key]
                due.append(row)
        return due

    async def _fire_one(self, row: TimerRow, firing: object, limiter: trio.CapacityLimiter) -> None:
        try:
            if not await self._fire(row) and row.kind in MOVING and await self._stands(row):
                # The history knows the moment by the clock before it was set back.
                await self._fire(row._replace(due=_ANY_MOMENT))
        except StoreFull:
            self._arm(row._replace(due=self._now() + FULL_RETRY_MS))
        except StoreClosed:
            raise
        except Exception:
            # One execution cannot go on; the timers of the others must.
            self._log.exception("a bug: the timer is tried again", timer=row)
            self._arm(row._replace(due=self._now() + BUG_RETRY_MS))
        finally:
            self._firing.discard(_key(row))
            limiter.release_on_behalf_of(firing)

    async def _stands(self, row: TimerRow) -> bool:
        """Whether it is the timer of now, and not of an earlier hand-out."""
        return row in await self._store.execution_timers(row.execution)

    async def _notice_set_back(self) -> None:
        """Where the clock was set back, no task waits for its old hour: intervals begin anew."""
        wall, monotonic = self._now(), trio.current_time() * 1000
        lost = (monotonic - self._clocks[1]) - (wall - self._clocks[0])
        if lost >= SET_BACK_MS:
            seconds = round(lost / 1000, 3)
            self._log.warning("the clock was set back: timeouts begin anew", seconds=seconds)
            self._refill_at = 0
            try:
                await self._store.renew_intervals(wall)
            except StoreFull:  # It is noticed again.
                return
            self._heap.clear()
            self._armed.clear()
        self._clocks = wall, monotonic

    async def _refill(self) -> None:
        now = self._now()
        if now < self._refill_at:
            return
        # What is committed while the store is asked is told to ``committed``, which looks at the
        # horizon.
        self._horizon = now + WINDOW_MS
        self._refill_at = now + WINDOW_MS // 2
        rows = await self._store.timers(self._horizon, WINDOW_ROWS)
        if len(rows) == WINDOW_ROWS:
            self._horizon = rows[-1].due
            # Those that wait for room on the disk would fill the window again at once.
            self._refill_at = max(rows[WINDOW_ROWS // 2].due, now + CROWDED_MS)
        for row in rows:
            if _key(row) not in self._armed and _key(row) not in self._firing:
                self._arm(row)

    async def _sleep(self) -> None:
        wake_at = self._refill_at
        if self._heap:
            wake_at = min(wake_at, self._heap[0][0])
        with trio.move_on_after(max(wake_at - self._now(), 0) / 1000):
            await self._changed.wait()
        self._changed = trio.Event()
