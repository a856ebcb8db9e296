"""The outbox: which sinks hear of what, and the pumps that tell them.

The engine asks it for the notification rows of a status and commits them with the records that
caused them; from then on they are the pumps' affair until they are accepted or letters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any
from uuid import UUID, uuid5

import orjson
import trio

from gateway.engine.metrics import Metrics
from gateway.engine.sink_pump import SinkPump
from gateway.engine.sink_route import SinkRoute
from gateway.engine.status_change import status_change_event
from gateway.sinks.protocol import Outlet
from gateway.store.changes import Change, Insert, Upsert
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow, NotificationRow

__all__ = ["Outbox", "SinkRoute"]

_IDS = UUID("6f1c8f0e-2a55-4c0b-9a57-0d6a1c5e2b11")
"""Namespace of the notifications' ids; never to be changed."""


class Outbox:
    """Keeps one pump for each sink, and for each that still has notifications but no settings."""

    def __init__(
        self,
        store: Store,
        outlet_for: Callable[[str], Outlet],
        now: Callable[[], int],
        metrics: Metrics,
        dice: Random | None = None,
    ) -> None:
        """``outlet_for`` is asked once for each sink's name; ``dice`` are for the jitter."""
        self._store = store
        self._outlet_for = outlet_for
        self._now = now
        self._metrics = metrics
        self._dice = dice or Random()
        self._routes: dict[str, SinkRoute] = {}
        self._pumps: dict[str, SinkPump] = {}
        self._changed = trio.Event()

    def configure(self, routes: Iterable[SinkRoute]) -> None:
        """From now on these are the sinks. What waits for one that is not among them becomes
        letters; one that had answered 410 is open again."""
        self._routes = {route.name: route for route in routes}
        self._changed.set()

    def has_sink(self, name: str) -> bool:
        """Whether a notification for this sink would be sent."""
        return name in self._routes

    def inserts(self, row: ExecutionRow, machine_name: str) -> list[Insert]:
        """The notifications of the status that the execution has now, one for each sink that wants
        one; to be committed in the unit that gives it the status."""
        return [
            Insert(_notification(row, route.name))
            for route in self._routes.values()
            if route.wants(row, machine_name)
        ]

    def committed(self, unit: Sequence[Change]) -> None:
        """Wake the pumps of those sinks that the unit has notifications for."""
        for change in unit:
            match change:
                case Insert(NotificationRow(sink=sink)) | Upsert(NotificationRow(sink=sink)) if (
                    sink in self._pumps
                ):
                    self._pumps[sink].wake()
                case _:
                    pass

    def wake(self) -> None:
        """Wake all pumps: there may be notifications for any sink."""
        for pump in self._pumps.values():
            pump.wake()

    async def status(self) -> dict[str, dict[str, Any]]:
        """By sink, for /healthz: what its pump says, and how many notifications are ``waiting``."""
        # Where nobody is told of anything, there is nothing to count.
        waiting = (await self._store.stats()).notifications if self._pumps else {}
        return {
            name: {**pump.status(), "waiting": waiting.get(name, 0)}
            for name, pump in self._pumps.items()
        }

    async def run(self) -> None:
        """Keep the pumps going until cancelled. A failure of the store ends it."""
        orphans = (await self._store.stats()).notifications
        async with trio.open_nursery() as nursery:
            while True:
                self._changed = trio.Event()
                for name in sorted({*self._routes, *self._pumps, *orphans}):
                    if name not in self._pumps:
                        self._pumps[name] = self._pump(name)
                        nursery.start_soon(self._pumps[name].run)
                    self._pumps[name].configure(self._routes.get(name))
                await self._changed.wait()

    def _pump(self, name: str) -> SinkPump:
        outlet = self._outlet_for(name)
        return SinkPump(name, self._store, outlet, self._now, self._metrics, self._dice)


def _notification(row: ExecutionRow, sink: str) -> NotificationRow:
    at = row.stop_at or row.redriven_at or row.start_at
    # start_at is part of it, because a name may be used again when its execution is no longer kept.
    identity = str(uuid5(_IDS, f"{row.arn}|{row.start_at}|{row.redrives}|{row.status}|{sink}"))
    return NotificationRow(
        id=identity,
        sink=sink,
        execution=row.id,
        sequence=2 * row.redrives + (row.status != "RUNNING"),
        body=orjson.dumps(status_change_event(row, identity)).decode(),
        created_at=at,
        due=at,
    )
