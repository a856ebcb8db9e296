"""Step Functions for tasks: ``aws-sdk:sfn`` means this engine, asked as any client asks it.

It is asked in the process and not over its port, so that tasks are served for as long as they are
called: the port closes before them when the daemon stops, and it may be closed to who does not
sign.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
import trio
from starlette.types import Message

from gateway.api.operations import step_functions
from gateway.api.protocol import Protocol
from gateway.engine.engine import Engine
from gateway.tasks.protocol import Tools

if TYPE_CHECKING:
    from gateway.aws.connections import Reply
    from gateway.http.client import Headers


@contextmanager
def serve_tasks(engine: Engine, tools: Tools) -> Iterator[None]:
    """Answer the calls of tasks; polls for activities end with the context."""
    protocol = Protocol([step_functions(engine)], structlog.get_logger("api"))
    tools.aws.answer_own(_InProcess(protocol))
    try:
        yield
    finally:
        protocol.close()


class _InProcess:
    """Takes a request to the protocol without a connection."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    async def request(
        self, method: str, url: str, headers: Headers, body: bytes, _most_bytes: int
    ) -> Reply:
        """As ``Connections.request``; the protocol's answers have a limit of their own."""
        from gateway.aws.connections import Reply

        sent: list[Message] = []
        asked: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
        scope = {"type": "http", "method": method, "path": urlsplit(url).path, "headers": raw}

        async def receive() -> Message:
            if not asked:
                # Nobody hangs up: the caller waits for as long as it is there.
                await trio.sleep_forever()
            return asked.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        await self._protocol(scope, receive, send)
        start, *bodies = sent
        answered = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start["headers"]]
        return Reply(start["status"], answered, b"".join(part["body"] for part in bodies))
