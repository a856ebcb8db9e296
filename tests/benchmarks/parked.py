"""W3: executions parked in a year's Wait: what they cost in memory, at rest and at a restart."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import orjson
import trio

from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.engine.starts import StartRequest
from gateway.store.sqlite import open_sqlite
from tests.benchmarks.core import clock
from tests.benchmarks.load import Connection
from tests.benchmarks.process_cost import cpu_seconds, memory
from tests.benchmarks.report import Line
from tests.benchmarks.served import stategate

FEW, MANY = 1_000, 1_000_000
BATCH = 500
REST_SECONDS = 10.0
BY_THE_ENGINE = 20_000
"""So many are started; the others are copies of their rows under other names."""
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 31_536_000, "End": True}}}
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
TASK = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": ACTIVITY, "End": True}}}
INPUT = '{"order": "4711", "customer": "c-17", "lines": [{"sku": "a-1", "count": 2}]}'


def parked(folder: Path, many: int = MANY) -> list[Line]:
    """A few and very many of them, behind a daemon that starts on their database."""
    return _compared(folder, WAIT, "parked in a Wait", many)


def queued(folder: Path, many: int = MANY) -> list[Line]:
    """The same for executions that wait for a worker that never comes."""
    return _compared(folder, TASK, "queued for a worker", many)


def _compared(folder: Path, definition: dict[str, object], what: str, many: int) -> list[Line]:
    few = _measure(folder / f"{what} few".replace(" ", "-"), definition, FEW)
    all_of_them = _measure(folder / f"{what} many".replace(" ", "-"), definition, many)
    beside = f"{FEW:,} of them"
    lines = [
        Line(f"{what}: {name}", "Stategate", figure, unit, beside)
        for name, (figure, unit) in few.items()
    ]
    for name, (figure, unit) in all_of_them.items():
        more = figure - few[name][0]
        beside = f"{many:,} of them; {more:+,.1f} {unit} against {FEW:,}"
        lines.append(Line(f"{what}: {name}", "Stategate", figure, unit, beside))
    return lines


Figures = dict[str, tuple[float, str]]


def _measure(folder: Path, definition: dict[str, object], count: int) -> Figures:
    folder.mkdir()
    rate = trio.run(partial(fill, folder / "bench.db", definition, count))
    multiply(folder / "bench.db", count)
    figures: Figures = {"in process, started": (rate, "executions/s")}
    began = time.perf_counter()
    with stategate(folder) as daemon:
        figures["from a start until ready"] = (time.perf_counter() - began, "s")
        time.sleep(1)
        client = Connection(daemon.url)
        began = time.perf_counter()
        listing = client.call("ListStateMachines")["stateMachines"]
        client.call("ListExecutions", stateMachineArn=listing[0]["stateMachineArn"])
        figures["one page of ListExecutions"] = ((time.perf_counter() - began) * 1000, "ms")
        # httpx.get would make a TLS context first, which takes ten times as long.
        with httpx.Client() as plain:
            began = time.perf_counter()
            plain.get(f"{daemon.url}/healthz").raise_for_status()
            figures["/healthz"] = ((time.perf_counter() - began) * 1000, "ms")
        spent = cpu_seconds(daemon.pid)
        time.sleep(REST_SECONDS)
        spent = cpu_seconds(daemon.pid) - spent
        figures["CPU at rest"] = (spent / REST_SECONDS * 100, "% of a core")
        figures["memory (RSS)"] = (memory(daemon.pid)["Rss"], "MiB")
        client.close()
    return figures


async def fill(path: Path, definition: dict[str, object], count: int) -> float:
    """Start them through the engine, in batches, as far as it is to; how many a second."""
    async with open_sqlite(str(path)) as store:
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _: None, clock, metrics)  # type: ignore[arg-type]
        engine = Engine(store, catalog, outbox, clock, metrics)
        await catalog.create_activity("work")
        row, _ = await catalog.create_machine("parked", orjson.dumps(definition).decode())
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            began = time.perf_counter()
            count = min(count, BY_THE_ENGINE)
            for first in range(0, count, BATCH):
                names = range(first, min(first + BATCH, count))
                await engine.start([StartRequest(row.arn, f"order-{n}", INPUT) for n in names])
            rate = count / (time.perf_counter() - began)
            nursery.cancel_scope.cancel()
    return rate


def multiply(path: Path, count: int) -> None:
    """Copy what runs, with its history, timers and tasks, until there are so many."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        held = connection.execute("SELECT max(id) FROM executions").fetchone()[0]
        connection.execute("BEGIN")
        for number in range(1, count // held):
            for table, key in (
                ("executions", "id"), ("history", "execution"), ("timers", "execution"),
                ("tasks", "execution"),
            ):  # fmt: skip
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                copied = {key: f"{key} + {number * held}"}
                copied |= {name: f"{name} || '-{number}'" for name in ("arn", "name")}
                names = ", ".join(f'"{name}"' for name in columns)
                values = ", ".join(copied.get(name, f'"{name}"') for name in columns)
                connection.execute(
                    f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {key} <= ?",
                    (held,),
                )
        connection.execute("COMMIT")
