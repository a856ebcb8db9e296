"""What one client sends, in order: the socket's bytes through the parser."""

from __future__ import annotations

from collections import deque
from typing import Final

import trio

from gateway.http.limits import Limits
from gateway.http.peer import Peer
from gateway.http.requests import Body, End, Event, RequestParser

_AHEAD_BYTES_MAX: Final = 65_536


class RequestReader:
    """Reads only while nothing that was read waits to be taken, so what it keeps is bounded."""

    def __init__(self, peer: Peer, limits: Limits) -> None:
        self._peer = peer
        self._parser = RequestParser(limits)
        self._events: deque[Event] = self._parser.events

    @property
    def idle(self) -> bool:
        """Whether nothing of a next request has come yet."""
        return self._parser.idle

    async def next_event(self) -> Event | None:
        """What came next; None once the client has closed its side."""
        while not self._events:
            if not await self.more():
                return None
        return self._events.popleft()

    async def more(self) -> bool:
        """Read once; False once the client has closed its side."""
        data = await self._peer.receive()
        if data:
            self._parser.feed(data)
        return bool(data)

    def ready(self) -> bool:
        """Whether ``next_event`` has something at once."""
        return bool(self._events)

    def take_body(self) -> list[bytes]:
        """The pieces of the body that have come already."""
        pieces = []
        while self._events and isinstance(self._events[0], Body):
            pieces.append(self._events[0].data)
            self._events.popleft()
        return pieces

    def take_end(self) -> bool:
        """Whether the end of the request has come already; it is taken, if so."""
        if self._events and isinstance(self._events[0], End):
            self._events.popleft()
            return True
        return False

    async def until_gone(self) -> None:
        """Return when the client has closed its side; requests that it sends ahead are kept.

        One that has closed it by now is seen even by a caller that is cancelled. One that sends too
        much ahead is not read on, so its going is not seen.
        """
        ahead = 0
        while ahead <= _AHEAD_BYTES_MAX:
            data = self._peer.received()
            if data is None:
                data = await self._peer.receive()
            if not data:
                return
            self._parser.feed(data)
            ahead += len(data)
        await trio.sleep_forever()
