"""The store of one life of the daemon, over rows that outlive it.

Units wait for a writer that takes all of them at a time, as SQLite's does; the seed decides how
long that and every reading takes, when the disk is full, and at which batch the daemon dies: before
it is on the disk, within it, or after it with nobody told.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import trio

from gateway.store.changes import Unit
from gateway.store.failures import StoreClosed, StoreFull
from tests.simulation.disks import Disk
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


class Witness(Protocol):
    """Who looks on."""

    def written(self, unit: Unit) -> None:
        """The unit is durable."""

    async def sweeping(self, before: int) -> None:
        """What ended before then is about to go."""

    def swept(self, before: int, spared: Collection[int]) -> None:
        """It has gone, but for those."""

    def died(self) -> None:
        """The daemon, from one moment to the next."""


@dataclass(eq=False, slots=True)
class _Waiting:
    unit: Unit
    done: trio.Event = field(default_factory=trio.Event)
    failure: BaseException | None = None


class Connection:
    """``Store`` as one life of the daemon sees it."""

    def __init__(
        self, disk: Disk, faults: Faults, dice: Random, trace: Trace, witness: Witness
    ) -> None:
        self.life = trio.CancelScope()
        """Cancelled when the daemon dies."""
        self.dead: BaseException | None = None
        self.faults = faults
        self._disk = disk
        self._dice = dice
        self._trace = trace
        self._witness = witness
        self._queue: list[_Waiting] = []
        self._writing: list[_Waiting] = []
        self._gathered = trio.Event()
        self._full = False
        self._since = 0.0
        self._tell_full: Callable[[bool], None] = lambda full: None

    @asynccontextmanager
    async def open(
        self, _path: str, *, on_commit: Any, on_full: Callable[[bool], None]
    ) -> AsyncIterator[Connection]:
        """As ``open_sqlite``: in the end what is queued is written."""
        del on_commit
        self._tell_full = on_full
        # The writer is a thread: nothing but the end of the store ends it.
        writer = trio.CancelScope(shield=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write_within, writer)
            try:
                yield self
            finally:
                with trio.CancelScope(shield=True):
                    while self.dead is None and (self._queue or self._writing):
                        await (self._writing or self._queue)[-1].done.wait()
                writer.cancel()
        if self.dead is not None:
            raise self.dead

    async def _write_within(self, scope: trio.CancelScope) -> None:
        try:
            with scope:
                await self._write_on()
        except BaseException as failure:
            # Nobody may wait for a writer that a judge has stopped: the seed would have no end.
            self.dead = self.dead or failure
            self._settle(failure)
            raise

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """A read of the store: slow at times, and then what it brings may be old."""
        read = getattr(self._disk.store, name)
        if not self.faults.slow:

            async def reading(*arguments: Any, **options: Any) -> Any:
                if self.dead is not None:
                    raise self.dead
                found = await read(*arguments, **options)
                if self.dead is not None:
                    raise self.dead
                return found
        else:

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
        if self._dice.random() < self.faults.slow:
            self._trace.seen("store: a read is slow")
            await trio.sleep(self._dice.choice((0, 0.01, 0.5)))
            if self.dead is not None:
                raise self.dead

    async def renew_intervals(self, now: int) -> None:
        """A chore."""
        await self._chore()
        await self._disk.store.renew_intervals(now)
        await self._dawdle()

    async def sweep(self, before: int, limit: int, spared: Collection[int] = ()) -> int:
        """A chore; somebody looks at what goes."""
        await self._chore()
        await self._witness.sweeping(before)
        swept: int = await self._disk.store.sweep(before, limit, spared)
        self._witness.swept(before, spared)
        await self._dawdle()
        return swept

    async def _chore(self) -> None:
        await self._dawdle()
        if self._dice.random() < self.faults.full:
            self._trace.seen("store: a chore finds the disk full")
            raise StoreFull("the disk is full")
        if self._dies():
            self._trace.seen("death before a chore")
            self.die("before a chore")
            await trio.sleep_forever()

    def under_way_seconds(self) -> float:
        """How long the transaction under way has lasted."""
        return trio.current_time() - self._since if self._writing else 0.0

    async def commit(self, unit: Unit) -> None:
        """Return when the writer has written it."""
        if self.dead is not None:
            raise self.dead
        waiting = _Waiting(tuple(unit))
        self._queue.append(waiting)
        self._gathered.set()
        with trio.CancelScope(shield=True):
            await waiting.done.wait()
        if waiting.failure is not None:
            raise waiting.failure

    async def _write_on(self) -> None:
        """The writer: until cancelled, or dead."""
        while self.dead is None:
            await self._gathered.wait()
            self._gathered = trio.Event()
            if self._dice.random() < self.faults.slow:
                self._trace.seen("store: a commit is slow")
                await trio.sleep(self._dice.choice((0.001, 0.1, 1.5)))
            self._writing, self._queue = self._queue, []
            self._since = trio.current_time()
            if self._dies():
                self._die_writing()
                return
            self._write_batch()
            if self._dice.random() < self.faults.slow:
                await trio.sleep(self._dice.choice((0, 0.1, 1.5)))
            writing, self._writing = self._writing, []
            for waiting in writing:
                waiting.done.set()

    def _dies(self) -> bool:
        if self.faults.batches is None or self.dead is not None:
            return False
        self.faults.batches -= 1
        return self.faults.batches < 0

    def _write_batch(self) -> None:
        units = [waiting.unit for waiting in self._writing]
        if len(units) > 1:
            self._trace.seen("store: units share a batch")
        dice, share = self._dice, self.faults.full
        full = frozenset(n for n in range(len(units)) if share and dice.random() < share)
        failures = self._disk.write(units, full)
        for place, waiting in enumerate(self._writing):
            waiting.failure = failures.get(place)
            if waiting.failure is None:
                self._note(waiting.unit)
            else:
                self._trace.say("disk", repr(waiting.failure), waiting.unit)
        found_full = any(isinstance(failure, StoreFull) for failure in failures.values())
        if found_full:
            self._trace.seen("store: the disk is full")
        if found_full != self._full:
            self._full = found_full
            self._tell_full(found_full)

    def _note(self, unit: Unit) -> None:
        self._trace.say("disk", "unit", unit)
        self._witness.written(unit)

    def _die_writing(self) -> None:
        units = [waiting.unit for waiting in self._writing]
        written = self._disk.crash(units, self._dice)
        for unit in units[:written]:
            self._note(unit)
        self._trace.seen(f"death {'behind' if written else 'within'} a commit")
        self.die(f"with {written} of {len(units)} units of a batch on disk")

    def die(self, how: str) -> None:
        """The end of the daemon, wherever it is."""
        if self.dead is not None:
            return
        kind = self.faults.death
        self._trace.say("daemon", "dies", kind.__name__, how)
        self._trace.seen("the power is cut" if kind is PowerCut else "the disk fails")
        self.dead = kind("the daemon is dead")
        if kind is PowerCut:
            self._witness.died()
        self._settle(self.dead)
        self.life.cancel()

    def _settle(self, failure: BaseException) -> None:
        """Whoever waits is told that nothing is written any more."""
        for waiting in (*self._writing, *self._queue):
            waiting.failure = waiting.failure or failure
            waiting.done.set()


__all__ = ["Connection", "Faults", "PowerCut", "StoreClosed"]
