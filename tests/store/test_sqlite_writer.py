"""Group commit: what shares a transaction, what fails alone, and what a failing disk does."""

from __future__ import annotations

import resource
import sqlite3
import threading
from pathlib import Path

import pytest
import trio
import trio.testing
from one_batch import commit_in_one_batch
from store_rows import execution, history, inserts, letter, timer

from gateway.store.changes import DeleteTimer, EndExecution, MoveTimer, Upsert
from gateway.store.failures import StoreClosed, StoreConflict, StoreFull
from gateway.store.protocol import Page
from gateway.store.rows import DocumentRow
from gateway.store.sqlite import open_sqlite


def move(path, target):
    """Another name for the file."""
    Path(path).rename(target)


async def test_what_is_queued_together_is_one_transaction(path):
    """The hook hears of one transaction for all units that gathered, and how long it took."""
    told = []
    async with open_sqlite(path, on_commit=lambda *args: told.append(args)) as store:
        units = [inserts(execution(n), history(n)) for n in range(1, 21)]
        assert await commit_in_one_batch(store, units) == [None] * 20
        assert await store.last_execution() == 20
    assert [units for units, _ in told] == [20]
    assert told[0][1] > 0


async def test_only_the_guilty_units_of_a_batch_fail(path):
    """Conflicts fail their own units; a later unit sees only what did not fail."""
    async with open_sqlite(path) as store:
        outcomes = await commit_in_one_batch(
            store,
            [
                inserts(execution(1), letter("a")),
                inserts(letter("b"), execution(1)),
                [EndExecution(1, "FAILED", 5, None, None, None)],
                [*inserts(letter("c")), EndExecution(1, "SUCCEEDED", 6, None, None, None)],
                inserts(letter("b")),
                inserts(execution(2, input="\ud800")),
                inserts(execution(3, start_at=1 << 64)),
                inserts(execution(4, input={})),
                inserts(execution(5)),
            ],
        )
        assert outcomes[:5] == [None, StoreConflict, None, StoreConflict, None]
        assert outcomes[5:8] == [UnicodeEncodeError, OverflowError, sqlite3.ProgrammingError]
        assert outcomes[8] is None
        assert (await store.execution_by_id(1)).status == "FAILED"
        assert [row.id for row in (await store.letters(None, Page(9)))[0]] == ["b", "a"]
        assert await store.last_execution() == 5


async def test_changes_of_one_table_keep_their_order(path):
    """Within a batch, insert, upsert and delete of the same key take effect as they were called."""
    async with open_sqlite(path) as store:
        await commit_in_one_batch(
            store,
            [
                inserts(execution(1), timer(1), timer(1, 2)),
                [DeleteTimer(1, 1, "wait"), Upsert(timer(1, 2, due=7)), Upsert(timer(1, 1, due=8))],
                [DeleteTimer(1, 2, "wait"), *inserts(timer(1, 3))],
                [EndExecution(1, "ABORTED", 9, None, None, None), DeleteTimer(1, 3, "wait")],
            ],
        )
        assert await store.execution_timers(1) == [timer(1, 1, due=8)]
        assert (await store.execution_by_id(1)).status == "ABORTED"


@pytest.mark.parametrize("dues", [(900, 500), (500, 900), (900, 500, 700)])
async def test_a_timer_that_is_moved_twice_in_a_batch_is_due_at_the_latest(path, dues):
    """None of the moves brings it back, in whatever order they come."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1), timer(1, due=100)))
        await commit_in_one_batch(store, [[MoveTimer(timer(1, due=due))] for due in dues])
        assert await store.execution_timers(1) == [timer(1, due=900)]


async def test_a_full_disk_is_told_and_got_over(path):
    """StoreFull to each caller, nothing of their units; the same units pass when there is room.
    Whoever asked is told of both turns."""
    told = []
    async with open_sqlite(path, on_full=told.append) as store:
        await store.commit(inserts(execution(1)))
        await store._writer.do(lambda c: c.execute("PRAGMA max_page_count = 60").fetchall())
        units = [inserts(execution(n), DocumentRow(n, 1, b"x" * 50_000)) for n in range(2, 9)]
        assert await commit_in_one_batch(store, units) == [StoreFull] * 7
        assert await store.last_execution() == 1
        with pytest.raises(StoreFull):
            await store.commit(inserts(DocumentRow(1, 1, b"x" * 500_000)))
        assert told == [True]
        await store._writer.do(lambda c: c.execute("PRAGMA max_page_count = 100000").fetchall())
        assert await commit_in_one_batch(store, units) == [None] * 7
        assert told[-1] is False
        assert await store.documents(8) == {1: b"x" * 50_000}


async def test_a_conflict_in_a_batch_that_fills_the_disk_writes_nothing(path):
    """A batch that is done again unit by unit and meets the full disk then is taken back whole."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1)))
        await store._writer.do(lambda c: c.execute("PRAGMA max_page_count = 60").fetchall())
        full = inserts(DocumentRow(1, 1, b"x" * 500_000))
        outcomes = await commit_in_one_batch(
            store, [inserts(letter("a")), inserts(execution(1)), full]
        )
        assert outcomes == [StoreFull] * 3
        assert await store.letter("a") is None
        await store.commit(inserts(letter("a")))


@pytest.fixture
def file_limit():
    """A way to make every write beyond so many bytes of any file fail."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


async def test_a_failing_disk_ends_the_store(path, file_limit):
    """Callers get StoreClosed, the body is cancelled, the context raises; nothing told is lost."""
    caught = []

    async def commit(store, unit):
        with pytest.raises(StoreClosed, match="cannot be written any more") as error:
            await store.commit(unit)
        caught.append(error.value)

    async def body(store):
        await store.commit(inserts(execution(1)))
        file_limit(400_000)
        async with trio.open_nursery() as nursery:
            for n in range(2, 5):
                nursery.start_soon(commit, store, inserts(DocumentRow(n, 1, b"x" * 400_000)))
        await trio.sleep_forever()

    with pytest.raises(StoreClosed, match="has failed: disk I/O error") as error:
        async with open_sqlite(path) as store:
            await body(store)
    assert isinstance(error.value.__cause__, sqlite3.OperationalError)
    assert [type(error.__cause__) for error in caught] == [sqlite3.OperationalError] * 3
    with pytest.raises(StoreClosed):
        await store.commit([])
    file_limit(resource.RLIM_INFINITY)
    async with open_sqlite(path) as store:
        assert await store.last_execution() == 1


async def test_those_behind_a_failure_are_told(path):
    """Units that were queued while the disk failed do not wait for ever."""
    gate = threading.Event()

    def broken(_connection):
        gate.wait()
        raise sqlite3.OperationalError("disk I/O error")

    async def refused(store, work):
        with pytest.raises(StoreClosed):
            await store._writer.do(work)

    async def body(store):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(refused, store, broken)
            await trio.testing.wait_all_tasks_blocked()
            for n in range(1, 4):
                nursery.start_soon(refused, store, inserts(execution(n)))
            await trio.testing.wait_all_tasks_blocked()
            gate.set()

    with pytest.raises(StoreClosed, match="has failed: disk I/O error"):
        async with open_sqlite(path) as store:
            await body(store)


async def test_a_failing_read_ends_the_store(path):
    """A disk that cannot be read is no bug of the reader's: the whole store ends."""

    def broken(_connection):
        raise sqlite3.DatabaseError("database disk image is malformed")

    async def body(store):
        with pytest.raises(StoreClosed):
            await store._read(broken)
        await trio.sleep_forever()

    with pytest.raises(StoreClosed, match="malformed"):
        async with open_sqlite(path) as store:
            await body(store)


async def test_a_wrong_question_does_not_end_the_store(path):
    """A value that SQLite cannot hold raises at the caller, and the store goes on."""
    async with open_sqlite(path) as store:
        with pytest.raises(sqlite3.ProgrammingError):
            await store.task({}, 1)
        with pytest.raises(UnicodeEncodeError):
            await store.letter("\ud800")
        await store.commit(inserts(execution(1)))
        assert await store.last_execution() == 1


async def test_reads_see_whole_units_while_others_write(path):
    """However reads and commits interleave, an execution is never seen without its history."""
    async with open_sqlite(path) as store:
        done = trio.Event()

        async def write():
            for n in range(1, 101):
                await store.commit(inserts(execution(n), history(n)))
            done.set()

        async def read():
            while not done.is_set():
                newest = await store.last_execution()
                assert not newest or await store.history(newest)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            for _ in range(5):
                nursery.start_soon(read)


async def lose(path, end, target):
    """One of the files that are open gets another name between two commits."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1)))
        move(f"{path}{end}", target)
        with pytest.raises(StoreClosed):
            await store.commit(inserts(execution(2)))
        await trio.sleep_forever()


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
async def test_files_that_are_removed_while_they_are_open_end_the_store(
    path, tmp_path, monkeypatch, end
):
    """Nobody is told of a commit that goes there, and nothing of what was told before is lost: it
    is in the database, wherever that is now."""
    monkeypatch.setattr("gateway.store.sqlite.wal.LOOK_SECONDS", 0.0)
    target = tmp_path / "away.db"
    with pytest.raises(StoreClosed, match=f"{path}{end} was removed or replaced"):
        await lose(path, end, target)
    async with open_sqlite(path if end else str(target)) as store:
        assert await store.last_execution() in {1, 2}
