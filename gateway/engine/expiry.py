"""The pump that ends what has run for longer than any execution may: a year, as at AWS.

A row of its own for each execution's last day would cost every start; looking for those that are so
old costs one query an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import trio

from gateway.asl import stimuli
from gateway.engine.door import Door
from gateway.store.failures import StoreFull
from gateway.store.protocol import ExecutionFilter, Page, Store

LONGEST_SECONDS: Final = 366 * 86_400
"""A wait of a year, leap year or not, still ends by itself."""
EVERY_SECONDS: Final = 3_600.0
_PAGE: Final = 100


async def expire_forever(store: Store, door: Door, now: Callable[[], int]) -> None:
    """Time out old executions, once an hour, until cancelled."""
    while True:
        with suppress(StoreFull):
            await _expire(store, door, now() - LONGEST_SECONDS * 1000)
        await trio.sleep(EVERY_SECONDS)


async def _expire(store: Store, door: Door, started_before: int) -> None:
    old = ExecutionFilter(status="RUNNING", started_before=started_before)
    after: str | None = None
    while True:
        listing = await store.executions(old, Page(_PAGE, after))
        for row in listing.rows:
            await door.handle_for_pump(row.id, stimuli.Expire())
        after = listing.after
        if after is None:
            return
