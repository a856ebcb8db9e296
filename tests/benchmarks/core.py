"""In process: the floor (bare SQLite), the engine on the store, and the language alone."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import orjson
import trio

from gateway.daemon.main import SWITCH_SECONDS
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.engine.starts import StartRequest
from gateway.store.sqlite import open_sqlite
from gateway.store.sqlite.database import _WRITER_SETTINGS
from gateway.store.sqlite.schema import migrate
from tests.benchmarks.load import PASS_CHAIN
from tests.benchmarks.report import Line

TRANSITIONS = 10
BATCH = 200


def clock() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def floor(folder: Path, executions: int) -> float:
    """Executions per second of a bare loop that writes the rows which the engine has just written,
    into the same tables with the same settings, 200 executions a commit."""
    with closing(sqlite3.connect(folder / "engine.db")) as held:
        rows = held.execute("SELECT * FROM executions ORDER BY id").fetchall()
        history = held.execute("SELECT * FROM history ORDER BY execution, first").fetchall()
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    for setting in _WRITER_SETTINGS:
        connection.execute(setting).fetchall()
    migrate(connection, "floor.db")
    each = len(history) // len(rows)
    began = time.perf_counter()
    for start in range(0, len(rows), BATCH):
        connection.execute("BEGIN IMMEDIATE")
        _insert(connection, "executions", rows[start : start + BATCH])
        _insert(connection, "history", history[start * each : (start + BATCH) * each])
        connection.execute("COMMIT")
    rate = executions / (time.perf_counter() - began)
    connection.close()
    return rate


def _insert(connection: sqlite3.Connection, table: str, rows: list[tuple[object, ...]]) -> None:
    marks = ", ".join("?" * len(rows[0]))
    connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


async def _engine_rate(folder: Path, executions: int) -> float:
    async with open_sqlite(str(folder / "engine.db")) as store:
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _: None, clock, metrics)  # type: ignore[arg-type]
        engine = Engine(store, catalog, outbox, clock, metrics)
        row, _ = await catalog.create_machine("chain", orjson.dumps(PASS_CHAIN).decode())
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            began = time.perf_counter()

            async def feed(number: int) -> None:
                for start in range(0, executions // 2, BATCH):
                    names = range(start, start + BATCH)
                    await engine.start(
                        [StartRequest(row.arn, f"{number}-{n}", '{"a": 1}') for n in names]
                    )

            async with trio.open_nursery() as feeders:
                feeders.start_soon(feed, 0)
                feeders.start_soon(feed, 1)
            rate = executions / (time.perf_counter() - began)
            nursery.cancel_scope.cancel()
    return rate


def durable(folder: Path, executions: int = 20_000) -> list[Line]:
    """The engine on its store beside the floor."""
    sys.setswitchinterval(SWITCH_SECONDS)
    engine = trio.run(_engine_rate, folder, executions)
    bare = floor(folder, executions)
    return [
        Line("W1 in process, batches", "floor (bare SQLite)", bare, "executions/s"),
        Line(
            "W1 in process, batches", "engine, durable", engine, "executions/s",
            f"{engine / bare:.0%} of the floor, {engine * TRANSITIONS:,.0f} transitions/s",
        ),
    ]  # fmt: skip
