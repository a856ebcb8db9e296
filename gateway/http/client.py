"""An HTTP/1.1 client over connections that are kept for the next request to the same place.

httpcore makes the connections (the seam where a guard sits) and httptools parses the answers: with
httpcore's own parser and pool, a request costs three times the CPU. Cookies, redirects and decoding
are unwanted. What fails raises httpcore's errors.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import takewhile
from time import monotonic
from typing import Final, NamedTuple

import httpcore
import httptools
import trio

_PORTS: Final = {"http": 80, "https": 443}
_IDLE_SECONDS: Final = 30.0
_READ_BYTES: Final = 65_536
_HEAD_BYTES_MAX: Final = 65_536
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_TARGET: Final = re.compile(rb"[\x21-\x7e]+")

Headers = Iterable[tuple[str, str]]


class UnknownHost(httpcore.ConnectError):
    """The name of the far side does not resolve."""


class Response:
    """An answer whose head has come; its body is taken piece by piece."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, *, bodiless: bool) -> None:
        """``bodiless``: as the answer to HEAD is, whatever its headers say."""
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        """As they came."""
        self._stream = stream
        self._parser = httptools.HttpResponseParser(self)
        self._bodiless = bodiless
        self._pieces: list[bytes] = []
        self._has_head = False
        self._whole = False
        self._stays = False

    @property
    def leaves_connection_good(self) -> bool:
        """Whether all of it has been taken, nothing came behind it, and the far side goes on."""
        return self._whole and self._stays and not self._pieces

    async def piece(self) -> bytes:
        """The next piece of the body; nothing at its end."""
        read = 0
        while not self._pieces and not self._whole:
            read += await self._read()
            if read > _HEAD_BYTES_MAX and not self._pieces and not self._whole:
                said = f"over {_HEAD_BYTES_MAX} bytes that belong to no body"
                raise httpcore.RemoteProtocolError(said)
        return self._pieces.pop(0) if self._pieces else b""

    async def head(self) -> None:
        """Read until status and headers are there."""
        read = 0
        while not self._has_head:
            read += await self._read()
            if read > _HEAD_BYTES_MAX and not self._has_head:
                raise httpcore.RemoteProtocolError(f"a head of over {_HEAD_BYTES_MAX} bytes")

    async def _read(self) -> int:
        data = await self._stream.read(_READ_BYTES)
        if data:
            self._feed(data)
        elif self._has_head and self._ends_with_connection():
            self._whole = True
        else:
            raise httpcore.RemoteProtocolError("the far side hung up before its answer was whole")
        return len(data)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as wrong:
            if not self._whole:
                raise httpcore.RemoteProtocolError(f"no HTTP: {wrong}") from None
            self._stays = False

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return not names & {"content-length", "transfer-encoding"}

    # ------------------------------------------------------------- what the parser calls
    def on_message_begin(self) -> None:
        """Behind a whole answer, this is one that nobody asked for."""
        self._stays = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; what comes behind a body is dropped."""
        if not self._has_head:
            self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """An answer of 1xx only goes before the answer."""
        if self._whole:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self.headers.clear()
            return
        self.status = status
        self._has_head = True
        self._whole = self._bodiless

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if not self._whole:
            self._pieces.append(data)

    def on_message_complete(self) -> None:
        """Only now the parser knows whether the connection stays."""
        if self._has_head and not self._whole:
            self._whole = True
            self._stays = self._parser.should_keep_alive()


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int


class Client:
    """Each connection serves one request at a time; how many there are is how many requests are
    made at once, which is the callers' to bound."""

    def __init__(self, trust: ssl.SSLContext, network: httpcore.AsyncNetworkBackend) -> None:
        self._trust = trust
        self._network = network
        self._idle: dict[_Origin, list[tuple[float, httpcore.AsyncNetworkStream]]] = {}
        """Since when each is idle; the last one was used last."""

    @asynccontextmanager
    async def ask(
        self,
        method: str,
        url: str,
        headers: Headers,
        body: bytes,
        *,
        connect_seconds: float | None = None,
    ) -> AsyncIterator[Response]:
        """One request; its answer, whatever its status. Host and Content-Length are added.

        Raises httpcore's NetworkError, TimeoutException (of ``connect_seconds``) and ProtocolError.
        """
        place = httpcore.URL(url)
        request = _request(method, place, headers, body)
        origin = _origin(place)
        stream = await self._take(origin) or await self._open(origin, connect_seconds)
        response = Response(stream, bodiless=method == "HEAD")
        good = False
        try:
            await stream.write(request)
            await response.head()
            yield response
            good = response.leaves_connection_good
        finally:
            if good:
                self._idle.setdefault(origin, []).append((monotonic(), stream))
            else:
                await _close(stream)

    async def _open(
        self, origin: _Origin, connect_seconds: float | None
    ) -> httpcore.AsyncNetworkStream:
        try:
            stream = await self._network.connect_tcp(origin.host, origin.port, connect_seconds)
        except httpcore.ConnectError as failure:
            if isinstance(failure.__cause__, socket.gaierror):
                raise UnknownHost(f"{origin.host}: {failure.__cause__.strerror}") from failure
            raise
        if origin.scheme == "http":
            return stream
        return await stream.start_tls(self._trust, origin.host, connect_seconds)

    async def _take(self, origin: _Origin) -> httpcore.AsyncNetworkStream | None:
        """The one that was used last, if it is still good.

        One on which something can be read has been closed by the far side, or has an answer that
        nobody asked for: it would be taken for the answer to the next request.
        """
        await self._close_old()
        idle = self._idle.get(origin, [])
        while idle:
            _, stream = idle.pop()
            if not stream.get_extra_info("is_readable"):
                return stream
            await _close(stream)
        return None

    async def _close_old(self) -> None:
        """Also those of places that are not asked again, of which there may be no end."""
        oldest = monotonic() - _IDLE_SECONDS
        for origin, idle in list(self._idle.items()):
            old = list(takewhile(lambda each: each[0] < oldest, idle))
            del idle[: len(old)]
            if not idle:
                del self._idle[origin]
            for _, stream in old:
                await _close(stream)

    async def aclose(self) -> None:
        """Close those that are idle; no request may be under way."""
        for idle in self._idle.values():
            while idle:
                await _close(idle.pop()[1])


def _origin(url: httpcore.URL) -> _Origin:
    scheme = url.scheme.decode("ascii")
    if scheme not in _PORTS:
        raise httpcore.UnsupportedProtocol(f"a URL of the scheme {scheme!r}: only http and https")
    return _Origin(scheme, url.host.decode("ascii"), url.port or _PORTS[scheme])


def _request(method: str, url: httpcore.URL, headers: Headers, body: bytes) -> bytes:
    lines = [f"{method} {_target(url)} HTTP/1.1"]
    named = set()
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise httpcore.LocalProtocolError(f"a header breaks HTTP's rules: {name!r}")
        named.add(name.lower())
        lines.append(f"{name}: {value}")
    if "host" not in named:
        lines.insert(1, f"Host: {_host(url)}")
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    try:
        return "\r\n".join(lines).encode("latin-1") + body
    except UnicodeEncodeError:
        raise httpcore.LocalProtocolError("a header is not Latin-1") from None


def _target(url: httpcore.URL) -> str:
    if not _TARGET.fullmatch(url.target):
        raise httpcore.LocalProtocolError("the URL has characters that have to be escaped")
    return url.target.decode("ascii")


def _host(url: httpcore.URL) -> str:
    host = url.host.decode("ascii")
    host = f"[{host}]" if ":" in host else host
    return host if url.port is None else f"{host}:{url.port}"


async def _close(stream: httpcore.AsyncNetworkStream) -> None:
    with trio.CancelScope(shield=True):
        await stream.aclose()
