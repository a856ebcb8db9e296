"""Connections that know whether an answer can be the answer to what was asked.

A receiver that answers twice leaves its second answer in the parser's buffer, where it would be
taken for the answer to the next request: that one's notification would count as accepted, and
nobody has it. An answer for which nothing was read since the request was written is such a one.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Any

import httpcore


class AttentiveStream(httpcore.AsyncNetworkStream):
    """A connection that remembers which was last: writing or reading."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self.heard = False
        """Whether something was read since the last write."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read what has come."""
        data = await self._inner.read(max_bytes, timeout)
        self.heard = True
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        self.heard = False
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Hang up."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The same connection under TLS."""
        return AttentiveStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """Part of httpcore's seam."""
        return self._inner.get_extra_info(info)


class Attentive(httpcore.AsyncNetworkBackend):
    """Opens attentive connections."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect."""
        connecting = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return AttentiveStream(await connecting)

    async def sleep(self, seconds: float) -> None:
        """Part of httpcore's seam."""
        await self._inner.sleep(seconds)
