"""The store of one life of the daemon, over rows that outlive it.

Units wait for a writer that takes all of them at a time, as SQLite's does; the seed decides how
long that and every reading takes, when the disk is full, and at which batch the daemon dies: before
it is on the disk, within it, or after it with nobody told.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import trio

from gateway.store.memory import MemoryStore
from gateway.store.protocol import StoreClosed, StoreFull, Unit
from tests.simulation.trace import Trace


class PowerCut(BaseException):
    """The process is gone: nothing of it may handle this."""


@dataclass(slots=True)
class Faults:
    """What befalls one life."""

    full: float = 0.0
    """Share of units that find the disk full."""
    slow: float = 0.0
    """Share of calls that take their time."""
    batches: int | None = None
    """The batch at which it dies."""
    death: type[BaseException] = PowerCut
    """PowerCut, or StoreClosed for a disk that fails."""


@dataclass(eq=False, slots=True)
class _Waiting:
    unit: Unit
    done: trio.Event = field(default_factory=trio.Event)
    failure: BaseException | None = None


class Connection:
    """``Store`` as one life of the daemon sees it."""

    def __init__(self, disk: MemoryStore, faults: Faults, dice: Random, trace: Trace) -> None:
        self.life = trio.CancelScope()
        """Cancelled when the daemon dies."""
        self.dead: BaseException | None = None
        self._disk = disk
        self._faults = faults
        self._dice = dice
        self._trace = trace
        self._queue: list[_Waiting] = []
        self._writing: list[_Waiting] = []
        self._gathered = trio.Event()

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """A read of the store: slow at times, and then what it brings may be old."""
        read = getattr(self._disk, name)

        async def reading(*arguments: Any, **options: Any) -> Any:
            await self._dawdle()
            found = await read(*arguments, **options)
            await self._dawdle()
            return found

        setattr(self, name, reading)
        return reading

    async def _dawdle(self) -> None:
        if self.dead is not None:
            raise self.dead
        if self._dice.random() < self._faults.slow:
            await trio.sleep(self._dice.choice((0, 0.01, 0.5)))
            if self.dead is not None:
                raise self.dead

    async def commit(self, unit: Unit) -> None:
        """Return when the writer has written it."""
        if self.dead is not None:
            raise self.dead
        waiting = _Waiting(unit)
        self._queue.append(waiting)
        self._gathered.set()
        with trio.CancelScope(shield=True):
            await waiting.done.wait()
        if waiting.failure is not None:
            raise waiting.failure

    async def write(self) -> None:
        """The writer: until cancelled, or dead."""
        while True:
            await self._gathered.wait()
            self._gathered = trio.Event()
            if self._dice.random() < self._faults.slow:
                await trio.sleep(self._dice.choice((0.001, 0.1, 1.5)))
            self._writing, self._queue = self._queue, []
            dies = self._dies()
            written = self._dice.choice((0, len(self._writing))) if dies else None
            for waiting in self._writing[:written]:
                await self._write(waiting)
            if dies:
                self.die(f"with {written} of {len(self._writing)} units of a batch on disk")
                return
            if self._dice.random() < self._faults.slow:
                await trio.sleep(self._dice.choice((0, 0.1, 1.5)))
            for waiting in self._writing:
                waiting.done.set()

    def _dies(self) -> bool:
        if self._faults.batches is None:
            return False
        self._faults.batches -= 1
        return self._faults.batches < 0

    async def _write(self, waiting: _Waiting) -> None:
        if self._dice.random() < self._faults.full:
            waiting.failure = StoreFull("the disk is full")
            self._trace.say("disk", "full", _kinds(waiting.unit))
            return
        self._trace.say("disk", "unit", _kinds(waiting.unit))
        try:
            await self._disk.commit(waiting.unit)
        except Exception as failure:
            waiting.failure = failure

    def die(self, how: str) -> None:
        """The end of the daemon, wherever it is."""
        if self.dead is None:
            self._trace.say("daemon", "dies", self._faults.death.__name__, how)
            self.dead = self._faults.death("the daemon is dead")
            for waiting in (*self._writing, *self._queue):
                waiting.failure = waiting.failure or self.dead
                waiting.done.set()
            self.life.cancel()


def _kinds(unit: Unit) -> list[object]:
    return [getattr(change, "row", change) for change in unit]


__all__ = ["Connection", "Faults", "PowerCut", "StoreClosed"]
