"""An HTTP receiver on loopback that answers as it is told and remembers what it was sent."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import h11
import trio


@dataclass(frozen=True)
class Request:
    """One request as it came in; header names in lower case."""

    target: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What to answer. ``endless`` goes on sending; ``hang`` never begins; ``stall`` never ends."""

    status: int = 204
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    hang: bool = False
    stall: bool = False
    endless: bool = False


@dataclass
class Receiver:
    """Answers with ``replies`` in turn, then 204."""

    port: int = 0
    replies: deque[Reply] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hooks/stategate?a=b"

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection, for as many requests as come."""
        self.connections += 1
        wire = h11.Connection(h11.SERVER)
        with suppress(trio.BrokenResourceError, h11.RemoteProtocolError):
            while await self._exchange(wire, stream):
                wire.start_next_cycle()

    async def _exchange(self, wire: h11.Connection, stream: trio.SocketStream) -> bool:
        request = await self._request(wire, stream)
        if request is None:
            return False
        self.requests.append(request)
        reply = self.replies.popleft() if self.replies else Reply()
        if reply.hang:
            await trio.sleep_forever()
        length = [] if reply.endless or reply.stall else [("content-length", str(len(reply.body)))]
        head = h11.Response(status_code=reply.status, headers=[*reply.headers, *length])
        await stream.send_all(wire.send(head))
        if reply.stall:
            await trio.sleep_forever()
        while reply.endless:
            await stream.send_all(wire.send(h11.Data(data=b"x" * 65_536)))
        await stream.send_all(wire.send(h11.Data(data=reply.body)))
        await stream.send_all(wire.send(h11.EndOfMessage()))
        return True

    async def _request(self, wire: h11.Connection, stream: trio.SocketStream) -> Request | None:
        head, body = None, b""
        while True:
            match wire.next_event():
                case h11.NEED_DATA:
                    wire.receive_data(await stream.receive_some())
                case h11.Request() as head:
                    pass
                case h11.Data(data=data):
                    body += bytes(data)
                case h11.EndOfMessage():
                    assert head is not None
                    headers = {name.decode(): value.decode() for name, value in head.headers}
                    return Request(head.target.decode(), headers, body)
                case _:
                    return None


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver()
    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        receiver.port = listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, receiver.serve, [listener])
        yield receiver
        nursery.cancel_scope.cancel()
