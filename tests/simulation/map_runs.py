"""What has to hold of Distributed Maps: each item is started once, in one child, and counted
once. An Express child may run again where a crash has cut it off; it is counted once all the same.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from gateway.engine.map_run_pump import PENDING_REDRIVE
from gateway.store.changes import EndExecution, Insert, RedriveExecution, Unit, Upsert
from gateway.store.map_runs import MapItemRow, MapRunRow, RedriveMapItems
from gateway.store.rows import ExecutionRow
from tests.simulation.map_limits import FAILURES
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.life import Life
    from tests.simulation.world import World


class Lives:
    """How executions begin and end, as it is written."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self.children: set[int] = set()
        """Ids of children of map runs; nobody is told of them."""
        self.wrong: list[str] = []
        self._items: set[tuple[int | None, int | None, int | None]] = set()
        self._kept: dict[tuple[int, int, int], str] = {}
        """How the Express children of each run have ended, by first item."""
        self._over: dict[int, bool] = {}
        self._revisions: dict[int, int] = {}

    def written(self, unit: Unit) -> None:
        """A durable unit."""
        for change in unit:
            match change:
                case Insert(ExecutionRow() as row):
                    self._begun(row)
                case EndExecution(execution=execution):
                    if self._over[execution]:
                        self.wrong.append(f"execution {execution} ends twice")
                    self._over[execution] = True
                case RedriveExecution(execution=execution):
                    if not self._over[execution]:
                        self.wrong.append(f"execution {execution} is redriven while it runs")
                    self._over[execution] = False
                case Upsert(MapItemRow(child=0) as row):
                    self._keep(row)
                case RedriveMapItems(execution=execution, number=number):
                    self._forget_failures(execution, number)
                case _:
                    pass

    def _keep(self, row: MapItemRow) -> None:
        self._trace.seen("map run: an Express child has ended")
        place = row[:3]
        if place in self._kept:
            self.wrong.append(f"the Express child {place} is {self._kept[place]}, and ends again")
        self._kept[place] = row.status

    def _forget_failures(self, execution: int, number: int) -> None:
        for place, status in list(self._kept.items()):
            if place[:2] == (execution, number) and status in FAILURES:
                self._trace.seen("map run: an Express child is redriven")
                del self._kept[place]

    def _begun(self, row: ExecutionRow) -> None:
        self._over[row.id] = row.status != "RUNNING"
        self._revisions[row.id] = row.revision
        if row.item is None:
            return
        self.children.add(row.id)
        item = (row.parent, row.parent_number, row.item)
        if item in self._items:
            self.wrong.append(f"item {item} is started twice")
        self._items.add(item)
        if row.parent is None or row.revision != self._revisions[row.parent]:
            self.wrong.append(f"{row.arn} has another revision than its parent")

    def kept(self, row: ExecutionRow) -> bool:
        """Whether it still has the revision with which it began."""
        return self._revisions[row.id] == row.revision


def look(world: World) -> None:
    """The rows of runs, items and children say the same."""
    tables = world.disk.tables()
    children: Counter[tuple[int, int]] = Counter()
    for row in tables.executions.values():
        assert world.lives.kept(row), f"{row.arn} has another revision than it began with"
        if row.item is not None:
            run = (row.parent, row.parent_number)
            children[run] += 1
            if run in tables.map_runs:
                assert row.item in tables.map_items[run], f"{row.arn} is counted nowhere"
    for key, run in tables.map_runs.items():
        items = [row for _, row in sorted(tables.map_items.get(key, {}).items())]
        _items(tables, run, items)
        _ended(tables, run, items)


def cut_off(world: World, life: Life) -> None:
    """Note which Express children the daemon took with it."""
    for row in life.core.engine.express.rows._tables.executions.values():
        if "/" in row.machine_arn and row.status == "RUNNING":
            world.trace.seen("map run: an Express child is cut off")


def _items(tables: Any, run: MapRunRow, items: list[MapItemRow]) -> None:
    expected = 0
    for row in items:
        # Express children leave their rows as they end.
        follows = row.item == expected if row.child else row.item >= expected
        assert follows, f"{run.arn}: {row} leaves a gap, or overlaps"
        expected = row.item + row.items
        text = _standard(tables, run, row) if row.child else _express(run, row)
        numbers = _numbers(orjson.loads(text))
        wanted = list(range(row.item + 1, row.item + 1 + row.items))
        assert numbers == wanted, f"{run.arn}: {row} has not the items {wanted}: {text}"
    if run.total is not None:
        assert expected <= run.total, f"{run} has {expected} items"


def _standard(tables: Any, run: MapRunRow, row: MapItemRow) -> str:
    """The child's input."""
    child = tables.executions.get(row.child)
    assert child is not None, f"{run.arn}: {row} has lost its child"
    assert (child.parent, child.parent_number, child.item) == row[:3], (child, row)
    said = child.status == row.status
    waits = row.status == PENDING_REDRIVE and child.status in FAILURES
    assert said or waits, f"{run.arn}: {row} is {child.status}"
    return str(child.input)


def _express(run: MapRunRow, row: MapItemRow) -> str:
    """The child's input; its row is all that there is of it."""
    ended = row.status in {"SUCCEEDED", PENDING_REDRIVE, *FAILURES}
    said = (row.output is not None) == (row.status == "SUCCEEDED")
    assert ended, f"{run.arn}: {row} has not ended"
    assert said, f"{run.arn}: {row} has not ended so"
    assert row.input is not None, f"{run.arn}: {row} has lost its input"
    return row.input


def _ended(tables: Any, run: MapRunRow, items: list[MapItemRow]) -> None:
    if not run.open:
        assert run.status != "RUNNING", f"{run} is closed, and runs"
        waiting = [row for row in items if row.status in {"RUNNING", PENDING_REDRIVE}]
        assert not waiting, f"{run} is over, and its children are not: {waiting}"
    if run.status == "RUNNING":
        parent = tables.executions[run.execution]
        assert parent.status == "RUNNING", f"{run} runs on without its parent"
    if run.status == "SUCCEEDED":
        assert sum(row.items for row in items) == run.total, f"{run} has not all its items"


def _numbers(given: Any) -> list[int]:
    """Which items a child was given."""
    if "Items" in given:
        return [number for each in given["Items"] for number in _numbers(each)]
    item = given["id"]
    match item:
        case {"n": number}:
            return [int(number)]
        case {"Key": key}:
            return [int(key.removeprefix("list/"))]
        case _:
            return [item]


def definition_of(machine: Any, label: str) -> Any:
    """What the children of the Distributed Map with this label run."""
    for state in machine["States"].values():
        inside = [state["ItemProcessor"]] if "ItemProcessor" in state else []
        if inside and state.get("Label") == label:
            return inside[0]
        for program in (*inside, *state.get("Branches", ())):
            found = definition_of(program, label)
            if found is not None:
                return found
    return None


async def counted(world: World) -> None:
    """What DescribeMapRun counts is what became of the children."""
    tables = world.disk.tables()
    for key, run in tables.map_runs.items():
        counts = await world.observer.map_runs.counts(run)
        found: Counter[str] = Counter()
        for row in tables.map_items.get(key, {}).values():
            found[row.status] += row.items
        if run.total is not None and (rest := run.total - found.total()):
            found["PENDING" if run.open else "ABORTED"] += rest
        said = {status: each.items for status, each in counts.items()}
        assert said == dict(found), f"{run.arn}: {said} are not {dict(found)}"
