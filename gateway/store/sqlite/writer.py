"""The one thread that writes: what is queued while a transaction runs is the next transaction.

The thread lives as long as the store. Callers are trio tasks; they are woken by one callback for a
whole batch, and cancelling one of them takes nothing back.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, takewhile
from queue import Empty, SimpleQueue
from time import perf_counter
from typing import Any, TypeAlias, cast

import outcome
import trio

from gateway.store.changes import Unit
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.sqlite.batch import full_disk_told, write_batch

OnCommit: TypeAlias = Callable[[int, float], None]
"""Called on the writer's thread after each transaction: how many units, in how many seconds."""
OnFull: TypeAlias = Callable[[bool], None]
"""Called in trio's thread when the disk has become full (True) and when it has room again."""
Chore: TypeAlias = Callable[[sqlite3.Connection], Any]
"""Upkeep, run by itself between two batches; it begins and commits its own transaction."""

BATCH_UNITS = 1_000
"""At most so many units share a transaction, so that none waits long for its fellows."""


@dataclass(slots=True, eq=False)
class _Job:
    work: Unit | Chore
    task: trio.lowlevel.Task


_Result: TypeAlias = "outcome.Value[Any] | outcome.Error"
_Settled: TypeAlias = list[tuple[_Job, _Result]]


class Writer:
    """Owns the connection that writes, and its thread."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        check_files: Callable[[], None],
        on_failure: Callable[[BaseException], None],
        on_commit: OnCommit | None,
        on_full: OnFull | None,
    ) -> None:
        self._connection = connection
        self._check_files = check_files
        self._on_failure = on_failure
        self._on_commit = on_commit
        self._on_full = on_full
        self._full = False
        self.begun: float | None = None
        """When the transaction that is under way was begun (``perf_counter``)."""
        self._token = trio.lowlevel.current_trio_token()
        self._queue: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed: str | None = None
        self._cause: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def do(self, work: Unit | Chore) -> Any:
        """Queue the work at once and return when it is durable; see ``Store.commit``."""
        if self._closed is not None:
            await trio.lowlevel.checkpoint()
            raise self._refusal()
        self._queue.put(_Job(work, trio.lowlevel.current_task()))
        return await trio.lowlevel.wait_task_rescheduled(lambda _: trio.lowlevel.Abort.FAILED)

    async def close(self) -> None:
        """Write what is queued and end the thread."""
        self._closed = self._closed or "the store has been closed"
        self._queue.put(None)
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._thread.join)

    def _refusal(self) -> StoreClosed:
        refusal = StoreClosed(self._closed)
        refusal.__cause__ = self._cause
        return refusal

    # ----------------------------------------------------------------- in the thread

    def _run(self) -> None:
        pending: deque[_Job] = deque()
        try:
            while self._gather(pending):
                self.begun = perf_counter()
                settled = self._write(pending)
                self._stay_in_place()
                self.begun = None
                for _ in settled:
                    pending.popleft()
                self._token.run_sync_soon(self._finish, settled)
        except BaseException as error:  # Whatever it is, nobody may wait for ever.
            with suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._fail, list(pending), error)
        finally:
            self._connection.close()

    def _stay_in_place(self) -> None:
        """Where the files were removed, nobody is told of anything any more. All of it gets into
        the database while SQLite has them open."""
        try:
            self._check_files()
        except OSError:
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
            raise

    def _gather(self, pending: deque[_Job]) -> bool:
        """Add all that is queued, waiting only where nothing is pending; False at the end."""
        try:
            while (job := self._queue.get(block=not pending)) is not None:
                pending.append(job)
        except Empty:
            return True
        self._queue.put(None)  # It stays the last until nothing is before it.
        return bool(pending)

    def _write(self, pending: deque[_Job]) -> _Settled:
        """Do the first chore, or the units up to the next one."""
        chore = pending[0].work
        if callable(chore):
            return [(pending[0], self._do(chore))]
        jobs = list(takewhile(lambda job: not callable(job.work), islice(pending, BATCH_UNITS)))
        begun = perf_counter()
        results = self._commit([cast(Unit, job.work) for job in jobs])
        if self._on_commit is not None:
            written = sum(isinstance(result, outcome.Value) for result in results)
            self._on_commit(written, perf_counter() - begun)
        return list(zip(jobs, results, strict=True))

    def _do(self, chore: Chore) -> _Result:
        try:
            with full_disk_told(self._connection):
                return outcome.Value(chore(self._connection))
        except StoreFull as error:
            return outcome.Error(error)

    def _commit(self, units: list[Unit]) -> list[_Result]:
        try:
            failures = write_batch(self._connection, units)
        except StoreFull as error:
            # One exception each: those who catch one add their own traceback to it.
            return [outcome.Error(StoreFull(*error.args)) for _ in units]
        return [
            outcome.Error(failures[place]) if place in failures else outcome.Value(None)
            for place in range(len(units))
        ]

    # --------------------------------------------------------------- in trio's thread

    def _finish(self, settled: _Settled) -> None:
        full = any(_found_full(result) for _, result in settled)
        if full != self._full:
            self._full = full
            if self._on_full is not None:
                self._on_full(full)
        _settle(settled)

    def _fail(self, jobs: list[_Job], error: BaseException) -> None:
        """The disk is broken: nobody's unit is acknowledged any more, and the store ends."""
        self._closed, self._cause = f"the database cannot be written any more: {error}", error
        with suppress(Empty):
            while job := self._queue.get_nowait():
                jobs.append(job)
        _settle([(job, outcome.Error(self._refusal())) for job in jobs])
        self._on_failure(error)


def _found_full(result: _Result) -> bool:
    return isinstance(result, outcome.Error) and isinstance(result.error, StoreFull)


def _settle(settled: _Settled) -> None:
    for job, result in settled:
        trio.lowlevel.reschedule(job.task, result)
