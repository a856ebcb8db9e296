"""One request and its answer, as the ASGI application sees them."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import trio

from gateway.http.peer import ClientGone, Peer
from gateway.http.reader import RequestReader
from gateway.http.requests import Body, End, Event, Head, Malformed
from gateway.http.responses import ResponseEncoder

Message: TypeAlias = MutableMapping[str, Any]
Address: TypeAlias = tuple[str, int]

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_ASGI: Final = {"version": "3.0", "spec_version": "2.4"}


class Exchange:
    """Gives the application its ``receive`` and ``send``."""

    def __init__(
        self,
        head: Head,
        reader: RequestReader,
        peer: Peer,
        encoder: ResponseEncoder,
        body_deadline: float,
        may_stay: Callable[[], bool],
    ) -> None:
        """``body_deadline``: in trio's time; ``may_stay``: the server keeps the connection."""
        self._reader = reader
        self._peer = peer
        self._encoder = encoder
        self._body_deadline = body_deadline
        self._may_stay = may_stay
        self._continue = head.expects_continue
        self._whole = reader.take_end()
        self._handed_on = False
        self._cut = False
        self._failed = False
        self.malformed: Malformed | None = None
        """What came instead of the rest of the body."""

    @property
    def begun(self) -> bool:
        """Whether some of the answer has been written."""
        return self._encoder.begun

    @property
    def answered(self) -> bool:
        """Whether the whole answer has been written."""
        return self._encoder.complete and not self._failed

    @property
    def reusable(self) -> bool:
        """Whether the connection can take another request after this one."""
        return self.answered and self._encoder.keep_alive

    @property
    def unread(self) -> bool:
        """Whether some of the request was not read."""
        return not self._whole

    async def receive(self) -> Message:
        """ASGI: the next piece of the body, or that the client has gone."""
        if not self._handed_on and not self._cut and not self._encoder.complete:
            data = b"" if self._whole else await self._piece()
            if data is not None:
                self._handed_on = self._whole
                return {"type": "http.request", "body": data, "more_body": not self._whole}
        elif self._whole and not self._encoder.complete:
            await self._reader.until_gone()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI: a part of the answer. Raises ClientGone where nobody takes it any more."""
        stay = self._whole and self._may_stay()
        data = self._encoder.encode(message, may_stay=stay)
        if data:
            # An interim answer has no place behind the head of the final one.
            self._continue = False
            await self._write(data)

    async def _piece(self) -> bytes | None:
        """The bytes that have come, once there are some; None: there will be no more of them."""
        if self._continue and not self._reader.ready():
            await self._write(_CONTINUE)
        self._continue = False
        match await self._next_event():
            case Body(data):
                pieces = [data, *self._reader.take_body()]
                self._whole = self._reader.take_end()
                return b"".join(pieces)
            case End():
                self._whole = True
                return b""
            case Malformed() as malformed:
                self.malformed = malformed
            case _:
                pass
        self._cut = True
        return None

    async def _next_event(self) -> Event | None:
        if self._reader.ready():
            return await self._reader.next_event()
        with trio.CancelScope(deadline=self._body_deadline):
            return await self._reader.next_event()
        return Malformed(408, "the body did not come in time")

    async def _write(self, data: bytes) -> None:
        try:
            await self._peer.send(data)
        except ClientGone:
            self._failed = True
            raise


def scope_of(head: Head, client: Address | None, server: Address | None) -> dict[str, Any]:
    """ASGI's scope of the request."""
    path, _, query = head.target.partition(b"?")
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": head.version,
        "method": head.method,
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": head.headers,
        "client": client,
        "server": server,
    }
