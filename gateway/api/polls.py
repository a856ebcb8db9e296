"""Long polls: they end when their caller goes or the server closes.

What was handed out to a caller that has gone meanwhile goes back.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

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

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
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
        """Send the answer; where the caller has gone before it was written, give back what it got.

        Nobody may ``watch`` any more: the caller is looked for once, just before. One that has gone
        by then cannot have read its task, one that goes later may have.
        """
        whole = False
        try:
            with trio.CancelScope() as now:
                now.cancel()
                await self.watch(now)
            if not self._gone:
                await response(self._scope, self._receive, self._send)
                whole = True
        finally:
            if handed is not None and not whole:
                with trio.move_on_after(_GIVE_BACK_SECONDS, shield=True):
                    await handed.give_back()
