"""Databases that earlier states of the project wrote are opened by this one, and all that was under
way in them runs to its end; see ``record.py``, which makes them."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import trio

from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.engine.verify import verify
from gateway.errors import ApiError
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.rows import PositionRow
from gateway.store.sqlite import open_sqlite, schema
from tests.engine.outbox_rig import OUTLET, FakeSink, route
from tests.engine.rig import ACTIVITY
from tests.store.record import DEAD_LETTERS, DONE, EVERY, FOLDER

VERSIONS = sorted(path.name.removesuffix(".db.gz") for path in FOLDER.glob("*.db.gz"))
DAY = 86_400_000
RATE = 50.0
"""The clock runs faster, for timeouts that begin anew with the daemon."""


@pytest.fixture(params=VERSIONS)
def recorded(request, path):
    """A copy of a recorded database at ``path``, and the page that goes with it."""
    files = {kind: (FOLDER / f"{request.param}.{kind}.gz").read_bytes() for kind in ("db", "json")}
    Path(path).write_bytes(gzip.decompress(files["db"]))
    return json.loads(gzip.decompress(files["json"]))


class Revived:
    """The engine of today over an older database, some time later."""

    def __init__(self, store, engine, sinks):
        self.store = store
        self.engine = engine
        self.sinks = sinks

    async def rows(self):
        """All executions, by name."""
        listing = await self.store.executions(ExecutionFilter(), Page(1_000))
        rows = [await self.store.execution_by_id(row.id) for row in listing.rows]
        return {row.name: row for row in rows}

    async def histories(self):
        """What the API shows of all executions, by name."""
        return {
            name: await self.engine.history(row.arn) for name, row in (await self.rows()).items()
        }

    async def differences(self):
        """What ``stategate verify`` says."""
        return [line async for line in verify(self.store, self.engine._door)]

    async def work(self):
        """A worker that does whatever there is to do."""
        while True:
            task = await self.engine.get_activity_task(ACTIVITY, "worker-2", 10_000)
            if task is not None:
                await self.engine.task_succeeded(task.token, DONE)

    async def quiet(self, names):
        """Until those have ended and everything is told."""
        while True:
            rows, stats = await self.rows(), await self.store.stats()
            if not stats.notifications and all(rows[name].stop_at for name in names):
                return
            await trio.sleep(1)


@asynccontextmanager
async def revive(path, now):
    """Open the database with an engine that does not run yet."""
    async with open_sqlite(path) as store:
        catalog = Catalog(store, now, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _name: OUTLET, now, metrics)
        sinks = {name: FakeSink() for name in ("audit", "ops", DEAD_LETTERS)}
        statuses = {DEAD_LETTERS: frozenset()}
        outbox.configure(
            [route(sink, name, when=statuses.get(name, EVERY)) for name, sink in sinks.items()]
        )
        yield Revived(store, Engine(store, catalog, outbox, now, metrics), sinks)


def later(page):
    """The clock of a daemon that is started a day after the recording."""
    return lambda: page["recorded_at"] + DAY + round(trio.current_time() * 1_000)


def layout(path):
    """The tables and indexes of a file, and its version."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        return rows, connection.execute("PRAGMA user_version").fetchone()[0]


def test_every_version_is_recorded():
    """Each schema version has a database that was written when it was the newest."""
    wanted = {f"schema-{n}" for n in range(1, len(schema.MIGRATIONS) + 1)}
    assert set(VERSIONS) == wanted, "run `python -m tests.store.record`"


async def test_a_recorded_database_gets_todays_layout(recorded, path, tmp_path):
    """An older file, brought forward, has the tables and indexes of a new one."""
    before = layout(path)[1]
    for file in (path, str(tmp_path / "new.db")):
        async with open_sqlite(file):
            pass
    assert 1 <= before <= len(schema.MIGRATIONS)
    assert layout(path) == layout(tmp_path / "new.db")
    assert layout(path)[1] == len(schema.MIGRATIONS)


def add_notes(connection):
    """A step of a version to come."""
    connection.execute("CREATE TABLE notes (text)")
    connection.execute("INSERT INTO notes SELECT output FROM executions")
    connection.execute("DROP INDEX letter_age")


@pytest.mark.parametrize("empty", [False, True])
def test_a_migration_is_there_whole_or_not_at_all(recorded, path, tmp_path, monkeypatch, empty):
    """What a kill before any statement of it leaves is the older version or the newer one, and is
    brought forward by the next start."""
    if empty:
        Path(path).unlink()
    copies = [tmp_path / f"copy-{n}" for n in range(500)]
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, add_notes))
    taken = migrate_copying(path, iter(copies))
    found = [layout(copy / "s.db") for copy in copies[:taken]]
    whole = {version: rows for rows, version in reversed(found)}
    assert len(whole) == len(schema.MIGRATIONS) + 1 - found[0][1]
    for copy, (rows, version) in zip(copies, found, strict=False):
        assert rows == whole[version]
        with closing(sqlite3.connect(copy / "s.db", isolation_level=None)) as connection:
            schema.migrate(connection, "copy")
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert layout(copy / "s.db") == layout(path)


def migrate_copying(path, copies):
    """Migrate, taking a copy of the files before each statement and at the end; how many."""
    taken = 0

    def copy(_statement=""):
        nonlocal taken
        taken += 1
        folder = next(copies)
        folder.mkdir()
        for file in Path(path).parent.glob(f"{Path(path).name}*"):
            shutil.copy(file, folder / file.name.replace(Path(path).name, "s.db"))

    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA cache_size = 2")  # So that much is in the WAL before its commit.
        connection.set_trace_callback(copy)
        schema.migrate(connection, path)
        connection.set_trace_callback(None)
        copy()
    return taken


async def test_history_is_read_as_it_was(recorded, path):
    """Nothing of what the API shows of any execution has changed, and the rows are what the
    histories ask for."""
    async with revive(path, later(recorded)) as revived:
        assert await revived.differences() == []
        assert await revived.histories() == recorded["histories"]
        assert await revived.store.positions() == [
            PositionRow(*row) for row in recorded["positions"]
        ]
        assert [row.name for row in await revived.store.activities()] == recorded["activities"]


async def test_everything_runs_to_its_end(recorded, path, mock_clock):
    """Waits, retries, queued and handed-out tasks, half-done branches and items, a long run that
    was interrupted, machines that changed or are being deleted: each execution ends as it was to,
    its history goes on where it stood, and those that had ended stay as they were."""
    mock_clock.rate = RATE
    async with revive(path, later(recorded)) as revived, trio.open_nursery() as nursery:
        await nursery.start(revived.engine.run)
        await answer(revived.engine, recorded["tokens"])
        arn = (await revived.rows())["to-be-stopped"].arn
        await revived.engine.stop_execution(arn, "After", None)
        nursery.start_soon(revived.work)
        with trio.fail_after(60 * RATE):
            await revived.quiet(recorded["expect"])
        rows, histories = await revived.rows(), await revived.histories()
        for name, end in recorded["expect"].items():
            ended_as(rows[name], end)
        for name, before in recorded["histories"].items():
            goes_on = name in recorded["running"]
            assert histories[name][: len(before) if goes_on else None] == before, name
        assert await revived.differences() == []
        assert await revived.store.timers(2**62, 10) == []
        assert await revived.store.tasks() == []
        told(revived, recorded, rows)
        await parked(revived, recorded)
        # Children of map runs go after their parents.
        swept = [await revived.store.sweep(2**62, 1_000) for _ in range(2)]
        assert sum(swept) == len(rows)
        nursery.cancel_scope.cancel()


async def answer(engine, tokens):
    """The workers of before: one has its result, one had given its task back."""
    await engine.task_heartbeat(tokens["answered"])
    await engine.task_succeeded(tokens["answered"], '{"from":"before"}')
    with pytest.raises(ApiError, match="Task Timed Out"):
        await engine.task_succeeded(tokens["stale"], "{}")


def ended_as(row, end):
    """The execution has ended as the page says, as far as that goes."""
    assert (row.name, row.status) == (row.name, end["status"])
    assert row.error == end.get("error", row.error), row.name
    if "output" in end:
        assert json.loads(row.output) == as_caught_now(json.loads(end["output"])), row.name


def as_caught_now(output):
    """Since these were recorded a catcher shows an empty cause of what has timed out, as AWS's
    recorded histories do (``error_handling/task_service_lambda/invoke_timeout``)."""
    if output == {"caught": {"Error": "States.Timeout"}}:
        return {"caught": {"Error": "States.Timeout", "Cause": ""}}
    return output


def told(revived, recorded, rows):
    """What waited in the outbox has gone under its id, once; so have the ends of what ran."""
    for sink in ("audit", "ops"):
        accepted = revived.sinks[sink].accepted
        ids = Counter(notification.id for notification in accepted)
        assert set(recorded["notifications"][sink]) <= set(ids), sink
        assert set(ids.values()) == {1}, sink
        ends = [event for event in revived.sinks[sink].names if not event.endswith("RUNNING")]
        before = set() if sink == "ops" else set(recorded["expect"]) - set(recorded["running"])
        # Of the children of map runs nobody is told.
        assert sorted(ends) == sorted(
            f"{name} {row.status}"
            for name, row in rows.items()
            if name not in before and row.item is None
        )


async def parked(revived, recorded):
    """The letter that was on its way to a dead-letter target has arrived, the others are kept."""
    sent = [notification.id for notification in revived.sinks[DEAD_LETTERS].accepted]
    assert sent == recorded["notifications"][DEAD_LETTERS]
    letters, _ = await revived.store.letters(None, Page(100))
    assert {letter.id for letter in letters} == set(recorded["letters"]) - set(sent)


async def test_numbers_go_on(recorded, path):
    """A new execution has an id above all that were ever given, a name that is taken stays taken,
    and what has not been told is not forgotten."""
    async with revive(path, later(recorded)) as revived:
        highest = max(row.id for row in (await revived.rows()).values())
        await revived.engine.recover()
        arn = revived.engine.catalog.machine_arn("pass")
        assert (await revived.engine.start_execution(arn, "new", "{}")).row.id == highest + 1
        with pytest.raises(ApiError, match="Already Exists"):
            await revived.engine.start_execution(arn, "passed", "{}")
        assert await revived.store.sweep(2**62, 1_000) == 0
