"""How many requests of the listener are in work: a burst is waited out, a flood is sent away."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from gateway.errors import Unavailable
from gateway.sources.webhook_request import Refusal

_WAITING_PER_SLOT = 16
"""Requests that may wait for each one in work."""


class Slots:
    """So many requests are in work at a time; one more waits a while for its turn."""

    def __init__(self, count: int, seconds: float) -> None:
        """``seconds``: how long one may wait."""
        self._limiter = trio.CapacityLimiter(count)
        self._waiting_max = _WAITING_PER_SLOT * count
        self._seconds = seconds

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """One of the requests in work, waited for before anything of the body is read.

        Raises Refusal (429).
        """
        if self._limiter.statistics().tasks_waiting >= self._waiting_max:
            raise busy(1.0)
        with trio.move_on_after(self._seconds) as waiting:
            await self._limiter.acquire()
        if waiting.cancelled_caught:
            raise busy(1.0)
        try:
            yield
        finally:
            self._limiter.release()


def busy(seconds: float) -> Refusal:
    """No room for the request; there may be after so many seconds."""
    return Refusal(429, "as much is in work as may be: come back later", _retry_after(seconds))


def unavailable(error: Unavailable) -> Refusal:
    """Nothing can be taken now."""
    return Refusal(503, error.reason, _retry_after(error.retry_after or 5.0))


def _retry_after(seconds: float) -> dict[str, str]:
    return {"retry-after": str(max(1, math.ceil(seconds)))}
