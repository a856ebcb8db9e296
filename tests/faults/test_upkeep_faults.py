"""File calls besides those of the commits: the checkpoint, the backup."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from tests.faults.power import Platter
from tests.faults.shim import Action, Call, File, Place, Shim, entries

pytestmark = pytest.mark.slow

SWEEPER = """
import sys
import trio
from gateway.store.changes import (MovePosition)
from gateway.store.rows import (PositionRow)
from gateway.store.sqlite import open_sqlite

async def main():
    async with open_sqlite(sys.argv[1]) as store:
        await store.commit([MovePosition(PositionRow("s", "t", 0, 1))])
        print("committed", flush=True)
        sys.stdin.readline()
        try:
            await store.sweep(0, 1)
            print("swept", flush=True)
        except Exception as error:
            print(type(error).__name__, error, flush=True)
        sys.stdin.readline()
        await store.commit([MovePosition(PositionRow("s", "t", 0, 2))])
        print("committed", flush=True)

trio.run(main)
"""


def sweep_under(shim: Shim, database: Path, place: Place, action: Action) -> list[str]:
    """What a store says that is swept while the calls fail, and then, when they do not, goes on."""
    environment = {**os.environ, **shim.environment}
    command = [sys.executable, "-c", SWEEPER, str(database)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "committed\n"
        shim.arm(place, action, 1, lasting=True)
        process.stdin.write("\n")
        process.stdin.flush()
        said = process.stdout.readline()
        shim.disarm()
        rest, _ = process.communicate("\n", timeout=60)
    return [said.strip(), rest.strip()]


def test_a_checkpoint_that_fails_is_heard_of(tmp_path, library):
    """SQLite keeps that of its own checkpoints to itself; ours ends the store on a broken disk, and
    tells of a full one, which is got over."""
    (tmp_path / "disk").mkdir()
    database = tmp_path / "disk" / "s.db"
    shim = Shim(library, tmp_path / "disk", beside=tmp_path)
    for place in (Place(Call.WRITE, File.DATABASE), Place(Call.SYNC, File.DATABASE)):
        said = sweep_under(shim, database, place, Action.IO_ERROR)
        assert said == ["StoreClosed the database cannot be written any more: disk I/O error", ""]
    said = sweep_under(shim, database, Place(Call.WRITE, File.DATABASE), Action.DISK_FULL)
    assert said[0].startswith("StoreFull")
    assert said[1] == "committed"


@pytest.fixture
def database(tmp_path):
    """A file with half a megabyte of rows, in a directory of its own."""
    (tmp_path / "held").mkdir()
    path = tmp_path / "held" / "faults.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE rows (x)")
        connection.executemany("INSERT INTO rows VALUES (?)", [("x" * 5_000,)] * 100)
    return path


def back_up(shim: Shim, database: Path, copy: Path) -> subprocess.CompletedProcess[str]:
    """``stategate backup``, under the shim."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", "backup", str(copy), "--database", str(database)],
        capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, **shim.environment},
    )  # fmt: skip


def rows(copy: Path) -> int:
    """How many rows a whole copy has."""
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        count: int = connection.execute("SELECT count(*) FROM rows").fetchone()[0]
    return count


def test_a_backup_that_fails_leaves_the_old_one(tmp_path, library, database):
    """Whatever call fails: exit code 1, the file's name and the reason, no half of a copy, and the
    older one as it was."""
    folder = tmp_path / "backups"
    folder.mkdir()
    shim, copy = Shim(library, folder, beside=tmp_path), folder / "copy"
    assert back_up(shim, database, copy).returncode == 0
    counted = shim.calls()
    before = copy.read_bytes()
    for place, action in (
        (Place(Call.OPEN, File.COPY), Action.DISK_FULL),
        (Place(Call.WRITE, File.COPY), Action.DISK_FULL),
        (Place(Call.WRITE, File.COPY), Action.SHORT_THEN_FULL),
        (Place(Call.WRITE, File.COPY), Action.IO_ERROR),
        (Place(Call.SYNC, File.COPY), Action.IO_ERROR),
        (Place(Call.RENAME, File.COPY), Action.IO_ERROR),
    ):
        nth = (counted[place] + 1) // 2
        assert nth, f"a backup has no {place}"
        shim.arm(place, action, nth)
        done = back_up(shim, database, copy)
        assert shim.hits, place
        assert done.returncode == 1, f"{place} {action.name}: {done.stdout}{done.stderr}"
        assert f"the backup cannot be written to {copy}: " in done.stderr.replace("\n", " ")
        assert "Traceback" not in done.stderr
        assert [path.name for path in folder.iterdir()] == ["copy"]
        assert copy.read_bytes() == before
    shim.disarm()


def test_a_backup_that_was_reported_survives_a_loss_of_power(tmp_path, library, database):
    """When the command has ended, the copy has its name and is whole on the disk."""
    folder, cut = tmp_path / "backups", tmp_path / "cut"
    folder.mkdir()
    cut.mkdir()
    shim = Shim(library, folder, beside=tmp_path, log=True)
    assert back_up(shim, database, folder / "copy").returncode == 0
    platter = Platter(Random(3))
    for entry in entries(shim.log):
        platter.feed(entry)
    for _ in range(20):
        platter.lose_power(cut)
        assert rows(cut / "copy") == 100
        (cut / "copy").unlink()
