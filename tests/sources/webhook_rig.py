"""A webhook source on a real listener, with a client, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import structlog
import trio
from intake_rig import FakeTrigger

from gateway.sources.webhook import WebhookSource
from gateway.sources.webhook_server import WebhookServer


class Rig:
    """A trigger, the listener's routes and a client of the listener."""

    def __init__(
        self, trigger: FakeTrigger, server: WebhookServer, http: httpx.AsyncClient
    ) -> None:
        self.trigger = trigger
        self.server = server
        self.http = http

    @property
    def port(self) -> int:
        """Where the listener is, on loopback."""
        return self.http.base_url.port or 0

    @asynccontextmanager
    async def source(self, *, concurrency: int = 8, **settings: Any) -> AsyncIterator[None]:
        """Runs a webhook source inside the block; its route is there from the start."""
        settings = {"type": "webhook", "path": "/hooks/orders", **settings}
        source = WebhookSource.model_validate(settings)
        intake = self.trigger.intake(concurrency=concurrency, webhooks=self.server.routes)
        before = len(self.trigger.reports)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(source.run, intake)
            await self.trigger.until(lambda: len(self.trigger.reports) > before)
            yield
            nursery.cancel_scope.cancel()

    async def open_stream(self) -> trio.SocketStream:
        """A raw connection to the listener."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@asynccontextmanager
async def open_rig(*, idle_seconds: float = 10.0) -> AsyncIterator[Rig]:
    """A listener on a free port of loopback and a client of it."""
    server = WebhookServer(structlog.get_logger(), idle_seconds=idle_seconds)
    async with trio.open_nursery() as nursery:
        url = await nursery.start(server.serve, "127.0.0.1:0")
        async with httpx.AsyncClient(base_url=url, timeout=10) as http:
            yield Rig(FakeTrigger(), server, http)
        nursery.cancel_scope.cancel()
