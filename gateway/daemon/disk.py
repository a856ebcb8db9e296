"""A disk that does not answer: nothing fails, nothing goes on, and somebody has to be told."""

from __future__ import annotations

from collections.abc import Callable

import trio

STALLED_SECONDS = 5.0
_LOOK_SECONDS = 1.0


async def watch_disk(under_way_seconds: Callable[[], float], told: Callable[[bool], None]) -> None:
    """Until cancelled; ``told`` hears True when a transaction or a query has been under way for so
    long, and False when the disk answers again."""
    stalled = False
    while True:
        await trio.sleep(_LOOK_SECONDS)
        if (under_way_seconds() >= STALLED_SECONDS) != stalled:
            stalled = not stalled
            told(stalled)
