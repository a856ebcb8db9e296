"""The HTTP server of the API: AWS's protocol, health and metrics on one listener."""

from __future__ import annotations

import logging
import socket
from functools import partial
from typing import Any, Final

import trio
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway.api.bounded import Bounded
from gateway.api.health import HealthPage
from gateway.api.metrics import MetricsPage
from gateway.api.protocol import Protocol
from gateway.errors import ConfigError, Problem

_BACKLOG: Final = 1024
_HEADER_BYTES_MAX: Final = 32_768
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
        self._app: ASGIApp = Bounded(
            Starlette(
                routes=[
                    Route("/healthz", health.show, methods=["GET"]),
                    Route("/metrics", metrics.show, methods=["GET"]),
                    Route("/", protocol, methods=["POST"]),
                ]
            )
        )

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
        from hypercorn.trio import serve

        async def until_stopping() -> None:
            await stopping.wait()
            self._protocol.close()

        async with trio.open_nursery() as nursery:
            urls = await nursery.start(
                partial(
                    serve,
                    self._app,  # type: ignore[arg-type]  # hypercorn has types of its own for ASGI
                    _settings(listener, grace_seconds, self._idle_seconds),
                    shutdown_trigger=until_stopping,
                    mode="asgi",
                )
            )
            task_status.started(urls[0])


def listen(address: str) -> socket.socket:
    """A socket that listens on ``host:port``; port 0 takes a free one.

    Raises ConfigError where that cannot be had, as when another process has the port.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = f"cannot listen on {address}: {error.strerror}; choose another address"
        raise ConfigError([Problem("api.listen", reason)]) from error


def _settings(listener: socket.socket, grace_seconds: float, idle_seconds: float) -> Any:
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.backlog = _BACKLOG
    config.accesslog = None
    config.errorlog = _quiet_log()
    config.graceful_timeout = grace_seconds
    config.include_server_header = False
    config.h11_max_incomplete_size = _HEADER_BYTES_MAX
    config.keep_alive_timeout = idle_seconds
    # Bodies wait in the kernel's buffer, not in ours, until they are read.
    config.max_app_queue_size = 1
    return config


def _quiet_log() -> logging.Logger:
    """Hypercorn's log for its own errors; what it tells of its starting is no news."""
    log = logging.getLogger("gateway.api.hypercorn")
    log.setLevel(logging.ERROR)
    return log
