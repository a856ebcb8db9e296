"""HTTP for calls of tasks: one request, whose answer is waited for as long as it takes and read up
to a limit."""

from __future__ import annotations

import ssl
from typing import Final, NamedTuple, Protocol

import httpcore

from gateway.http.client import Client, Headers, Response, UnknownHost
from gateway.http.guard import PublicOnly
from gateway.http.sizes import TooLarge

_CONNECT_SECONDS: Final = 10.0
_ERRORS: Final = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


class Unanswered(Exception):
    """There is no answer, or none that can be the one to this call."""


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

    def __init__(self, trust: ssl.SSLContext, *, guarded: bool = False) -> None:
        """Guarded ones lead to public addresses only."""
        direct = httpcore.TrioBackend()
        self._client = Client(trust, PublicOnly(direct) if guarded else direct)

    async def request(
        self, method: str, url: str, headers: Headers, body: bytes, most_bytes: int
    ) -> Reply:
        """Whatever status was answered. Raises Unanswered and, where the answer has more than
        ``most_bytes``, TooLarge."""
        try:
            async with self._client.ask(
                method, url, headers, body, connect_seconds=_CONNECT_SECONDS
            ) as response:
                return await _read(response, most_bytes)
        except UnknownHost as failure:
            raise Unanswered(str(failure)) from None
        except _ERRORS as failure:
            raise Unanswered(f"{type(failure).__name__}: {failure}".rstrip(": ")) from None

    async def aclose(self) -> None:
        """Close those that are idle."""
        await self._client.aclose()


async def _read(response: Response, most_bytes: int) -> Reply:
    body = bytearray()
    while piece := await response.piece():
        body += piece
        if len(body) > most_bytes:
            raise TooLarge
    return Reply(response.status, response.headers, bytes(body))
