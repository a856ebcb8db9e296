"""An engine whose tasks call functions of a configuration, with the real processes and sockets."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager

import trio

from gateway.config.settings import Settings
from gateway.daemon.tools import open_tools
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.store.memory import open_memory
from gateway.tasks.integrations import runners
from tests.engine.rig import machine

SECONDS = 30.0


def clock() -> int:
    """Real processes go with a real clock."""
    return time.time_ns() // 1_000_000


class Rig:
    """One engine."""

    def __init__(self, engine, tools):
        self.engine = engine
        self.functions = tools.functions
        self.connections = tools.connections
        self._machines = 0

    async def start(self, given="{}", function="f", **more):
        """The ARN of an execution of one state that calls the function."""
        self._machines += 1
        arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}"
        state = {"Type": "Task", "Resource": arn, "End": True, **more}
        states = {"T": state, **({"P": {"Type": "Pass", "End": True}} if "Catch" in more else {})}
        row, _ = await self.engine.catalog.create_machine(f"m{self._machines}", machine(**states))
        return (await self.engine.start_execution(row.arn, "n", given)).row.arn

    async def end(self, arn, seconds=SECONDS):
        """The execution's row once it has ended."""
        with trio.fail_after(seconds):
            while (row := await self.engine.execution(arn)).status == "RUNNING":  # noqa: ASYNC110
                await trio.sleep(0.01)
        return row

    async def call(self, given="{}", function="f", **more):
        """The row of such an execution once it has ended."""
        return await self.end(await self.start(given, function, **more))

    async def output(self, given="{}", function="f", **more):
        """Its output; it has to succeed."""
        row = await self.call(given, function, **more)
        assert row.status == "SUCCEEDED", (row.error, row.cause)
        return json.loads(row.output)

    async def failure(self, given="{}", function="f", **more):
        """Error and parsed cause; it has to fail."""
        row = await self.call(given, function, **more)
        assert row.status == "FAILED"
        return row.error, json.loads(row.cause)


@asynccontextmanager
async def calling(settings):
    """An engine under these settings, as a file would have them."""
    settings = Settings.model_validate(settings)
    async with open_memory() as store, open_tools("us-east-1") as tools:
        tools.functions.configure(settings.functions)
        tools.connections.configure(settings.connections)
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _: None, clock, metrics)
        engine = Engine(store, catalog, outbox, clock, metrics, runners(tools))
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            yield Rig(engine, tools)
            nursery.cancel_scope.cancel()


def function(**settings):
    """A configuration with one function, ``f``."""
    return {"functions": {"f": settings}}
