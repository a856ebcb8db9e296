"""The pump that forgets: executions whose ``keep`` is over, and machines that are being deleted."""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog
import trio

from gateway.engine.catalog import Catalog
from gateway.store.failures import StoreFull
from gateway.store.protocol import Store

EVERY_SECONDS = 60.0
SHORTEST_SECONDS = 1.0
BATCH = 1_000
"""Executions of one call; others commit in between."""


async def sweep_forever(
    store: Store,
    catalog: Catalog,
    now: Callable[[], int],
    keep_seconds: Callable[[], float],
    spared: Callable[[], Collection[int]],
    log: structlog.stdlib.BoundLogger,
) -> None:
    """Once a minute, and as often as a shorter ``keep`` asks for, until cancelled; the ``spared``
    stay. A full disk is waited out."""
    while True:
        await trio.sleep(max(min(EVERY_SECONDS, keep_seconds()), SHORTEST_SECONDS))
        try:
            swept = await _sweep(store, now() - int(keep_seconds() * 1_000), spared)
            await catalog.reap()
        except StoreFull:
            log.warning("nothing past its keep can be deleted: the disk is full")
            continue
        if swept:
            log.info("executions past their keep are deleted", executions=swept)


async def _sweep(store: Store, before: int, spared: Callable[[], Collection[int]]) -> int:
    total = 0
    while swept := await store.sweep(before, BATCH, spared()):
        total += swept
    return total
