"""The listener: accepts connections within a bound, and ends them gracefully."""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

import trio
from structlog.stdlib import BoundLogger

from gateway.errors import ConfigError, Problem
from gateway.http.connection import Application, Connection, Service
from gateway.http.exchange import Address
from gateway.http.limits import Limits
from gateway.http.peer import Peer
from gateway.http.responses import DateHeader

_BACKLOG: Final = 1024
_PAUSE_SECONDS: Final = 0.1
_NO_ROOM: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
"""What accepting answers while the process or the machine has no room for a connection."""


def listen(address: str, setting: str) -> socket.socket:
    """A socket that listens on ``host:port``; port 0 takes a free one.

    Raises ConfigError, which names the ``setting``, where that cannot be had, as when another
    process has the port.
    """
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        reason = f"cannot listen on {address}: {_why(error)}"
        raise ConfigError([Problem(setting, reason)]) from error


def _why(error: OSError) -> str:
    """In words, with what helps. Python's own have the address once more, in parentheses."""
    if error.errno == errno.EADDRINUSE:
        remedy = "end what listens there, perhaps a Stategate that runs already, or choose another"
        return f"{os.strerror(error.errno)}; {remedy} address"
    said = str(error.strerror).partition(" (while attempting")[0]
    return f"{said}; choose another address"


class HttpServer:
    """Serves one ASGI application; lifespan and WebSockets are not offered to it."""

    def __init__(self, app: Application, log: BoundLogger, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._log = log
        self._service = Service(app, self._limits, log, DateHeader())
        self._connections: set[Connection] = set()
        self._room = trio.Semaphore(self._limits.connections_max)
        self._crowded = False
        """Whether the process or the machine had no room for a connection when last asked."""

    async def serve(
        self,
        listener: socket.socket,
        stopping: trio.Event,
        *,
        grace_seconds: float,
        task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve on a socket that ``listen`` made, which is closed at the end; started with the URL.

        When ``stopping`` is set, nothing new is accepted, idle connections are closed, and requests
        in work have ``grace_seconds`` to be answered; then it returns. Cancelled, it ends at once.
        """
        with listener:
            listener.setblocking(False)
            async with trio.open_nursery() as connections:
                async with trio.open_nursery() as accepting:
                    accepting.start_soon(self._accept, listener, connections)
                    task_status.started(_url(listener))
                    await stopping.wait()
                    accepting.cancel_scope.cancel()
                listener.close()
                for connection in self._connections:
                    connection.stop()
                connections.cancel_scope.deadline = trio.current_time() + grace_seconds

    async def _accept(self, listener: socket.socket, connections: trio.Nursery) -> None:
        """All that wait are accepted in one turn: where many are served a turn is long, and one
        newcomer for each would keep a monitor waiting behind the crowd."""
        while True:
            await self._room.acquire()
            await trio.lowlevel.wait_readable(listener)
            while (accepted := self._accepted(listener)) is not None:
                connections.start_soon(self._run, *accepted)
                try:
                    self._room.acquire_nowait()
                except trio.WouldBlock:
                    break
            else:
                self._room.release()
                await self._pause()

    def _accepted(self, listener: socket.socket) -> tuple[socket.socket, Address] | None:
        """The next connection that waits; None where none does, or there is no room for it."""
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                self._log.error("cannot accept a connection", reason=error.strerror)
                self._crowded = True
            return None
        return accepted, client[:2]

    async def _pause(self) -> None:
        """What waits is still there when there was no room: it would be tried again at once."""
        if self._crowded:
            self._crowded = False
            await trio.sleep(_PAUSE_SECONDS)

    async def _run(self, accepted: socket.socket, client: Address) -> None:
        """One connection; a bug in it ends it alone."""
        try:
            connection = self._connection(accepted, client)
            self._connections.add(connection)
            try:
                await connection.run()
            finally:
                self._connections.discard(connection)
        except Exception:
            self._log.exception("connection failed")
        finally:
            accepted.close()
            self._room.release()

    def _connection(self, accepted: socket.socket, client: Address) -> Connection:
        accepted.setblocking(False)
        # An answer is one write; held back, it would wait for the acknowledgement of the last one.
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = accepted.getsockname()[:2]
        return Connection(self._service, Peer(accepted, self._limits.write_seconds), client, server)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
