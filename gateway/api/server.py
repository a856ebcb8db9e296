"""The HTTP server of the API: AWS's protocol, health and metrics on one listener."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import trio
from starlette.responses import PlainTextResponse
from starlette.responses import Response as HttpResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.api.bounded import Bounded
from gateway.api.health import HealthPage
from gateway.api.metrics import MetricsPage
from gateway.api.protocol import Protocol
from gateway.http import server as http_server
from gateway.http.limits import Limits
from gateway.http.server import HttpServer
from gateway.store.failures import StoreClosed

IDLE_SECONDS: Final = 30.0


class Server:
    """Serves one daemon's API."""

    def __init__(
        self,
        protocol: Protocol,
        health: HealthPage,
        metrics: MetricsPage,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """``idle_seconds``: a connection that has not sent a whole header by then is closed; so is
        one on which nothing happens between requests."""
        self._idle_seconds = idle_seconds
        self._protocol = protocol
        self._health = health
        self._metrics = metrics
        self._app: ASGIApp = Bounded(self._route)

    async def serve(
        self,
        listener: socket.socket,
        stopping: trio.Event,
        *,
        grace_seconds: float = 10.0,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve on a socket that ``listen`` made; started with the URL.

        When ``stopping`` is set, nothing new is accepted, parked polls are answered empty and what
        is in work has ``grace_seconds`` to end; then it returns. Cancelled, it ends at once.
        """
        limits = Limits(idle_seconds=self._idle_seconds, head_seconds=self._idle_seconds)
        server = HttpServer(self._app, self._protocol.log, limits)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._close_polls, stopping)
            await server.serve(
                listener, stopping, grace_seconds=grace_seconds, task_status=task_status
            )
            nursery.cancel_scope.cancel()

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"], scope["method"]:
            case "/", "POST":
                await self._protocol(scope, receive, send)
                return
            case "/healthz", "GET" | "HEAD":
                response = await _shown(self._health.show)
            case "/metrics", "GET" | "HEAD":
                response = await _shown(self._metrics.show)
            case ("/" | "/healthz" | "/metrics") as path, _:
                allowed = "POST" if path == "/" else "GET, HEAD"
                response = PlainTextResponse("Method Not Allowed", 405, {"allow": allowed})
            case _:
                response = PlainTextResponse("Not Found", 404)
        await response(scope, receive, send)

    async def _close_polls(self, stopping: trio.Event) -> None:
        await stopping.wait()
        self._protocol.close()


async def _shown(show: Callable[[], Awaitable[HttpResponse]]) -> HttpResponse:
    try:
        return await show()
    except StoreClosed as closed:
        # Its disk has failed: that ends the daemon, which says why.
        return PlainTextResponse(str(closed), HTTPStatus.SERVICE_UNAVAILABLE)


def listen(address: str) -> socket.socket:
    """A socket for ``serve``: on ``host:port``; port 0 takes a free one.

    Raises ConfigError where that cannot be had, as when another process has the port.
    """
    return http_server.listen(address, "api.listen")
