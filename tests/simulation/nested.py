"""What has to hold of nested executions: each call of a task begins one child or finds it running,
and its end reaches each task that waits for it, as it was."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from gateway.store.changes import EndExecution, Insert, Unit
from gateway.store.rows import ExecutionRow
from tests.simulation.machines import FOREVER, SHARED

if TYPE_CHECKING:
    from tests.simulation.world import World

_OUTCOMES = ("TaskSubmitted", "TaskSucceeded", "TaskFailed")


class Nested:
    """Children as they are written, and what the histories of their parents say of them."""

    def __init__(self, world: World) -> None:
        self.wrong: list[str] = []
        self._world = world
        self._begun: set[str] = set()
        """Keys of calls."""
        self._children: dict[int, ExecutionRow] = {}
        """Those that a task waits for, as they began."""
        self._ends: dict[str, list[tuple[Any, ...]]] = {}
        """Of each, by ARN; one that is redriven ends again."""
        self._told: dict[int, list[tuple[str, dict[str, Any]]]] = {}
        """By parent: what its tasks were told, with the types of the events."""

    def written(self, unit: Unit) -> None:
        """A durable unit."""
        for change in unit:
            match change:
                case Insert(ExecutionRow(begun_by=str()) as row):
                    self._begin(row)
                case EndExecution(execution=execution) if execution in self._children:
                    child = self._children[execution]
                    self._end(child, change.status, change.stop_at, change.output)
                case _:
                    pass

    def _begin(self, row: ExecutionRow) -> None:
        self._world.trace.seen("nested: a child begins")
        # One that nobody waits for may have been forgotten before its call was answered.
        if row.begun_by in self._begun and (row.parent or not self._world.record.is_gone(row.name)):
            self.wrong.append(f"{row.arn} is begun twice")
        self._begun.add(str(row.begun_by))
        if row.parent is not None:
            self._children[row.id] = row
            if row.status != "RUNNING":
                self._end(row, row.status, row.stop_at, row.output)

    def _end(self, row: ExecutionRow, *end: Any) -> None:
        self._ends.setdefault(row.arn, []).append(end)
        if row.machine_arn == FOREVER:
            self._world.trace.seen("nested: a child ends with its task")

    def note(self, row: ExecutionRow, events: list[dict[str, Any]]) -> None:
        """What the tasks of this execution have been told up to now."""
        self._told[row.id] = list(_told(events))

    def in_the_end(self) -> None:
        """Whatever a task was told is so, and it was told once."""
        children = {row.arn: row for row in self._children.values()}
        ended: Counter[str] = Counter()
        for parent, told in self._told.items():
            for kind, said in told:
                arn = said["ExecutionArn"]
                own = children[arn].parent == parent
                shared = children[arn].name.startswith(SHARED)
                assert own or shared, f"{arn} is not a child of {parent}"
                if kind != "TaskSubmitted":
                    whose = "its task" if own else "one that found it running"
                    self._world.trace.seen(f"nested: an end reaches {whose}")
                    ended[arn] += not shared
                    assert _end_of(said) in self._ends[arn], f"{said} is no end: {self._ends[arn]}"
                    assert (kind == "TaskSucceeded") == (said["Status"] == "SUCCEEDED"), said
        assert all(count <= 1 for count in ended.values()), f"ends that are told twice: {ended}"
        unended = set(children) - set(self._ends)
        assert not unended, f"have outlived their tasks: {unended}"


def _told(events: list[dict[str, Any]]) -> Any:
    for event in events:
        if event["type"] not in _OUTCOMES:
            continue
        details = next(value for name, value in event.items() if name.endswith("EventDetails"))
        if not details["resource"].startswith("startExecution.sync"):
            continue
        if event["type"] != "TaskFailed":
            yield event["type"], orjson.loads(details["output"])
        elif details["error"] == "States.TaskFailed":
            yield event["type"], orjson.loads(details["cause"])


def _end_of(said: dict[str, Any]) -> tuple[Any, ...]:
    """Status, time and output; ``.sync:2`` gives the output as what it says."""
    output = said.get("Output")
    if output is not None and not isinstance(output, str):
        output = orjson.dumps(output).decode()
    return said["Status"], said["StopDate"], output
