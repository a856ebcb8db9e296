"""The HTTP listener that all webhook sources share: from the socket to the route's handler."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.stdlib import BoundLogger

from gateway.errors import ConfigError, Problem
from gateway.sources.webhook_request import ClientGone, Refusal, WebhookRequest
from gateway.sources.webhook_routes import Found, NoMethod, NoPath, Route, WebhookRoutes

if TYPE_CHECKING:
    from hypercorn.config import Config

_LINGER_SECONDS = 2.0
"""How long the rest of a refused request is read, so that its sender can see the answer."""
_HEADER_BYTES = 32_768


class WebhookServer:
    """One listener with the routes of all webhook sources."""

    def __init__(self, log: BoundLogger, *, idle_seconds: float = 10.0) -> None:
        """``idle_seconds``: a connection that has not sent a whole header by then is closed."""
        self.routes = WebhookRoutes()
        self._log = log
        self._idle_seconds = idle_seconds

    async def serve(
        self, listen: str, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Listen on ``host:port`` until cancelled; started with the URL that it is reached at.

        Cancel the sources first: their end waits for the requests in work. Raises ConfigError when
        it cannot listen there.
        """
        from hypercorn.config import Sockets
        from hypercorn.trio.run import worker_serve
        from hypercorn.utils import wrap_app

        config = _protocol_settings(self._idle_seconds)
        app: Any = _Front(self.routes, self._log)
        served = wrap_app(app, config.wsgi_max_body_size, "asgi")
        sockets = Sockets([], [_listening(listen, config.backlog)], [])
        async with trio.open_nursery() as nursery:
            [url] = await nursery.start(partial(worker_serve, served, config, sockets=sockets))
            task_status.started(url)


def _protocol_settings(idle_seconds: float) -> Config:
    from hypercorn.config import Config

    config = Config()
    config.errorlog = None
    config.include_server_header = False
    config.keep_alive_timeout = idle_seconds
    config.h11_max_incomplete_size = _HEADER_BYTES
    # Bodies wait in the kernel's buffer, not in ours, until a handler reads them.
    config.max_app_queue_size = 1
    return config


def _listening(listen: str, backlog: int) -> socket.socket:
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=backlog)
    except OSError as error:
        reason = f"cannot listen on {listen}: {error.strerror}; choose another address"
        raise ConfigError([Problem("hooks.listen", reason)]) from error


class _Front:
    """The ASGI application: finds the route, answers whatever comes of it."""

    def __init__(self, routes: WebhookRoutes, log: BoundLogger) -> None:
        self._routes = routes
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # As ASGI has it, raising tells the server that start-up events and WebSockets are not
            # for this application.
            raise NotImplementedError(scope["type"])
        request = WebhookRequest(scope, receive)

        async def answer(response: Response) -> None:
            await _answer(response, request, scope, receive, send)

        match self._routes.find(request.method, request.path):
            case NoPath():
                await answer(Refusal(404, "nothing listens on this path").answer)
            case NoMethod(allowed):
                methods = ", ".join(allowed)
                await answer(Refusal(405, f"this path takes {methods}", {"allow": methods}).answer)
            case Found(route, parameters):
                with route.work():
                    await answer(await self._handle(route, request, parameters))

    async def _handle(
        self, route: Route, request: WebhookRequest, parameters: Mapping[str, str]
    ) -> Response:
        if route.rests_until is not None:
            return Refusal(503, "this route rests, come back soon", {"retry-after": "5"}).answer
        try:
            return await route.handler(request, parameters)
        except Refusal as refusal:
            return refusal.answer
        except ClientGone:
            # This goes nowhere; nothing was delivered, since the body was not whole.
            return Response(status_code=400)
        except Exception:
            self._log.exception("webhook failed", path=request.path)
            return Refusal(500, "internal error").answer


async def _answer(
    response: Response, request: WebhookRequest, scope: Scope, receive: Receive, send: Send
) -> None:
    """Write the answer while what is left of the request is read and thrown away.

    A sender that is cut off while it still sends may never see the answer, and the server's own
    bookkeeping waits until somebody has taken what came in.
    """
    await request.discard(_LINGER_SECONDS)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(request.wait_gone)
        await response(scope, receive, send)
        nursery.cancel_scope.cancel()
