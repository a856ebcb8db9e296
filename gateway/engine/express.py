"""Executions of Express machines: the same core over rows in memory.

An asynchronous one has one durable row, its name and input, which goes in the unit that holds what
its end is to tell; after a crash it runs again from its start. A synchronous one has nothing on
disk: who asked for it waits for it. Names are not unique, and no history is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbits
from typing import Final, NamedTuple
from uuid import uuid4

import structlog
import trio

from gateway.asl import stimuli
from gateway.asl.stimuli import Stimulus
from gateway.engine.catalog import Catalog
from gateway.engine.door import FULL_RETRY_SECONDS, Committed, Door, newborn
from gateway.engine.execution_log import execution_log
from gateway.engine.histories import Histories
from gateway.engine.hot import Hot
from gateway.engine.publications import Target
from gateway.engine.timers import Timers
from gateway.errors import ApiError
from gateway.store.changes import Change, DeleteExpress, Insert, Unit
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.map_runs import MapRunRow, machine_of
from gateway.store.memory import MemoryStore
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow, ExpressRow, NotificationRow, TimerRow

LONGEST_MS: Final = 300_000
"""No Express execution runs for longer than five minutes."""
RUNNING_MAX: Final = 10_000
"""They live in memory, which is bounded."""
_EXPIRE: Final = "expire"
_ID_BITS: Final = 62


class ExpressStart(NamedTuple):
    """An Express execution that is wanted."""

    target: Target
    name: str | None
    input: str
    """JSON text, checked by the caller."""
    trace: str | None


class _Rows(MemoryStore):
    """The rows of what runs. What must outlive the process goes to the durable store first, so that
    a unit that finds the disk full has changed nothing."""

    def __init__(self, durable: Store) -> None:
        super().__init__(unique_names=False)
        self._durable = durable

    async def commit(self, unit: Unit) -> None:
        """Write the unit. Raises StoreFull and StoreClosed."""
        lasting = _lasting(unit)
        if lasting:
            await self._durable.commit(lasting)
        await super().commit([change for change in unit if not _lasts(change)])


def _lasts(change: Change) -> bool:
    match change:
        case DeleteExpress() | Insert(ExpressRow() | NotificationRow()):
            return True
        case _:
            return False


def _lasting(unit: Unit) -> list[Change]:
    """What is to be written to the disk; one that ends in the unit in which it began has no row."""
    brief = {_begun(change) for change in unit} & {_gone(change) for change in unit} - {None}
    return [c for c in unit if _lasts(c) and not brief & {_begun(c), _gone(c)}]


def _begun(change: Change) -> int | None:
    match change:
        case Insert(ExpressRow(id=identity)):
            return identity
        case _:
            return None


def _gone(change: Change) -> int | None:
    return change.id if isinstance(change, DeleteExpress) else None


class Express:
    """Runs the executions of Express machines."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        now: Callable[[], int],
        *,
        announce: Callable[[ExecutionRow], list[Insert]],
        committed: Committed,
    ) -> None:
        """``announce`` gives the notifications of an execution's status; ``committed`` hears of
        every unit, without its timers, and which executions ended in it."""
        self.rows = _Rows(store)
        self.door = Door(self.rows, catalog, now, committed=self._committed, announce=self._end)
        self.histories = Histories(self.rows, self.door.born)
        self._store = store
        self._catalog = catalog
        self._now = now
        self._announce = announce
        self._told = committed
        self._timers = Timers(self.rows, now, self._fire)
        self._running: set[int] = set()
        self._synchronous: set[int] = set()
        """Those of which nobody is told but who waits, and nobody if he has gone; also the children
        of map runs."""
        self._waited_for: dict[int, trio.Event] = {}
        self._ended: dict[int, ExecutionRow] = {}
        self._log = structlog.get_logger("express")

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run again what a crash has cut off, then fire timers, until cancelled.

        Started when it knows what that is: only then may others begin.
        """
        cut_off = await self._store.express()
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._timers.run)
            for row in cut_off:
                await self._again(row)

    async def start(self, wanted: ExpressStart) -> ExecutionRow:
        """Begin an asynchronous execution; durable when it returns.

        Raises ApiError ExecutionLimitExceeded, StateMachineDoesNotExist, StateMachineDeleting.
        """
        with self._catalog.starting({wanted.target.machine_arn}):
            row = await self._row(wanted)
            kept = ExpressRow(**{name: getattr(row, name) for name in ExpressRow._fields})
            await self._begin(row, [Insert(kept), *self._announce(row)])
        return row

    async def start_sync(self, wanted: ExpressStart) -> ExecutionRow:
        """Run an execution to its end, whose row it returns. Raises ApiError as ``start``."""
        return await self._to_its_end(await self._row(wanted))

    async def _to_its_end(self, row: ExecutionRow) -> ExecutionRow:
        ended = self._waited_for[row.id] = trio.Event()
        self._synchronous.add(row.id)
        try:
            await self._begin(row, [])
            await ended.wait()
            return self._ended[row.id]
        finally:
            # Who waits may go at any moment, also when it has just ended.
            del self._waited_for[row.id]
            self._ended.pop(row.id, None)

    # ------------------------------------------------------- children of a map run
    def child(
        self,
        run: MapRunRow,
        parent: ExecutionRow,
        name: str,
        input: str,  # noqa: A002
    ) -> ExecutionRow:
        """One that is to begin with this JSON text."""
        machine_arn = machine_of(run)
        return ExecutionRow(
            id=self._new_id(),
            arn=self._catalog.arns.express(machine_arn.rpartition(":")[2], name),
            machine_arn=machine_arn,
            name=name,
            revision=parent.revision,
            start_at=self._now(),
            input=input,
            trace=parent.trace,
        )

    async def run_child(self, row: ExecutionRow) -> ExecutionRow:
        """Run it to its end, whose row it returns."""
        return await self._to_its_end(row)

    async def stop_child(self, identity: int) -> None:
        """End it, if it still runs."""
        await self.door.handle_for_pump(identity, stimuli.Stop(None, None))

    def _new_id(self) -> int:
        return -1 - randbits(_ID_BITS)

    async def _row(self, wanted: ExpressStart) -> ExecutionRow:
        if len(self._running) >= RUNNING_MAX:
            message = f"No more than {RUNNING_MAX} Express executions run at a time"
            raise ApiError("ExecutionLimitExceeded", message)
        arn, version, alias = wanted.target
        machine = self._catalog.active_machine(arn)
        revision = await self._catalog.revision(arn, version)
        name = wanted.name or str(uuid4())
        return ExecutionRow(
            id=self._new_id(),
            arn=self._catalog.arns.express(machine.name, name),
            machine_arn=arn,
            name=name,
            revision=revision.id,
            start_at=self._now(),
            input=wanted.input,
            trace=wanted.trace,
            version=version,
            alias=alias,
        )

    async def _again(self, kept: ExpressRow) -> None:
        row = ExecutionRow(**kept._asdict())
        while True:
            try:
                await self._begin(row, [])
            except StoreFull:
                await trio.sleep(FULL_RETRY_SECONDS)
                continue
            except StoreClosed:
                raise
            except Exception:
                said = "an Express execution cannot be run again"
                self._log.exception(said, execution=row.arn)
            return

    async def _begin(self, row: ExecutionRow, changes: list[Change]) -> None:
        self._running.add(row.id)
        try:
            revision = await self._catalog.stored_revision(row.revision)
            machine = await self.door.machine(row)
            log = execution_log(row, revision.settings)
            hot = Hot(row, machine, newborn(row, revision.role_arn), fresh=True, log=log)
            self.door.step(hot, stimuli.Start(), changes)
            if hot.execution.status == "RUNNING":
                due = self._now() + LONGEST_MS
                changes.append(Insert(TimerRow(row.id, 0, _EXPIRE, due, LONGEST_MS)))
            await self.door.begin([hot], changes)
        except BaseException:
            self._forget(row.id)
            raise

    # ---------------------------------------------------- what a unit sets in motion
    def _end(self, row: ExecutionRow) -> list[Change]:
        if row.id in self._synchronous:
            return []
        return [DeleteExpress(row.id), *self._announce(row)]

    def _committed(self, unit: list[Change], ended: list[ExecutionRow]) -> None:
        self._timers.committed(unit)
        for row in ended:
            self.rows.forget(row.id)
            self._forget(row.id)
            waiting = self._waited_for.get(row.id)
            if waiting is not None:
                self._ended[row.id] = row
                waiting.set()
        timeless = [each for each in unit if not _is_timer(each)]
        self._told(timeless, ended)

    def _forget(self, execution: int) -> None:
        self._running.discard(execution)
        self._synchronous.discard(execution)

    async def _fire(self, row: TimerRow) -> bool:
        stimulus: Stimulus = stimuli.TimerFired(row.number, row.kind, row.due)
        if row.number == 0:
            stimulus = stimuli.Expire() if row.kind == _EXPIRE else stimuli.Continue()
        return await self.door.handle(row.execution, stimulus)


def _is_timer(change: Change) -> bool:
    return isinstance(getattr(change, "row", None), TimerRow)
