"""The socket of one connection: reading, writing within a time, and hanging up politely.

It works on the plain socket under trio's ``wait_readable`` and ``wait_writable``, since a write
that the kernel takes at once needs no turn of the scheduler.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

import trio

_READ_BYTES: Final = 65_536


class ClientGone(OSError):
    """The client has hung up, or does not take its answer; what is sent from now on is lost."""


class Peer:
    """The other end of an accepted connection."""

    def __init__(self, connected: socket.socket, write_seconds: float) -> None:
        """``connected`` must not block; it belongs to this object from now on."""
        self._socket = connected
        self._write_seconds = write_seconds

    async def receive(self) -> bytes:
        """What has come; nothing once the client has closed its side or the connection broke.

        Cancelling it loses nothing.
        """
        while True:
            await trio.lowlevel.wait_readable(self._socket)
            if (data := self.received()) is not None:
                return data

    def received(self) -> bytes | None:
        """As ``receive``, of what has come by now; None where that is nothing."""
        try:
            return self._socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            return b""

    async def send(self, data: bytes) -> None:
        """Write all of it. Raises ClientGone, after which nothing more can be sent."""
        rest = data[self._written(data) :]
        if not rest:
            return
        with trio.move_on_after(self._write_seconds):
            await self._send_slowly(memoryview(rest))
            return
        # Whoever waits in ``receive`` is told by this, as by a client that hangs up.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        raise ClientGone("the client does not read its answer")

    async def _send_slowly(self, rest: memoryview) -> None:
        while rest:
            await trio.lowlevel.wait_writable(self._socket)
            rest = rest[self._written(rest) :]

    def _written(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            raise ClientGone(str(error)) from error

    async def linger(self, seconds: float) -> None:
        """End our side, and read what still comes for a while.

        A socket that is closed with bytes unread resets the connection, and the client may lose
        the answer that it has not read yet.
        """
        with suppress(OSError), trio.move_on_after(seconds):
            self._socket.shutdown(socket.SHUT_WR)
            while await self.receive():
                pass

    def close(self) -> None:
        """Hang up; nobody may be waiting for the socket any more."""
        self._socket.close()
