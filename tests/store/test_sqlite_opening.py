"""Opening and closing a database file: who may, what is in the way, and what is found again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from store_rows import execution, history, inserts, timer

from gateway.store.failures import StoreBusy, StoreClosed, StoreTooNew, StoreUnusable
from gateway.store.sqlite import open_sqlite
from gateway.store.sqlite.schema import MIGRATIONS
from gateway.store.sqlite.statements import TABLES

COMPANIONS = ("", "-wal", "-shm", ".lock")


def mode(path):
    """The permissions of a file."""
    return stat.S_IMODE(Path(path).stat().st_mode)


def share(path):
    """Let everybody read the file."""
    Path(path).chmod(0o644)


def write(path, content):
    """Put the content into the file."""
    Path(path).write_bytes(content)


def content(path):
    """What is in the file."""
    return Path(path).read_bytes()


def remove(path):
    """Delete the file."""
    Path(path).unlink()


def linked(path, link):
    """Another name of the file."""
    link.hardlink_to(path)
    return str(link)


def ask(path, sql):
    """The rows of a query, asked as anybody with the file could."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


OPEN = """
import sys, trio
from gateway.store.failures import StoreUnusable
from gateway.store.sqlite import open_sqlite

async def main():
    async with open_sqlite(sys.argv[1]):
        print("opened")

try:
    trio.run(main)
except StoreUnusable as refusal:
    print(refusal)
"""


def open_elsewhere(path):
    """What another process says that opens it: one of this would take SQLite's locks with it."""
    return subprocess.run(
        [sys.executable, "-c", OPEN, path], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def open_umask():
    """The umask that protects nothing."""
    before = os.umask(0)
    yield
    os.umask(before)


async def test_what_was_committed_is_there_after_reopening(path):
    """Closing and opening again changes no row."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1), history(1), timer(1)))
    async with open_sqlite(path) as store:
        assert await store.execution_by_id(1) == execution(1)
        assert await store.history(1) == [history(1)]
        assert await store.execution_timers(1) == [timer(1)]


async def test_what_is_queued_at_the_end_is_written(path):
    """A commit that is under way when the body is cancelled is still durable."""
    async with open_sqlite(path) as store, trio.open_nursery() as nursery:
        for n in range(1, 50):
            nursery.start_soon(store.commit, inserts(execution(n)))
        await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    async with open_sqlite(path) as store:
        assert await store.last_execution() == 49


async def test_a_closed_store_takes_nothing(path):
    """Committing after the end raises StoreClosed instead of waiting for ever."""
    async with open_sqlite(path) as store:
        pass
    with pytest.raises(StoreClosed):
        await store.commit(inserts(execution(1)))


async def fail_after_a_commit(store):
    """What a body with a bug does."""
    await store.commit(inserts(execution(1)))
    raise ZeroDivisionError


async def test_an_error_of_the_body_passes_as_it_is(path):
    """The context wraps nothing and leaves a database that opens again."""
    with pytest.raises(ZeroDivisionError):
        async with open_sqlite(path) as store:
            await fail_after_a_commit(store)
    async with open_sqlite(path) as store:
        assert await store.last_execution() == 1


@pytest.mark.usefixtures("open_umask")
async def test_only_the_owner_may_read_the_files(path):
    """The database, its companions and its lock have mode 0600, whatever the umask."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1)))
        assert [mode(path + end) for end in COMPANIONS] == [0o600] * 4


async def test_a_file_that_others_could_read_is_made_private(path):
    """An older file, as one put back from a backup, gets mode 0600 when it is opened."""
    async with open_sqlite(path):
        pass
    share(path)
    async with open_sqlite(path):
        assert mode(path) == 0o600


async def test_a_database_is_held_by_one(path, tmp_path):
    """A second opening, by whatever path, is refused and told which process holds it."""
    (tmp_path / "link.db").symlink_to(path)
    async with open_sqlite(path) as store:
        for other in (path, str(tmp_path / "link.db")):
            with pytest.raises(StoreBusy, match=f"is held by process {os.getpid()}"):
                async with open_sqlite(other):
                    pass
        await store.commit(inserts(execution(1)))
    async with open_sqlite(path) as store:
        assert await store.last_execution() == 1


@pytest.mark.parametrize("other", ["hard link", "no lock file"])
async def test_a_database_is_held_by_one_whatever_becomes_of_its_lock_file(path, tmp_path, other):
    """A hard link has another lock file, and one that is removed is made anew: refused as well."""
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1)))
        if other == "hard link":
            link = linked(path, tmp_path / "hard.db")
        else:
            link = path
            remove(f"{path}.lock")
        opened = await trio.to_thread.run_sync(open_elsewhere, link)
        assert f"{link} is held by another process" in opened
        await store.commit(inserts(execution(2)))
    async with open_sqlite(path) as store:
        assert await store.last_execution() == 2


async def test_a_backup_beside_the_wal_of_a_killed_daemon_is_refused(path, tmp_path):
    """Nothing of that WAL gets into the backup; without it, what was saved is there."""
    copy, killed = tmp_path / "copy.db", tmp_path / "killed.db"
    async with open_sqlite(path) as store:
        await store.commit(inserts(execution(1)))
        await store.backup(str(copy))
        for n in range(2, 200):
            await store.commit(inserts(execution(n)))
        shutil.copy(f"{path}-wal", f"{killed}-wal")
    shutil.copy(copy, killed)
    with pytest.raises(StoreUnusable, match=f"{killed}-wal belongs to the database .* move it"):
        async with open_sqlite(str(killed)):
            pass
    assert content(killed) == content(copy)
    remove(f"{killed}-wal")
    async with open_sqlite(str(killed)) as store:
        assert await store.last_execution() == 1


async def test_a_database_from_the_future_is_refused(path):
    """A schema version that is not known yet raises StoreTooNew and changes nothing."""
    async with open_sqlite(path):
        pass
    ask(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    with pytest.raises(StoreTooNew, match=f"schema version {len(MIGRATIONS) + 1}"):
        async with open_sqlite(path):
            pass
    assert ask(path, "PRAGMA user_version") == [(len(MIGRATIONS) + 1,)]


async def test_a_refused_database_is_not_held(path):
    """After a refusal the lock is free and the file can be opened when it is fit again."""
    await test_a_database_from_the_future_is_refused(path)
    ask(path, f"PRAGMA user_version = {len(MIGRATIONS)}")
    async with open_sqlite(path):
        pass


async def test_somebody_elses_database_is_refused(path):
    """A SQLite file that is not Stategate's is left alone."""
    ask(path, "CREATE TABLE theirs (x)")
    with pytest.raises(StoreUnusable, match="not one of Stategate"):
        async with open_sqlite(path):
            pass
    assert ask(path, "SELECT name FROM sqlite_schema") == [("theirs",)]


async def test_a_file_that_is_no_database_is_refused(path):
    """The message names the file and says what it is not; the file is left alone."""
    write(path, b"orders.yaml\n" * 1_000)
    with pytest.raises(StoreUnusable, match=f"{path} cannot be used: file is not a database"):
        async with open_sqlite(path):
            pass
    assert content(path) == b"orders.yaml\n" * 1_000


async def test_a_path_that_cannot_be_written_is_refused(tmp_path):
    """The message says why, and what must be there."""
    (tmp_path / "folder").mkdir()
    cases = {"missing/s.db": "No such file or directory", "folder": "Is a directory"}
    for name, reason in cases.items():
        with pytest.raises(StoreUnusable, match=f"{name} cannot be used: {reason}; its directory"):
            async with open_sqlite(str(tmp_path / name)):
                pass


async def test_the_database_is_durable_and_gives_back_space(path):
    """WAL with full sync, no foreign keys, incremental vacuum."""
    async with open_sqlite(path) as store:

        def settings(connection):
            names = ("journal_mode", "synchronous", "foreign_keys", "auto_vacuum")
            return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

        assert await store._writer.do(settings) == ["wal", 2, 0, 2]


async def test_tables_have_the_columns_of_their_rows(path):
    """Each row of the protocol is a table's row; no column is without a member."""
    async with open_sqlite(path):
        pass
    for row, table in TABLES.items():
        columns = {name for (name,) in ask(path, f"SELECT name FROM pragma_table_info('{table}')")}
        assert columns == set(row._fields), table
