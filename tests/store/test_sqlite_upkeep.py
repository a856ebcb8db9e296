"""The backup, and giving back the space of what was swept."""

from __future__ import annotations

import os
import sqlite3
import stat

import pytest
import trio
from store_rows import execution, inserts

from gateway.errors import Rejected
from gateway.store.failures import StoreFull
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.rows import DocumentRow
from gateway.store.sqlite import open_sqlite, upkeep


async def test_a_backup_is_a_whole_store(path, tmp_path):
    """It holds what was committed, opens as a store, is private, and replaces an older one."""
    copy = tmp_path / "copy.db"
    async with open_sqlite(path) as store:
        for n in (1, 2):
            await store.commit(inserts(execution(n)))
            await store.backup(str(copy))
        await store.commit(inserts(execution(3)))
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.glob("copy*")) == ["copy.db"]
    async with open_sqlite(str(copy)) as store:
        listing = await store.executions(ExecutionFilter(), Page(9))
        assert [row.id for row in listing.rows] == [2, 1]


async def test_a_backup_is_consistent_while_others_write(path, tmp_path):
    """A unit that is committed meanwhile is in the copy whole or not at all."""
    async with open_sqlite(path) as store, trio.open_nursery() as nursery:

        async def write():
            for n in range(1, 1_000):
                await store.commit(inserts(execution(n), DocumentRow(n, 1, b"x" * 5_000)))

        nursery.start_soon(write)
        for n in range(3):
            await store.backup(str(tmp_path / f"{n}.db"))
        nursery.cancel_scope.cancel()
    for n in range(3):
        async with open_sqlite(str(tmp_path / f"{n}.db")) as store:
            last = await store.last_execution()
            assert all([await store.documents(i) for i in range(1, last + 1)])
            assert await store.documents(last + 1) == {}


@pytest.mark.parametrize("end", ["", "-wal", "-shm", ".lock"])
async def test_a_backup_never_overwrites_the_database(path, end):
    """The database's own files are refused as a target."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1)))
        with pytest.raises(Rejected, match="belongs to the database itself"):
            await store.backup(path + end)
        assert await store.last_execution() == 1


@pytest.mark.parametrize("target", ["real/store.db", "link/store.db", "real/../link/store.db-wal"])
@pytest.mark.parametrize("held", ["link/store.db", "real/../real/store.db"])
async def test_a_backup_knows_the_database_by_all_its_names(tmp_path, held, target):
    """A daemon under systemd has its database below a link: the file is refused all the same."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    async with open_sqlite(f"{tmp_path}/{held}"):
        with pytest.raises(Rejected, match="belongs to the database itself"):
            upkeep.copy_database(f"{tmp_path}/{held}", f"{tmp_path}/{target}")


async def test_a_backup_replaces_nothing_but_files(path, tmp_path):
    """A pipe, and so /dev/null, stays what it is."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    async with open_sqlite(path) as store:
        with pytest.raises(Rejected, match="is no file that a copy could replace"):
            await store.backup(str(pipe))
    assert pipe.is_fifo()


async def test_a_backup_that_cannot_be_written_says_why(path, tmp_path):
    """A missing directory is told, and leaves nothing behind."""
    async with open_sqlite(path) as store:
        with pytest.raises(Rejected, match="No such file or directory"):
            await store.backup(str(tmp_path / "missing" / "copy.db"))


async def test_upkeep_on_a_full_disk_is_told_and_got_over(path):
    """Work beside the units that finds no room raises StoreFull, and the store goes on."""

    def full(_connection):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1, status="FAILED", stop_at=1)))
        with pytest.raises(StoreFull):
            await store._writer.do(full)
        assert await store.sweep(9, 9) == 1


async def test_swept_space_is_given_back(path, monkeypatch):
    """A sweep works in batches and shrinks the file, but for a share of free pages."""
    monkeypatch.setattr(upkeep, "SWEEP_EXECUTIONS", 10)

    async def pages(store):
        return await store._writer.do(lambda c: c.execute("PRAGMA page_count").fetchone()[0])

    async with open_sqlite(path) as store:
        for n in range(1, 36):
            ended = execution(n, status="FAILED", stop_at=n)
            await store.commit(inserts(ended, DocumentRow(n, 1, b"x" * 50_000)))
        before = await pages(store)
        assert await store.sweep(99, 25) == 25
        assert await store.sweep(99, 25) == 10
        assert await pages(store) < before / 2
        assert await store.last_execution() == 35
