"""Requests are read whole before anybody looks at them, within limits of size and time.

So the rest of the API sees short, complete requests, and one that trickles in or never ends costs a
bounded buffer for a bounded time. Large ones share a room: in a flood of them the next one is read
when another one has been answered, and its sender waits.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import trio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.api.statuses import TOO_LARGE, TOO_SLOW
from gateway.api.wire import error_answer
from gateway.errors import ApiError

BODY_BYTES_MAX: Final = 1_048_576 + 65_536
"""AWS's 1 MB a request, and room for a definition of 1 MB with its escapes."""
BODY_SECONDS_MAX: Final = 20.0
ROOM_BYTES: Final = 64 * 1024 * 1024
"""What all bodies together may have that did not come in one piece and are not answered yet."""


class _Gone(Exception):
    """The client has closed the connection before its request was whole."""


class Room:
    """So many bytes, taken and given back."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._turn = trio.Lock()
        self._given_back = trio.Event()

    @asynccontextmanager
    async def place(self, size: int) -> AsyncIterator[None]:
        """Wait for so many, and hold them inside. First come, first served: nobody is overtaken by
        those who need less."""
        async with self._turn:
            while self._free < size:
                self._given_back = trio.Event()
                await self._given_back.wait()
            self._free -= size
        try:
            yield
        finally:
            self._free += size
            self._given_back.set()


class Bounded:
    """ASGI middleware: hands on whole bodies only."""

    def __init__(
        self,
        app: ASGIApp,
        bytes_max: int = BODY_BYTES_MAX,
        seconds_max: float = BODY_SECONDS_MAX,
        room_bytes: int = ROOM_BYTES,
    ) -> None:
        """``room_bytes`` must have room for ``bytes_max``."""
        self._app = app
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._room = Room(room_bytes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        first = await receive()
        if first.get("more_body", False):
            async with self._room.place(_announced(scope, self._bytes_max)):
                await self._serve(first, scope, receive, send)
        else:
            await self._serve(first, scope, receive, send)

    async def _serve(self, first: Message, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._read(first, receive)
        except ApiError as error:
            response = error_answer(error, str(uuid4()))
            response.headers["connection"] = "close"
            await response(scope, receive, send)
        except _Gone:
            return
        else:
            await self._app(scope, _replay(body, receive), send)

    async def _read(self, first: Message, receive: Receive) -> bytes:
        if first["type"] == "http.disconnect":
            raise _Gone
        body: bytes = first.get("body", b"")
        # Most bodies are one piece, which needs no clock: the server has one for every piece.
        if first.get("more_body", False):
            return await self._read_on(body, receive)
        return self._checked(body)

    async def _read_on(self, first: bytes, receive: Receive) -> bytes:
        kept = bytearray(first)
        more = True
        with trio.move_on_after(self._seconds_max):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                # A body that is too large is still read to its end: a client that is cut off while
                # it sends does not see the answer.
                if len(kept) <= self._bytes_max:
                    kept += message.get("body", b"")
                more = message.get("more_body", False)
        body = self._checked(bytes(kept))
        if more:
            raise ApiError(TOO_SLOW, f"The request took longer than {self._seconds_max:g} seconds")
        return body

    def _checked(self, body: bytes) -> bytes:
        if len(body) > self._bytes_max:
            raise ApiError(TOO_LARGE, f"The request has more than {self._bytes_max} bytes")
        return body


def _announced(scope: Scope, bytes_max: int) -> int:
    """How many bytes of the body are to be kept at most."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return min(int(length), bytes_max) if length.isdigit() else bytes_max


def _replay(body: bytes, receive: Receive) -> Receive:
    whole: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return whole.pop() if whole else await receive()

    return receive_again
