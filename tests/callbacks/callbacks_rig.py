"""The page on a real listener over a real engine, with tasks that were handed out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import httpx
import orjson
import structlog
import trio

from gateway.callbacks.desk import CallbackDesk
from gateway.engine.activities import ActivityTask
from gateway.engine.engine import Engine
from gateway.sources.webhook_server import WebhookServer
from gateway.store.memory import MemoryStore
from gateway.tasks.protocol import Runner
from tests.engine.rig import ACTIVITY, TASK, machine, running, wait_status

CALLBACK = {
    "question": "Your loan ends tomorrow.\nWhat would you like?",
    "answers": [
        {"label": "Renew", "output": {"renew": True, "days": 14}},
        {"label": "I have lost it", "error": "Lost", "cause": "The reader says so."},
    ],
}


class Rig:
    """An engine, and a client of its page."""

    def __init__(self, engine: Engine, http: httpx.AsyncClient) -> None:
        self.engine = engine
        self.http = http
        self._started = 0

    async def task(self, given: object, **members: object) -> tuple[str, str]:
        """A task with this input, handed out: its execution and the path of its link."""
        await self.engine.catalog.create_activity("work")
        self._started += 1
        row, _ = await self.engine.catalog.create_machine(
            f"m{self._started}", machine(T={**TASK, **members})
        )
        text = orjson.dumps(given).decode()
        started = await self.engine.start_execution(row.arn, "n", text)
        return started.row.arn, f"/callbacks/{(await self.next_task()).token}"

    async def next_task(self) -> ActivityTask:
        """The next task that waits for a worker, handed out."""
        task = await self.engine.get_activity_task(ACTIVITY, None, 5)
        assert task is not None
        return task

    async def post(self, path: str, answer: object) -> httpx.Response:
        """Press a button."""
        return await self.http.post(path, data={"answer": str(answer)})

    async def ended(self, arn: str, status: str) -> object:
        """The output, or error and cause, of the execution, which ends so."""
        with trio.fail_after(10):
            await wait_status(self.engine, arn, status)
        row = await self.engine.execution(arn)
        return orjson.loads(row.output) if row.output is not None else (row.error, row.cause)

    async def status(self, arn: str) -> str:
        """Of the execution."""
        return (await self.engine.execution(arn)).status


@asynccontextmanager
async def open_rig(
    store: MemoryStore | None = None, runners: Iterable[Runner] = ()
) -> AsyncIterator[Rig]:
    """A listener on a free port of loopback with the page alone."""
    async with running(store or MemoryStore(), runners) as engine, trio.open_nursery() as nursery:
        server = WebhookServer(structlog.get_logger())
        await nursery.start(CallbackDesk(engine).serve, server.routes)
        url = await nursery.start(server.serve, "127.0.0.1:0")
        async with httpx.AsyncClient(base_url=url, timeout=10) as http:
            yield Rig(engine, http)
        nursery.cancel_scope.cancel()
