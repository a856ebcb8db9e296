"""Those who read histories page by page while they are written, in both orders.

What a page has shown stays true: an event is the same for whoever reads it, whichever daemon
answers and whatever has been redriven meanwhile, and pages follow one another without a gap.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import trio

from gateway.engine.engine import Engine
from gateway.engine.histories import HistoryPage
from gateway.errors import ApiError
from gateway.store.failures import StoreFull
from gateway.store.rows import ExecutionRow
from tests.simulation.people import Down
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.world import World

Event = dict[str, Any]


class Readers:
    """They read what runs, what has ended and what is forgotten under their hands."""

    def __init__(self, world: World, dice: Random, trace: Trace) -> None:
        self.wrong: list[str] = []
        self._events: dict[int, dict[int, Event]] = {}
        """By execution and event id."""
        self._world = world
        self._dice = dice
        self._trace = trace

    async def work(self) -> None:
        """One history after the other, until cancelled."""
        while True:
            await trio.sleep(self._dice.choice((1, 10, 40)) * self._dice.random())
            rows = list(self._world.disk.tables().executions.values())
            if rows:
                await self._read(self._dice.choice(rows))

    async def _read(self, row: ExecutionRow) -> None:
        """To its end, or until it is forgotten; a page that was not heard is asked for again."""
        newest_first = self._dice.random() < 0.5
        size, pause = self._dice.choice((1, 3, 10)), self._dice.choice((0, 0.1, 3))
        after, expected = None, None if newest_first else 1
        while True:
            try:
                page = await self._page(row, size, after, newest_first)
            except (Down, StoreFull):
                await trio.sleep(1)
                continue
            except ApiError:
                self._trace.seen("history: forgotten while it is read")
                return
            expected = self._follow(row, page, expected, newest_first)
            if page.after is None:
                if newest_first and expected != 0:
                    self.wrong.append(f"the history of {row.arn} ends before {expected}")
                return
            after = page.after
            await trio.sleep(pause * self._dice.random())

    async def _page(
        self, row: ExecutionRow, size: int, after: int | None, newest_first: bool
    ) -> HistoryPage:
        async def ask(engine: Engine) -> HistoryPage:
            found = await engine.execution(row.arn)
            if found.id != row.id:
                raise ApiError("InvalidToken", "another one has its name")
            return await engine.histories.page(found, size, after, newest_first=newest_first)

        page: HistoryPage = await self._world.line.ask(ask)
        if after is not None:
            self._trace.seen("history: one page follows another")
        return page

    def _follow(
        self, row: ExecutionRow, page: HistoryPage, expected: int | None, newest_first: bool
    ) -> int | None:
        """The id of the event that comes next; None where the newest is yet to be known."""
        known = self._events.setdefault(row.id, {})
        for event in page.events:
            number = event["id"]
            if expected not in {None, number}:
                self.wrong.append(f"{row.arn}: event {number} comes instead of {expected}")
            if known.setdefault(number, event) != event:
                self.wrong.append(f"{row.arn}: {event} was {known[number]} once")
            expected = number - 1 if newest_first else number + 1
        return expected

    def note(self, row: ExecutionRow, events: list[Event]) -> None:
        """The history as it is on disk."""
        for number, event in self._events.get(row.id, {}).items():
            if number > len(events) or events[number - 1] != event:
                self.wrong.append(f"{row.arn}: {event} is not in its history")
