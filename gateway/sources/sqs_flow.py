"""What bounds and ends the work on a queue: slots for messages, a grace for those in work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


class Slots:
    """Messages that may be in work at a time; a receive takes some before it knows what comes."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._waiting = trio.lowlevel.ParkingLot()

    async def take(self, most: int) -> int:
        """One slot at least, ``most`` at most: wait for the first, take what else is free."""
        while not self._free:
            await self._waiting.park()
        taken = min(most, self._free)
        self._free -= taken
        return taken

    def give(self, number: int) -> None:
        """Give slots back."""
        self._free += number
        self._waiting.unpark_all()


@asynccontextmanager
async def open_graceful_nursery(seconds: float) -> AsyncIterator[trio.Nursery]:
    """A nursery whose tasks get ``seconds`` to end once the block is left or cancelled."""
    grace = trio.CancelScope(shield=True)
    left = trio.Event()

    async def host(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        with grace:
            async with trio.open_nursery() as nursery:
                task_status.started(nursery)
                await left.wait()

    async with trio.open_nursery() as outer:
        # A cancelled ``start`` would wait for the host, which waits for the block to be left.
        with trio.CancelScope(shield=True):
            nursery = await outer.start(host)
        try:
            yield nursery
        finally:
            left.set()
            grace.deadline = trio.current_time() + seconds
