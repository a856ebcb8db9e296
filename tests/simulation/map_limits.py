"""What has to hold of the limits of map runs, which an operator changes while they are under way.

A run that is just reading, starting or writing something may still do so by the limits that it had:
any that was in force within the last seconds counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, Any

import orjson
import trio

from gateway.api.operations.map_runs import MapRunOperations
from gateway.asl.map_items import EXCEEDED, Child, too_many_failed
from gateway.asl.map_run_records import MapRunFailed
from gateway.asl.records import CODES
from gateway.engine.express import Express
from gateway.engine.express_children import ExpressChildren, Told
from gateway.engine.map_run_pump import PENDING_REDRIVE
from gateway.errors import ApiError
from gateway.store.changes import Insert, Unit, Upsert
from gateway.store.failures import StoreFull
from gateway.store.map_runs import (
    CountMapRun,
    EndMapItem,
    EndMapRun,
    LimitMapRun,
    MapItemRow,
    MapRunRow,
    RedriveMapItems,
    RedriveMapRun,
)
from gateway.store.protocol import Store
from gateway.store.rows import HistoryRow
from tests.simulation.people import Down

if TYPE_CHECKING:
    from tests.simulation.world import World

FAILURES = {"FAILED", "TIMED_OUT", "ABORTED"}
_GRACE_SECONDS = 5.0
"""For a start of children whose items are at hand; a slow disk takes more than two of them."""
_FAR_GRACE_SECONDS = 20.0
"""For what has to do with S3, which takes its time and may be asked again."""
_LIMITS = ("max_concurrency", "tolerated_failure_count", "tolerated_failure_percentage")
_Limits = tuple[int, int, float]


@dataclass(slots=True)
class _Run:
    total: int | None
    limits: list[tuple[float, _Limits]]
    """All that it ever had, and since when."""
    status: str = "RUNNING"
    children: dict[int, tuple[int, str]] = field(default_factory=dict)
    """How many items each has, and its status, by its first item."""

    def in_force(self, grace_seconds: float) -> Iterator[_Limits]:
        """Those by which it may just now go."""
        since = trio.current_time() - grace_seconds
        ends = [at for at, _ in self.limits[1:]] + [float("inf")]
        return (limits for (_, limits), end in zip(self.limits, ends, strict=True) if end >= since)

    def failed(self) -> int:
        """Items of children that have failed."""
        return sum(items for items, status in self.children.values() if status in FAILURES)

    def exceeded(self) -> set[bool]:
        """Whether too many have failed, by each of the limits."""
        failed = self.failed()
        limits = self.in_force(_FAR_GRACE_SECONDS)
        return {too_many_failed(failed, self.total, n, part) for _, n, part in limits}

    def running(self) -> int:
        """Children that run, of those that have rows while they do."""
        return [status for _, status in self.children.values()].count("RUNNING")

    def crowded(self, running: int) -> bool:
        """Whether more run at a time than any of the limits lets."""
        limits = self.in_force(_FAR_GRACE_SECONDS if self.total is None else _GRACE_SECONDS)
        return all(most and running > most for most, *_ in limits)


class MapLimits:
    """The limits of all runs, and what was done under them, as it is written."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self._runs: dict[tuple[int, int], _Run] = {}

    def had(self, key: tuple[int, int], given: dict[str, Any]) -> bool:
        """Whether the run ever had such limits."""
        every = (dict(zip(_LIMITS, limits, strict=True)) for _, limits in self._runs[key].limits)
        return any(given.items() <= each.items() for each in every)

    def written(self, unit: Unit) -> None:
        """A durable unit."""
        begun: set[tuple[int, int]] = set()
        for change in unit:
            match change:
                case Insert(MapRunRow() as row):
                    self._runs[row[:2]] = _Run(row.total, [(trio.current_time(), _limits(row))])
                case LimitMapRun():
                    self._runs[change[:2]].limits.append((trio.current_time(), _limits(change)))
                case CountMapRun():
                    self._runs[change[:2]].total = change.total
                case RedriveMapRun():
                    self._runs[change[:2]].status = "RUNNING"
                case EndMapRun():
                    self._end(change, unit)
                case _:
                    begun |= self._child(change)
        for key in begun:
            self._begun(key, self._runs[key].running())

    def express_children(
        self, express: Express, store: Store, run: MapRunRow, nursery: trio.Nursery
    ) -> ExpressChildren:
        """Those of a run, whose number is judged: they have no rows while they run."""
        return _Counted(partial(self._begun, run[:2]), express, store, run, nursery)

    def _begun(self, key: tuple[int, int], running: int) -> None:
        run = self._runs[key]
        if run.crowded(running):
            self.wrong.append(f"{running} children run at a time of {key}: {run}")

    def _child(self, change: Any) -> set[tuple[int, int]]:
        """Take note of children; of which run some may have begun."""
        match change:
            case Insert(MapItemRow() as row) | Upsert(MapItemRow() as row):
                self._runs[row[:2]].children[row.item] = (row.items, row.status)
                return {row[:2]}
            case EndMapItem():
                children = self._runs[change[:2]].children
                children[change.item] = (children[change.item][0], change.status)
                return {change[:2]} if change.status == "RUNNING" else set()
            case RedriveMapItems():
                children = self._runs[change[:2]].children
                for item, (items, status) in children.items():
                    if status in FAILURES:
                        children[item] = (items, PENDING_REDRIVE)
            case _:
                pass
        return set()

    def _end(self, end: EndMapRun, unit: Unit) -> None:
        run = self._runs[end[:2]]
        if run.status != "RUNNING":
            return
        run.status = end.status
        if run.status == "SUCCEEDED" and False not in run.exceeded():
            self.wrong.append(f"{end} although too many have failed: {run}")
        if run.status == "FAILED" and _is_exceeded(end, unit) and True not in run.exceeded():
            self.wrong.append(f"{end} although no more have failed than may: {run}")


class _Counted(ExpressChildren):
    """Express children that say how many run whenever some have begun."""

    def __init__(self, begun: Callable[[int], None], *means: Any) -> None:
        super().__init__(*means)
        self._begun = begun

    async def start(
        self, children: Sequence[Child], name: Callable[[Child], str], told: Told
    ) -> None:
        """Let them run."""
        await super().start(children, name, told)
        # Those that are being ended make room at once.
        self._begun(sum(not scope.cancel_called for scope in self._scopes))


def _limits(row: MapRunRow | LimitMapRun) -> _Limits:
    return row.max_concurrency, row.tolerated_failure_count, row.tolerated_failure_percentage


def _is_exceeded(end: EndMapRun, unit: Unit) -> bool:
    """Whether that is why the run has failed, and it is the only one that fails there."""
    ends = [change for change in unit if isinstance(change, EndMapRun)]
    failed = [each for each in ends if each.status == "FAILED"]
    rows = [each.row for each in unit if isinstance(each, Insert)]
    histories = [row for row in rows if isinstance(row, HistoryRow)]
    own = (orjson.loads(row.records) for row in histories if row.execution == end.execution)
    errors = {record[3] for record in chain(*own) if record[0] == CODES[MapRunFailed]}
    return failed == [end] and errors == {EXCEEDED[0]}


class Limiter:
    """Changes the limits of what is under way: UpdateMapRun."""

    def __init__(self, world: World, dice: Random) -> None:
        self.wrong: list[str] = []
        self._world = world
        self._dice = dice

    async def work(self) -> None:
        """Some times, if there is something that runs then."""
        pace = self._dice.choice((10, 60))
        for _ in range(40):
            await trio.sleep(self._dice.random() * pace)
            runs = self._world.disk.tables().map_runs.values()
            running = [run for run in runs if run.status == "RUNNING"]
            if running:
                await self._limit(self._dice.choice(running))

    async def _limit(self, run: MapRunRow) -> None:
        limits = [
            ("maxConcurrency", "max_concurrency", (0, 1, 2)),
            ("toleratedFailureCount", "tolerated_failure_count", (0, 1, 3)),
            ("toleratedFailurePercentage", "tolerated_failure_percentage", (0, 50, 100)),
        ]
        chosen = self._dice.sample(limits, self._dice.choice((1, 1, 2)))
        given = [(name, column, self._dice.choice(values)) for name, column, values in chosen]
        request = {"mapRunArn": run.arn, **{name: value for name, _, value in given}}
        try:
            await self._world.line.ask(lambda engine: MapRunOperations(engine).update(request))
        except (ApiError, Down, StoreFull):
            return
        self._world.trace.seen("API: a map run is given other limits")
        self._world.trace.say("person", "has given other limits", request)
        if not self._world.limits.had(run[:2], {column: value for _, column, value in given}):
            self.wrong.append(f"{run} was not given its limits {request}")
