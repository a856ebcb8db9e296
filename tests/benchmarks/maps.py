"""In process, on the store: Maps, inline and distributed, with a Pass for each item."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import orjson
import trio

from gateway.daemon.main import SWITCH_SECONDS
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.store.rows import ExecutionRow
from gateway.store.sqlite import open_sqlite
from tests.benchmarks.core import clock
from tests.benchmarks.report import Line

INLINE = (100, 1_000, 5_000)
DISTRIBUTED = 10_000
_CONFIG = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def _machine(*, distributed: bool) -> str:
    processor: dict[str, object] = {
        "StartAt": "A",
        "States": {"A": {"Type": "Pass", "End": True}},
    }
    if distributed:
        processor["ProcessorConfig"] = _CONFIG
    state = {"Type": "Map", "ItemProcessor": processor, "End": True}
    return orjson.dumps({"StartAt": "M", "States": {"M": state}}).decode()


async def _seconds(folder: Path, items: int, *, distributed: bool) -> float:
    """From the start of the execution to its end, durable."""
    async with open_sqlite(str(folder / f"{items}-{distributed}.db")) as store:
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _: None, clock, metrics)  # type: ignore[arg-type]
        engine = Engine(store, catalog, outbox, clock, metrics)
        ended = trio.Event()
        rows: list[ExecutionRow] = []

        def hear(row: ExecutionRow) -> None:
            if row.item is None:
                rows.append(row)
                ended.set()

        engine.on_end.append(hear)
        machine, _ = await catalog.create_machine("m", _machine(distributed=distributed))
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            began = time.perf_counter()
            text = orjson.dumps(list(range(items))).decode()
            await engine.start_execution(machine.arn, "e", text)
            await ended.wait()
            taken = time.perf_counter() - began
            nursery.cancel_scope.cancel()
        assert rows[0].status == "SUCCEEDED", rows[0].cause
        return taken


def maps(folder: Path) -> list[Line]:
    """Inline Maps, whose time is linear in the items, and a distributed one."""
    sys.setswitchinterval(SWITCH_SECONDS)
    lines = []
    for distributed, sizes in ((False, INLINE), (True, (DISTRIBUTED,))):
        kind = "Distributed" if distributed else "inline"
        for items in sizes:
            taken = trio.run(lambda d=distributed, n=items: _seconds(folder, n, distributed=d))
            each = f"{taken / items * 1e6:,.0f} µs an item"
            lines.append(Line(f"{kind} Map over {items:,}", "in process", taken * 1e3, "ms", each))
    return lines
