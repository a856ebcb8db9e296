"""How many messages of one source are in work at a time, over all its partitions."""

from __future__ import annotations

import trio


class Window:
    """``size`` places. Taking waits for one free place and then takes as many as are free and
    wanted, so that batches shrink when it is crowded and nobody waits for a large gap."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = size
        self._waiting = trio.lowlevel.ParkingLot()

    async def take(self, wanted: int) -> int:
        """Take up to ``wanted`` places and say how many; none, at once, where none is wanted."""
        while wanted and not self._free:
            await self._waiting.park()
        taken = min(wanted, self._free)
        self._free -= taken
        return taken

    def give(self, places: int) -> None:
        """Give places back."""
        self._free += places
        self._waiting.unpark_all()
