"""A listener on loopback with an application of the test's, and raw clients of it."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio
from structlog.testing import CapturingLogger

from gateway.http.limits import Limits
from gateway.http.server import HttpServer, listen

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@dataclass
class Rig:
    """A running server."""

    port: int
    stopping: trio.Event
    log: CapturingLogger
    stopped: trio.Event = field(default_factory=trio.Event)

    async def connect(self) -> trio.SocketStream:
        """A raw connection."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)

    async def answers(self, *pieces: bytes) -> bytes:
        """All that comes back until the server hangs up."""
        async with await self.connect() as client:
            for piece in pieces:
                await client.send_all(piece)
            return await rest(client)


async def rest(client: trio.SocketStream) -> bytes:
    """All that comes until the server hangs up."""
    with trio.fail_after(1000):
        return b"".join([data async for data in client])


async def until(client: trio.SocketStream, ending: bytes) -> bytes:
    """What comes, up to this ending."""
    got = b""
    with trio.fail_after(1000):
        while not got.endswith(ending):
            piece = await client.receive_some()
            assert piece, got
            got += piece
    return got


@asynccontextmanager
async def serving(app: Any, **limits: Any) -> AsyncIterator[Rig]:
    """The application behind a server with these limits."""
    grace = limits.pop("grace_seconds", 5.0)
    log = CapturingLogger()
    server = HttpServer(app, structlog.wrap_logger(log, processors=[]), Limits(**limits))
    stopping, stopped = trio.Event(), trio.Event()
    listener = listen("127.0.0.1:0", "test.listen")
    # Accepted connections inherit it, so that an answer that nobody reads soon fills the kernel.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    async def serve(task_status: trio.TaskStatus[str]) -> None:
        await server.serve(listener, stopping, grace_seconds=grace, task_status=task_status)
        stopped.set()

    async with trio.open_nursery() as nursery:
        url = await nursery.start(serve)
        yield Rig(int(url.rpartition(":")[2]), stopping, log, stopped)
        nursery.cancel_scope.cancel()


async def read_whole(receive: Any) -> bytes | None:
    """The body; None where the client went before it was whole."""
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"]
        if not message["more_body"]:
            return body
    return None


async def respond(send: Any, body: bytes, status: int = 200, headers: Any = ()) -> None:
    """One whole answer."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers method, path and body."""
    body = await read_whole(receive)
    if body is not None:
        await respond(send, b"%s %s %s\n" % (scope["method"].encode(), scope["raw_path"], body))
