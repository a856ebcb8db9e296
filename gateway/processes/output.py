"""What a process writes, line by line into our log."""

from __future__ import annotations

from collections.abc import Callable

from trio.abc import ReceiveStream

_LONGEST = 16 * 1024
"""Bytes of a line; a longer one is logged in pieces, so that no process can fill our memory."""


async def each_line(stream: ReceiveStream, take: Callable[[str], None]) -> None:
    """Calls ``take`` with each line that is not empty, without its end, until the stream ends."""
    rest = b""
    async for chunk in stream:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            _tell(line, take)
        while len(rest) >= _LONGEST:
            _tell(rest[:_LONGEST], take)
            rest = rest[_LONGEST:]
    _tell(rest, take)


def _tell(line: bytes, take: Callable[[str], None]) -> None:
    if text := line.decode(errors="replace").rstrip():
        take(text)
