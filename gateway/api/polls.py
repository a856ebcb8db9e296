"""Long polls: they end when their caller goes or the server closes.

What was handed out to a caller that has gone meanwhile goes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Send

from gateway.api.operations.operation import HandOut

_GIVE_BACK_SECONDS: Final = 5.0


class Parked:
    """The polls that wait now."""

    def __init__(self) -> None:
        self._scopes: set[trio.CancelScope] = set()
        self._closed = False

    @contextmanager
    def poll(self) -> Iterator[trio.CancelScope]:
        """One poll waits inside; cancelled when ``close`` is called, at once if it was."""
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            if self._closed:
                scope.cancel()
            try:
                yield scope
            finally:
                self._scopes.discard(scope)

    def close(self) -> None:
        """End all polls, now and from now on."""
        self._closed = True
        for scope in self._scopes:
            scope.cancel()


class Caller:
    """Whoever waits for the answer to a poll."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._gone = False

    async def watch(self, parked: trio.CancelScope) -> None:
        """Return when the connection is closed, having cancelled the poll."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True
        parked.cancel()

    async def answer(self, response: HttpResponse, handed: HandOut | None) -> None:
        """Send the answer; where the caller has gone before it was whole, give back what it got.

        The last byte is held back until ``watch``, which has to be running, has had its turn: a
        caller that has gone by then cannot have read its task, one that goes later may have.
        """
        whole = False
        try:
            status, headers = response.status_code, response.raw_headers
            await self._send({"type": "http.response.start", "status": status, "headers": headers})
            body, last = response.body[:-1], response.body[-1:]
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            # The first is for the watch to be woken, the second for it to run.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            if not self._gone:
                await self._send({"type": "http.response.body", "body": last})
                whole = True
        finally:
            if handed is not None and not whole:
                with trio.move_on_after(_GIVE_BACK_SECONDS, shield=True):
                    await handed.give_back()
