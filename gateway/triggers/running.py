"""How many executions of each trigger run: what ``max_running`` goes by. In memory, and no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import trio

from gateway.store.rows import ExecutionRow


class Running:
    """One for the whole daemon; it outlives the triggers that a reload replaces."""

    def __init__(self, running_by_trigger: Mapping[str, int]) -> None:
        """Begins with what the store says at start (``Stats.running_by_trigger``)."""
        self._counts = Counter(running_by_trigger)
        self._changed = trio.lowlevel.ParkingLot()

    def count(self, trigger: str) -> int:
        """Executions of the trigger that run or are just being started."""
        return self._counts[trigger]

    def begin(self, trigger: str, executions: int) -> None:
        """So many are being started.

        Called before the start, so that those who arrive meanwhile see them, and the end of a short
        one never comes before its beginning.
        """
        self._counts[trigger] += executions

    def end(self, trigger: str, executions: int = 1) -> None:
        """So many have ended, or were not started after all."""
        self._counts[trigger] -= executions
        self._changed.unpark_all()

    def ended(self, row: ExecutionRow) -> None:
        """For ``Engine.on_end``."""
        if row.trigger is not None:
            self.end(row.trigger)

    def redriven(self, row: ExecutionRow) -> None:
        """For ``Engine.on_redrive``."""
        if row.trigger is not None:
            self.begin(row.trigger, 1)

    async def below(self, trigger: str, limit: int) -> None:
        """Wait until fewer than ``limit`` of the trigger's executions run."""
        while self._counts[trigger] >= limit:
            await self._changed.park()
