"""HTTP for calls of tasks: one request, whose answer is waited for as long as it takes and read up
to a limit."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

import httpcore
import trio

from gateway.http.attentive import Attentive, AttentiveStream
from gateway.http.kept import Body, KeptConnections

_CONNECT_SECONDS: Final = 10.0
_ERRORS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)

Headers = Iterable[tuple[str, str]]


class Unanswered(Exception):
    """There is no answer, or none that can be the one to this call."""


class TooLarge(Exception):
    """The answer is longer than anybody would want it."""


class Reply(NamedTuple):
    """What was answered."""

    status: int
    headers: list[tuple[str, str]]
    """As they came."""
    body: bytes

    def header(self, name: str) -> str | None:
        """A header by its name in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Transport(Protocol):
    """What takes a request somewhere."""

    async def request(
        self, method: str, url: str, headers: Headers, body: bytes, most_bytes: int
    ) -> Reply:
        """As ``Connections.request``."""
        ...


class Connections:
    """Requests, over connections that are kept for the next call."""

    def __init__(self, trust: ssl.SSLContext) -> None:
        self._kept = KeptConnections(trust, Attentive(httpcore.TrioBackend()))

    async def request(
        self, method: str, url: str, headers: Headers, body: bytes, most_bytes: int
    ) -> Reply:
        """Whatever status was answered. Raises Unanswered and, where the answer has more than
        ``most_bytes``, TooLarge."""
        limits = {"timeout": {"connect": _CONNECT_SECONDS}}
        try:
            async with (
                self._kept.to(httpcore.URL(url).origin) as connection,
                connection.stream(
                    method,
                    url,
                    headers=[*headers, ("Content-Length", str(len(body)))],
                    content=Body(body),
                    extensions=limits,
                ) as response,
            ):
                return await _read(response, most_bytes)
        except _ERRORS as failure:
            raise Unanswered(f"{type(failure).__name__}: {failure}".rstrip(": ")) from None

    async def aclose(self) -> None:
        """Close those that are idle."""
        await self._kept.aclose()


async def _read(response: httpcore.Response, most_bytes: int) -> Reply:
    stream = response.extensions.get("network_stream")
    if isinstance(stream, AttentiveStream) and not stream.heard:
        # Raised before the rest is read, so that the connection is closed and not used again.
        raise Unanswered("the answer came before the request: the far side answers twice")
    body = bytearray()
    # httpcore's generators unwind in order only where the reading itself is cut.
    with trio.CancelScope() as scope:
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > most_bytes:
                scope.cancel()
    if scope.cancel_called:
        raise TooLarge
    headers = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers
    ]
    return Reply(response.status, headers, bytes(body))
