"""An engine over the in-memory store under a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import orjson
import trio

from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.store.memory import MemoryStore
from gateway.tasks.protocol import Runner

START = 1_700_000_000_000
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
TASK = {"Type": "Task", "Resource": ACTIVITY, "End": True}


def clock() -> int:
    """Milliseconds of the virtual clock."""
    return START + round(trio.current_time() * 1000)


def machine(**states: object) -> str:
    """The text of a machine of these states; the first one starts."""
    return orjson.dumps({"StartAt": next(iter(states)), "States": states}).decode()


async def build(store: MemoryStore, runners: Iterable[Runner] = ()) -> Engine:
    """An engine over what the store has, not yet running."""
    catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
    await catalog.load()
    metrics = Metrics()
    outbox = Outbox(store, lambda _name: None, clock, metrics)
    return Engine(store, catalog, outbox, clock, metrics, runners)


@asynccontextmanager
async def running(store: MemoryStore, runners: Iterable[Runner] = ()) -> AsyncIterator[Engine]:
    """An engine that runs; leaving the context is what a crash is to it."""
    engine = await build(store, runners)
    async with trio.open_nursery() as nursery:
        await nursery.start(engine.run)
        yield engine
        nursery.cancel_scope.cancel()


async def wait_status(engine: Engine, arn: str, status: str) -> None:
    """Until the execution has the status; the clock jumps to what is due."""
    ended = trio.Event()
    engine.on_end.append(lambda row: ended.set() if row.arn == arn else None)
    if (await engine.execution(arn)).status == "RUNNING":
        await ended.wait()
    assert (await engine.execution(arn)).status == status
