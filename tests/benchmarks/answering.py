"""``python -m tests.benchmarks.answering PORT``: answers each POST with its own body, after the
seconds that its path says."""

from __future__ import annotations

import re
import sys

import trio

_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


async def answer(stream: trio.SocketStream) -> None:
    """One connection, request after request."""
    rest = b""
    async with stream:
        while True:
            while (end := rest.find(b"\r\n\r\n")) < 0:
                chunk = await stream.receive_some()
                if not chunk:
                    return
                rest += chunk
            head, rest = rest[:end], rest[end + 4 :]
            length = _LENGTH.search(head)
            missing = 0 if length is None else int(length[1])
            while len(rest) < missing:
                rest += await stream.receive_some()
            body, rest = rest[:missing], rest[missing:]
            await trio.sleep(float(head.split(b" ", 2)[1].strip(b"/") or 0))
            told = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            await stream.send_all(told + body)


async def serve(port: int) -> None:
    """Until ended."""
    listeners = await trio.open_tcp_listeners(port, host="127.0.0.1", backlog=2048)
    await trio.serve_listeners(answer, listeners)


if __name__ == "__main__":
    trio.run(serve, int(sys.argv[1]))
