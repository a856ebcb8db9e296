"""What a database holds, looked at on a copy, and whether it is all that was promised."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import trio

from gateway.daemon.clock import now
from gateway.engine.catalog import Catalog
from gateway.engine.door import Door
from gateway.engine.verify import verify
from gateway.store.sqlite import open_sqlite

NAME = "faults.db"


@dataclass(frozen=True)
class Held:
    """What is in a database that is whole."""

    executions: dict[str, str]
    """Name to status."""
    untold: set[str]
    """Names of those whose notification waits."""
    asked: set[str]
    """Names of those of which a worker is, or will be, asked something."""


def examine(database: Path) -> Held:
    """Open it as the daemon does. AssertionError where it is damaged, or where a running execution
    is not as its history says."""
    trio.run(_opened, database)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = connection.execute("SELECT id, name, status FROM executions").fetchall()
        names = {identity: name for identity, name, _ in rows}
        untold, asked = (
            {names[n] for (n,) in connection.execute(f"SELECT execution FROM {table}")}
            for table in ("notifications", "tasks")
        )
    return Held({name: status for _, name, status in rows}, untold, asked)


async def _opened(database: Path) -> None:
    async with open_sqlite(str(database)) as store:
        catalog = Catalog(store, now, region="us-east-1", account="123456789012")
        await catalog.load()
        door = Door(store, catalog, now, committed=lambda *_: None, announce=lambda _: [])
        assert [difference async for difference in verify(store, door)] == []


def copied(disk: Path, target: Path) -> Path:
    """A copy of the database as it lies there, with what is beside it."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for end in ("", "-wal", "-journal"):
        if (file := disk / f"{NAME}{end}").exists():
            shutil.copy(file, target)
    return target / NAME


def check_promises(
    held: Held, started: Collection[str], answered: Collection[str], told: Collection[str]
) -> None:
    """What was acknowledged is there; what has ended has told, or still will."""
    assert sorted(set(started) - held.executions.keys()) == [], "acknowledged, but not there"
    forgotten = {name for name in answered if name in held.asked}
    assert not forgotten, f"acknowledged answers that are not there: {forgotten}"
    ended = {name for name, status in held.executions.items() if status != "RUNNING"}
    assert sorted(ended - held.untold - set(told)) == [], "ended, but nobody will be told"
