"""What a store keeps of Distributed Maps: the part of ``gateway.store.protocol`` that is theirs.

A map run is a row of its parent, kept as long as the parent is. Each child (a batch of items, or
one) is a row of the run: a standard child from its start on, an Express one when it has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

MapRunKey: TypeAlias = tuple[int, int]
"""Parent and number of a map run."""


class MapRunRow(NamedTuple):
    """One run of a Distributed Map. Key: (execution, number); the ARN is unique, too."""

    execution: int
    """The parent."""
    number: int
    """What the parent waits for."""
    arn: str
    status: str
    """RUNNING | SUCCEEDED | FAILED | ABORTED"""
    started_at: int
    max_concurrency: int
    tolerated_failure_count: int
    tolerated_failure_percentage: float
    total: int | None
    """How many items there are; None until a reader has read them all."""
    stop_at: int | None = None
    open: bool = True
    """Whether there is something to be done yet: children to start, or to stop."""
    redrives: int = 0
    redriven_at: int | None = None


def machine_of(run: MapRunRow) -> str:
    """The ARN of the state machine that the children run: ``…:mapRun:<machine>/<label>:<UUID>`` ->
    ``…:stateMachine:<machine>/<label>``."""
    return run.arn.rpartition(":")[0].replace(":mapRun:", ":stateMachine:")


class MapItemRow(NamedTuple):
    """What became of one child. Key: (execution, number, item)."""

    execution: int
    number: int
    item: int
    """Index of its first item."""
    items: int
    """How many items it has."""
    status: str
    """That of its execution, or PENDING_REDRIVE for one that has failed and is to run again."""
    child: int
    """Id of its execution; 0 for an Express one."""
    output: str | None = None
    """Of an Express one; a standard one's stands in its execution."""
    error: str | None = None
    cause: str | None = None
    input: str | None = None


class HoldMapRun(NamedTuple):
    """The unit stands only if this map run is RUNNING: none of its children starts afterwards."""

    execution: int
    number: int


class EndMapRun(NamedTuple):
    """The map run's status turns final, unless it has. Its children may have to be stopped yet."""

    execution: int
    number: int
    status: str
    stop_at: int


class CloseMapRun(NamedTuple):
    """All children of a map run that is over have ended: there is nothing to be done any more."""

    execution: int
    number: int


class RedriveMapRun(NamedTuple):
    """A map run that was over goes on."""

    execution: int
    number: int
    at: int


class RedriveMapItems(NamedTuple):
    """The children that have ended without success are to run again: PENDING_REDRIVE."""

    execution: int
    number: int


class CountMapRun(NamedTuple):
    """The reader has come to the end: so many items there are."""

    execution: int
    number: int
    total: int


class LimitMapRun(NamedTuple):
    """UpdateMapRun."""

    execution: int
    number: int
    max_concurrency: int
    tolerated_failure_count: int
    tolerated_failure_percentage: float


class EndMapItem(NamedTuple):
    """A standard child has ended, or runs again."""

    execution: int
    number: int
    item: int
    status: str


MapRunChange: TypeAlias = (
    HoldMapRun
    | EndMapRun
    | CloseMapRun
    | RedriveMapRun
    | RedriveMapItems
    | CountMapRun
    | LimitMapRun
    | EndMapItem
)


class MapItem(NamedTuple):
    """How far one child is."""

    item: int
    items: int
    status: str
    child: int


class MapRunCounts(NamedTuple):
    """Children and items of one status."""

    executions: int
    items: int


class ItemResult(NamedTuple):
    """What one child leaves for its parent and for the files of a ResultWriter."""

    item: int
    status: str
    input: str | None
    output: str | None
    error: str | None
    cause: str | None
    arn: str | None
    """None for an Express child, and so are the members that follow."""
    name: str | None
    machine_arn: str | None
    start_at: int | None
    stop_at: int | None
    redrives: int = 0


class MapRunStore(Protocol):
    """The reads of ``Store`` that are about map runs."""

    async def open_map_runs(self) -> list[MapRunRow]:
        """Those with something to be done."""
        ...

    async def map_run(self, arn: str) -> MapRunRow | None:
        """The map run with this ARN."""
        ...

    async def map_runs(self, execution: int) -> list[MapRunRow]:
        """The map runs of one execution, by number."""
        ...

    async def map_items(
        self,
        execution: int,
        number: int,
        status: str | None = None,
        between: tuple[int, int] | None = None,
    ) -> Sequence[MapItem]:
        """The children of a map run by item: all, those of one status, or those whose first items
        lie between these two, both included."""
        ...

    async def map_counts(self, execution: int, number: int) -> dict[str, MapRunCounts]:
        """How many children and items there are by status."""
        ...

    async def map_results(
        self, execution: int, number: int, after: int, limit: int
    ) -> list[ItemResult]:
        """What the children leave whose first item comes after ``after``, by item."""
        ...
