"""Connections that are kept for the next request to the same place.

httpcore's own pool asks every connection that it has, with a system call, whether it is still good
for each request and again after it: with thirty connections a third of what a post cost. Here the
one that was used last is asked.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpcore
import trio

_IDLE_SECONDS = 30.0


class KeptConnections:
    """Each serves one request at a time; how many there are is how many requests are made at once,
    which is the callers' to bound."""

    def __init__(self, trust: ssl.SSLContext, network: httpcore.AsyncNetworkBackend) -> None:
        self._trust = trust
        self._network = network
        self._idle: dict[str, list[httpcore.AsyncHTTPConnection]] = {}
        """By origin; the last one was used last."""

    @asynccontextmanager
    async def to(self, origin: httpcore.Origin) -> AsyncIterator[httpcore.AsyncHTTPConnection]:
        """A connection for one request; kept if it is good for another one afterwards."""
        idle = self._idle.setdefault(str(origin), [])
        connection = await self._take(idle) or httpcore.AsyncHTTPConnection(
            origin, self._trust, keepalive_expiry=_IDLE_SECONDS, network_backend=self._network
        )
        try:
            yield connection
        finally:
            if connection.is_idle():
                idle.append(connection)
            else:
                await _close(connection)

    async def _take(
        self, idle: list[httpcore.AsyncHTTPConnection]
    ) -> httpcore.AsyncHTTPConnection | None:
        """The one that was used last, if it is still good; those that are too old are closed."""
        while idle and idle[0].has_expired():
            await _close(idle.pop(0))
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await _close(connection)
        return None

    async def aclose(self) -> None:
        """Close those that are idle; no request may be under way."""
        for idle in self._idle.values():
            while idle:
                await _close(idle.pop())


async def _close(connection: httpcore.AsyncHTTPConnection) -> None:
    with trio.CancelScope(shield=True):
        await connection.aclose()


class Body:
    """A request's body, in one piece. httpcore's own is a generator, which is left unfinished where
    the connection breaks in the middle, and trio complains about such."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._given = False

    def __aiter__(self) -> Body:
        return self

    async def __anext__(self) -> bytes:
        if self._given:
            raise StopAsyncIteration
        self._given = True
        return self._content
