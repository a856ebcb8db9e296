"""The HTTP listener of webhooks and callbacks: from the socket to the route's handler."""

from __future__ import annotations

from collections.abc import Mapping

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from structlog.stdlib import BoundLogger

from gateway.http import server as http_server
from gateway.http.limits import Limits
from gateway.http.server import HttpServer
from gateway.sources.webhook_request import ClientGone, Refusal, WebhookRequest
from gateway.sources.webhook_routes import Found, NoMethod, NoPath, Route, WebhookRoutes


class WebhookServer:
    """One listener with the routes of all webhook sources, and that of the callbacks."""

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
        limits = Limits(idle_seconds=self._idle_seconds, head_seconds=self._idle_seconds)
        server = HttpServer(_Front(self.routes, self._log), self._log, limits)
        # Nothing sets this: the end is to be cancelled.
        never = trio.Event()
        socket = http_server.listen(listen, "hooks.listen")
        await server.serve(socket, never, grace_seconds=0, task_status=task_status)


class _Front:
    """The ASGI application: finds the route, answers whatever comes of it."""

    def __init__(self, routes: WebhookRoutes, log: BoundLogger) -> None:
        self._routes = routes
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = WebhookRequest(scope, receive)

        async def answer(response: Response) -> None:
            await response(scope, receive, send)

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
