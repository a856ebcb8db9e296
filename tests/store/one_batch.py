"""How a test makes the SQLite writer put several units into one transaction, in a known order."""

from __future__ import annotations

import threading

import trio
import trio.testing


async def commit_in_one_batch(store, units) -> list[type[Exception] | None]:
    """Queue the units one after the other while the writer is held up; what became of each."""
    gate = threading.Event()
    outcomes: list[type[Exception] | None] = [None] * len(units)

    async def commit(place, unit):
        try:
            await store.commit(unit)
        except Exception as error:
            outcomes[place] = type(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(store._writer.do, lambda _: gate.wait())
        for place, unit in enumerate(units):
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(commit, place, unit)
        await trio.testing.wait_all_tasks_blocked()
        gate.set()
    return outcomes
