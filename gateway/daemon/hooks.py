"""The listener of webhooks and callbacks: bound while it is wanted, moved by a reload."""

from __future__ import annotations

import structlog
import trio

from gateway.config.settings import Settings
from gateway.sources.webhook_server import WebhookServer


class Hooks:
    """Binds and lets go. The routes stay the same whatever they are reached at."""

    def __init__(self, nursery: trio.Nursery, log: structlog.stdlib.BoundLogger) -> None:
        """Listeners live in ``nursery``; it has to outlive the sources."""
        self._nursery = nursery
        self._log = log
        self._server = WebhookServer(log)
        self._address: str | None = None
        self._scope = trio.CancelScope()
        self.routes = self._server.routes
        self.url: str | None = None
        """Where the listener is reached; None while there is none."""

    async def bind(self, settings: Settings) -> None:
        """Listen where these settings say, if they do; the old listener goes last.

        Raises ConfigError, with nothing changed, where it cannot listen there.
        """
        wanted = settings.hooks_address
        address = None if wanted is None else str(wanted)
        if address == self._address:
            return
        old, scope, url = self._scope, trio.CancelScope(), None
        if address is not None:
            url = await self._nursery.start(self._listen, address, scope)
            self._log.info("listening for webhooks and callbacks", url=url)
        self._address, self._scope, self.url = address, scope, url
        old.cancel()

    def close(self) -> None:
        """Listen no more."""
        self._scope.cancel()

    async def _listen(
        self, address: str, scope: trio.CancelScope, *, task_status: trio.TaskStatus[str]
    ) -> None:
        with scope:
            await self._server.serve(address, task_status=task_status)
