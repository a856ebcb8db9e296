"""One connection: its requests one after the other, until either side has had enough."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson
import trio
from structlog.stdlib import BoundLogger

from gateway.http.exchange import Address, Exchange, Message, scope_of
from gateway.http.limits import Limits
from gateway.http.peer import ClientGone, Peer
from gateway.http.reader import RequestReader
from gateway.http.requests import Event, Head, Malformed
from gateway.http.responses import DateHeader, ResponseEncoder

Application: TypeAlias = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
"""An ASGI 3 application."""

_NO_HEAD = Head("GET", b"/", "1.1", [], keep_alive=False, expects_continue=False)
"""What a refusal answers where no request could be read."""
_DEFECT = Malformed(500, "internal error")
"""The answer where the application gave none."""


@dataclass(frozen=True, slots=True)
class Service:
    """What all connections of a listener have in common."""

    app: Application
    limits: Limits
    log: BoundLogger
    date: DateHeader


class Connection:
    """Serves what comes over one accepted socket."""

    def __init__(
        self, service: Service, peer: Peer, client: Address | None, server: Address | None
    ) -> None:
        self._service = service
        self._limits = service.limits
        self._peer = peer
        self._client = client
        self._server = server
        self._reader = RequestReader(peer, service.limits)
        self._stopping = False
        self._waiting: trio.CancelScope | None = None

    async def run(self) -> None:
        """Serve until the connection ends; it is closed then."""
        try:
            while (head := await self._next_head()) is not None and await self._serve(head):
                # Requests that came ahead do not keep other connections waiting.
                if self._reader.ready():
                    await trio.lowlevel.checkpoint()
        except ClientGone:
            return
        finally:
            self._peer.close()

    def stop(self) -> None:
        """Close it when the request in work is answered, at once where there is none."""
        self._stopping = True
        if self._waiting is not None and self._reader.idle:
            self._waiting.cancel()

    async def _next_head(self) -> Head | None:
        """The next request's head; None: there is none, and the connection ends."""
        idle = self._reader.idle
        if self._stopping and idle:
            return None
        seconds = self._limits.idle_seconds if idle else self._limits.head_seconds
        event: Event | None = None
        with trio.CancelScope(deadline=trio.current_time() + seconds) as self._waiting:
            event = await self._first_event(self._waiting, idle)
        self._waiting = None
        match event:
            case Head():
                return event
            case Malformed():
                await self._refuse(event)
                return None
            case _:
                return None

    async def _first_event(self, waiting: trio.CancelScope, idle: bool) -> Event | None:
        while not self._reader.ready():
            if not await self._reader.more():
                return None
            # A deadline is moved only for a head that does not come whole: that has its price.
            if idle and not self._reader.ready():
                idle = False
                waiting.deadline = trio.current_time() + self._limits.head_seconds
        return await self._reader.next_event()

    async def _serve(self, head: Head) -> bool:
        """Whether the connection can take another request."""
        exchange = Exchange(
            head,
            self._reader,
            self._peer,
            ResponseEncoder(head, self._service.date),
            trio.current_time() + self._limits.body_seconds,
            lambda: not self._stopping,
        )
        scope = scope_of(head, self._client, self._server)
        try:
            await self._service.app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if not _is_gone(error):
                self._service.log.exception("request failed", path=scope["path"])
        if exchange.reusable:
            return True
        if not exchange.begun:
            await self._refuse(exchange.malformed or _DEFECT)
        elif exchange.answered and (exchange.unread or self._reader.ready()):
            await self._peer.linger(self._limits.linger_seconds)
        return False

    async def _refuse(self, malformed: Malformed) -> None:
        """Say what is wrong, as far as the client still listens."""
        encoder = ResponseEncoder(_NO_HEAD, self._service.date)
        headers = [(b"content-type", b"application/json")]
        start = {"type": "http.response.start", "status": malformed.status, "headers": headers}
        body = {"type": "http.response.body", "body": orjson.dumps({"message": malformed.reason})}
        await self._peer.send(b"".join(encoder.encode(m, may_stay=False) for m in (start, body)))
        await self._peer.linger(self._limits.linger_seconds)


def _is_gone(error: Exception) -> bool:
    """Whether all that happened is that the client went, in one task of the application or many."""
    if isinstance(error, ExceptionGroup):
        return error.split(ClientGone)[1] is None
    return isinstance(error, ClientGone)
