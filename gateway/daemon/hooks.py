"""The listener that all webhook sources share: bound while there is one, moved by a reload."""

from __future__ import annotations

import structlog
import trio

from gateway.config.settings import Settings
from gateway.sources.webhook import WebhookSource
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
        """Listen where these settings say, if they have a webhook; the old listener goes last.

        Raises ConfigError, with nothing changed, where it cannot listen there.
        """
        sources = (trigger.source for trigger in settings.triggers.values())
        has_webhook = any(isinstance(source, WebhookSource) for source in sources)
        address = str(settings.hooks.listen) if has_webhook else None
        if address == self._address:
            return
        old, scope, url = self._scope, trio.CancelScope(), None
        if address is not None:
            url = await self._nursery.start(self._listen, address, scope)
            self._log.info("listening for webhooks", url=url)
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
