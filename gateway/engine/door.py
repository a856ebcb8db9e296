"""The one door: everything that changes an execution after its start goes through ``Door.handle``.

Lock the execution, load it (or take it from the cache), advance, commit, tell the pumps, return:
what ``handle`` returned is durable. Stimuli that wait for the same execution are advanced together
in one unit. If a commit fails, the cached execution is dropped and folded again by the next one
who asks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
import structlog
import trio

from gateway.asl import stimuli
from gateway.asl.advance import advance
from gateway.asl.codec import decode, document_numbers
from gateway.asl.execution import Execution
from gateway.asl.flow import MAX_EVENTS
from gateway.asl.frame import Identity, Timer
from gateway.asl.records import Record
from gateway.asl.states.state import StateMachine
from gateway.asl.stimuli import Stimulus
from gateway.engine.arns import qualified
from gateway.engine.catalog import Catalog
from gateway.engine.execution_log import execution_log
from gateway.engine.hot import Hot, HotExecutions, sleeps
from gateway.engine.units import (
    CONTINUE,
    continue_row,
    effect_changes,
    end_change,
    history_changes,
)
from gateway.errors import ApiError
from gateway.store.changes import Change, DeleteTimer, Insert, RedriveExecution, Upsert
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow

FULL_RETRY_SECONDS: Final = 5.0
"""Until what a full disk has refused is tried again."""
UNIT_RECORDS: Final = 1000
"""A long step is committed every so many records."""
HISTORY_FULL: Final = "Execution history event limit exceeded"
"""Why an execution cannot be redriven whose history has no room for that."""

Committed = Callable[[list[Change], list[ExecutionRow]], None]
Announce = Callable[[ExecutionRow], Sequence[Change]]


@dataclass(slots=True)
class _Delivery:
    stimulus: Stimulus
    taken: bool | None = None
    """Whether it counted; None while it waits."""


@dataclass(slots=True)
class _Entry:
    lock: trio.Lock = field(default_factory=trio.Lock)
    waiting: list[_Delivery] = field(default_factory=list)
    users: int = 0


class Door:
    """Executions, one stimulus (or bundle of stimuli) at a time."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        now: Callable[[], int],
        *,
        committed: Committed,
        announce: Announce,
    ) -> None:
        """``committed`` hears of every unit after it is durable, and which executions ended in it;
        ``announce`` gives what is to be written with the end of an execution: its notifications."""
        self._store = store
        self._catalog = catalog
        self._now = now
        self._committed = committed
        self._announce = announce
        self._hot = HotExecutions()
        self._seeds = _seeds()
        self._entries: dict[int, _Entry] = {}
        self._beginning: dict[int, trio.Event] = {}
        """Executions whose first unit is on its way to the disk."""
        self._log = structlog.get_logger("engine")

    async def handle(self, execution: int, stimulus: Stimulus) -> bool:
        """Apply the stimulus; returns when what it led to is durable. False: nothing waited for it,
        or there is no such execution. Raises StoreFull."""
        if (begun := self._beginning.get(execution)) is not None:
            await begun.wait()
        delivery = _Delivery(stimulus)
        entry = self._entries.setdefault(execution, _Entry())
        entry.waiting.append(delivery)
        entry.users += 1
        try:
            await _locked(entry.lock)
            try:
                if delivery.taken is None:
                    await self._advance_bundle(execution, entry, delivery)
            finally:
                entry.lock.release()
        finally:
            entry.users -= 1
            if not entry.users:
                self._entries.pop(execution, None)
        assert delivery.taken is not None, "whoever advanced the bundle answered for it"
        return delivery.taken

    async def handle_for_pump(self, execution: int, stimulus: Stimulus) -> bool:
        """``handle``, where a bug of this one execution must not keep the caller from the others:
        it is logged. Raises StoreFull and StoreClosed."""
        try:
            return await self.handle(execution, stimulus)
        except (StoreFull, StoreClosed):
            raise
        except Exception:
            said = "a bug: the execution cannot go on"
            self._log.exception(said, execution=execution, stimulus=stimulus)
            return False

    async def redrive(
        self,
        number: int,
        check: Callable[[ExecutionRow], None],
        token: str | None,
        also: Sequence[Change] = (),
    ) -> ExecutionRow:
        """Let an execution that has ended go on; its row, durable. ``check`` sees the row as it is
        then, and raises where it may not; ``also`` stands in the same unit. Raises ApiError
        ExecutionNotRedrivable, StoreFull."""
        entry = self._entries.setdefault(number, _Entry())
        entry.users += 1
        try:
            async with entry.lock:
                return await self._redrive(number, check, token, also)
        finally:
            entry.users -= 1
            if not entry.users:
                self._entries.pop(number, None)

    async def _redrive(
        self,
        number: int,
        check: Callable[[ExecutionRow], None],
        token: str | None,
        also: Sequence[Change],
    ) -> ExecutionRow:
        row = await self._store.execution_by_id(number)
        if row is None:
            raise ApiError("ExecutionDoesNotExist", "Execution Does Not Exist")
        check(row)
        folded, size = await self._fold(row)
        if folded.event_id >= MAX_EVENTS - 1:
            raise ApiError("ExecutionNotRedrivable", f"Execution Not Redrivable: '{HISTORY_FULL}'")
        at = self._now()
        nothing = {"stop_at": None, "output": None, "error": None, "cause": None}
        again = {"status": "RUNNING", "redrives": row.redrives + 1, "redriven_at": at}
        row = ExecutionRow(**{**row._asdict(), **nothing, **again})
        hot = await self._hot_of(row, folded, size)
        changes = [*also, RedriveExecution(number, at), *self._announce(row)]
        self.step(hot, stimuli.Redrive(row.redrives, token), changes)
        await self.commit([hot], changes)
        self.admit(hot)
        return row

    async def begin(self, hots: list[Hot], changes: list[Change]) -> None:
        """Write the first unit of executions, and keep them in memory. A reader may see one before
        the writer is told: who has heard of it so early waits, or there would be two of it."""
        begun = trio.Event()
        self._beginning.update((hot.row.id, begun) for hot in hots)
        try:
            await self.commit(hots, changes)
            for hot in hots:
                self.admit(hot)
        finally:
            for hot in hots:
                del self._beginning[hot.row.id]
            begun.set()

    def admit(self, hot: Hot) -> None:
        """Take an execution that was started or advanced into the cache, if it is worth it."""
        if hot.execution.status == "RUNNING" and not sleeps(hot.execution, self._now()):
            self._hot.keep(hot)
        else:
            self._hot.drop(hot.row.id)

    # ---------------------------------------------------------------- advancing
    async def _advance_bundle(self, execution: int, entry: _Entry, own: _Delivery) -> None:
        bundle, entry.waiting = entry.waiting, []
        try:
            await self._advance(execution, bundle)
        except BaseException:
            # The failure is the caller's who met it; the others try for themselves.
            entry.waiting[:0] = [delivery for delivery in bundle if delivery is not own]
            raise

    async def _advance(self, execution: int, bundle: list[_Delivery]) -> None:
        hot = await self._load(execution)
        if hot is None:
            for delivery in bundle:
                delivery.taken = False
            return
        changes: list[Change] = []
        before = hot.execution.sequence
        try:
            taken = [self.step(hot, each.stimulus, changes) for each in bundle]
            while hot.execution.ready and hot.execution.status == "RUNNING":
                await trio.lowlevel.checkpoint()
                self.step(hot, stimuli.Continue(), changes)
                if hot.execution.sequence - before >= UNIT_RECORDS:
                    break
            if changes:
                await self.commit([hot], changes)
        except BaseException:
            self._hot.drop(execution)
            raise
        self.admit(hot)
        for delivery, counted in zip(bundle, taken, strict=True):
            delivery.taken = counted

    def step(self, hot: Hot, stimulus: Stimulus, changes: list[Change]) -> bool:
        """Advance once and add what follows to ``changes``; whether the stimulus counted."""
        at = _timeout_of(hot.execution, stimulus) or self._now()
        witness = None if hot.log is None else hot.log.witness
        step = advance(
            hot.machine, hot.execution, stimulus, at, next(self._seeds),
            witness=witness, activity=self._catalog.activity,
        )  # fmt: skip
        if step.bug is not None:
            said = "a bug: the execution fails with States.Runtime"
            self._log.error(said, execution=hot.row.arn, stimulus=stimulus, exc_info=step.bug)
        rows, written = history_changes(hot.row.id, hot.execution, step, at)
        hot.bytes += written
        changes += rows
        return step.taken

    def finish(self, hot: Hot, changes: list[Change]) -> None:
        """Add the rows that a unit needs besides the history: effects, and the end if it has
        come."""
        changes += effect_changes(hot.row.id, hot.execution, self._now())
        running = hot.execution.status == "RUNNING"
        continues = running and bool(hot.execution.ready)
        if continues:
            # Also where the row stands: writing it again arms its timer again.
            changes.append(Upsert(continue_row(hot.row.id, self._now())))
        if hot.continues and not continues:
            changes.append(DeleteTimer(hot.row.id, 0, CONTINUE))
        hot.continues = continues
        if not running:
            end = end_change(hot.row.id, hot.execution)
            hot.row = hot.row._replace(**{n: getattr(end, n) for n in _END_MEMBERS})
            if not hot.fresh:
                changes.append(end)
        if hot.fresh:
            # One that ends in the unit in which it began is written once.
            changes.append(Insert(hot.row))
            hot.fresh = False

    async def commit(self, hots: list[Hot], changes: list[Change]) -> None:
        """Write one unit for executions that were advanced, and tell who waits for its rows."""
        for hot in hots:
            self.finish(hot, changes)
        ended = [hot.row for hot in hots if hot.execution.status != "RUNNING"]
        for row in ended:
            changes += self._announce(row)
        await self._store.commit(changes)
        for row in ended:
            self._hot.drop(row.id)
        self._committed(changes, ended)
        for hot in hots:
            if hot.log is not None:
                await hot.log.write(hot.row.redrives)

    # ------------------------------------------------------------------ loading
    async def _load(self, execution: int) -> Hot | None:
        hot = self._hot.get(execution)
        if hot is not None:
            return hot
        row = await self._store.execution_by_id(execution)
        if row is None or row.status != "RUNNING":
            return None
        folded, size = await self._fold(row)
        loaded = await self._hot_of(row, folded, size)
        timers = await self._store.execution_timers(execution)
        loaded.continues = any(timer.kind == CONTINUE for timer in timers)
        return loaded

    async def _hot_of(self, row: ExecutionRow, folded: Execution, size: int) -> Hot:
        folded.touched.clear()
        revision = await self._catalog.stored_revision(row.revision)
        log = execution_log(row, revision.settings)
        return Hot(row, await self.machine(row), folded, log=log, bytes=size)

    async def machine(self, row: ExecutionRow) -> StateMachine:
        """What the execution runs: its machine, or a part of one."""
        machine = await self._catalog.compiled(row.revision)
        label = row.machine_arn.partition("/")[2]
        return machine.maps[label] if label else machine

    async def fold(self, row: ExecutionRow) -> Execution:
        """The execution's state, from its history."""
        return (await self._fold(row))[0]

    async def _fold(self, row: ExecutionRow) -> tuple[Execution, int]:
        """The state, and the bytes of the history."""
        execution = await self.born(row)
        steps, size = await self._read(execution, row.id)
        for at, records in steps:
            for record in records:
                execution.apply(record, at)
        return execution, size

    async def born(self, row: ExecutionRow) -> Execution:
        """The execution before its first record."""
        revision = await self._catalog.stored_revision(row.revision)
        return newborn(row, revision.role_arn)

    async def _read(
        self, execution: Execution, number: int
    ) -> tuple[list[tuple[int, list[Record]]], int]:
        rows = await self._store.history(number)
        wanted = [n for row in rows for n in document_numbers(row.records)]
        documents = await self._store.documents(number, wanted) if wanted else {}
        execution.next_document = max(wanted, default=-1) + 1
        size = sum(len(row.records) for row in rows) + sum(map(len, documents.values()))
        return [(row.at, decode(row.records, row.format, documents)) for row in rows], size


async def _locked(lock: trio.Lock) -> None:
    """Take the lock. Whoever has to wait cannot be cancelled: the one before him may take his
    stimulus along. Nearly always it is free, and that costs no turn of the scheduler."""
    try:
        lock.acquire_nowait()
    except trio.WouldBlock:
        with trio.CancelScope(shield=True):
            await lock.acquire()


def _timeout_of(execution: Execution, stimulus: Stimulus) -> int | None:
    """When the machine's time was over, if that is what the stimulus says: AWS's TIMED_OUT is at
    exactly that moment, however late we look."""
    match stimulus:
        case stimuli.TimerFired(number, "execution"):
            timer = execution.effects.get((number, "execution"))
            return timer.due if isinstance(timer, Timer) else None
        case _:
            return None


def _seeds() -> Iterator[bytes]:
    """What the dice of each step come from: 16 bytes of the operating system, fetched by the
    hundred, since each call of it lets another thread take Python's lock."""
    while True:
        fetched = os.urandom(16 * 256)
        for place in range(0, len(fetched), 16):
            yield fetched[place : place + 16]


_END_MEMBERS: Final = ("status", "stop_at", "output", "error", "cause")


def newborn(row: ExecutionRow, role_arn: str) -> Execution:
    """An execution before its first record."""
    identity = Identity(
        *(row.arn, row.name, row.machine_arn, role_arn, row.start_at, row.input),
        version_arn=qualified(row.machine_arn, row.version),
        alias_arn=qualified(row.machine_arn, row.alias),
        id=row.id,
    )
    return Execution(identity, orjson.loads(row.input))
