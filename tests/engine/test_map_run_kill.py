"""SIGKILL in the middle of a map run: a real process, a real database."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from gateway.engine.verify import verify
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.sqlite import open_sqlite
from tests.engine.rig import build

ITEMS = 2_000
CONCURRENCY = 50
LIFE = """
import sys, time
import trio
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.store.sqlite import open_sqlite
from tests.engine.rig import ACTIVITY, TASK
from tests.engine.test_express_children import Function, machine
from tests.engine.test_map_runs import distributed, start

def clock():
    return time.time_ns() // 1_000_000

class Told(Function):
    async def call(self, request):
        await trio.sleep(0.005)
        print(request.input, flush=True)
        return request.input

async def work(engine):
    while True:
        task = await engine.get_activity_task(ACTIVITY, "w", 60)
        if task is not None:
            await engine.task_succeeded(task.token, task.input)
            print(task.input, flush=True)

async def main():
    async with open_sqlite(sys.argv[1]) as store, trio.open_nursery() as nursery:
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _name: None, clock, metrics)
        engine = Engine(store, catalog, outbox, clock, metrics, [Told()])
        await nursery.start(engine.run)
        task = {**TASK, "HeartbeatSeconds": 2, "Retry": [{"ErrorEquals": ["States.ALL"]}]}
        most = int(sys.argv[4])
        durable, brief = distributed(task, MaxConcurrency=most), machine(MaxConcurrency=most)
        definition = {"STANDARD": durable, "EXPRESS": brief}[sys.argv[3]]
        await start(engine, definition, list(range(int(sys.argv[2]))))
        for _ in range(20):
            nursery.start_soon(work, engine)
        while await store.open_map_runs():
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()

trio.run(main)
"""


def live(path: str, kill_after: int | None, execution_type: str = "STANDARD") -> int:
    """One life of the daemon; how many answers it told of before it was killed, or ended."""
    command = [sys.executable, "-c", LIFE, path, str(ITEMS), execution_type, str(CONCURRENCY)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as daemon:
        told = 0
        for _ in daemon.stdout:
            told += 1
            if told == kill_after:
                daemon.send_signal(signal.SIGKILL)
        daemon.wait()
    assert kill_after is None or daemon.returncode == -signal.SIGKILL
    return told


@pytest.mark.slow
async def test_a_map_run_survives_kills(tmp_path):
    """Every item has one child, none has two, and the output is complete and in order."""
    path = str(tmp_path / "s.db")
    for kill_after in (1, 300, 700, None):
        live(path, kill_after)
    async with open_sqlite(path) as store:
        engine = await build(store)
        assert [line async for line in verify(store, engine._door)] == []
        rows = (await store.executions(ExecutionFilter(), Page(10_000))).rows
        children = [row for row in rows if row.item is not None]
        assert sorted(row.item for row in children) == list(range(ITEMS))
        assert {row.status for row in rows} == {"SUCCEEDED"}
        [parent] = [row for row in rows if row.item is None]
        output = (await store.execution_by_id(parent.id)).output
        assert orjson.loads(output) == list(range(ITEMS))
        assert await store.open_map_runs() == []


@pytest.mark.slow
async def test_express_children_survive_kills(tmp_path):
    """Those that are cut off run again, and no more than can have been under way; each item is
    counted once, and the output is complete and in order."""
    path = str(tmp_path / "s.db")
    told = [live(path, kill_after, "EXPRESS") for kill_after in (1, 300, 700, None)]
    # Those that ran, and those whose ends had been told to us and were not on disk.
    assert ITEMS <= sum(told) <= ITEMS + 3 * 2 * CONCURRENCY
    async with open_sqlite(path) as store:
        engine = await build(store)
        assert [line async for line in verify(store, engine._door)] == []
        [parent] = (await store.executions(ExecutionFilter(), Page(10))).rows
        [run] = await store.map_runs(parent.id)
        children = await store.map_items(*run[:2])
        assert sorted(each.item for each in children) == list(range(ITEMS))
        assert {each.status for each in (parent, run, *children)} == {"SUCCEEDED"}
        output = (await store.execution_by_id(parent.id)).output
        assert orjson.loads(output) == list(range(ITEMS))
        assert await store.open_map_runs() == []
