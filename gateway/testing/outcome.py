"""What became of a rehearsal, in words and numbers that a test or a person looks at.

The path is read off the records, folded once more along an execution of their own: each state that
was entered is a ``Visit``, what happened in it its ``Note``s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.asl import records as r
from gateway.asl.events import Event, present
from gateway.asl.execution import Execution
from gateway.asl.frames import Status
from gateway.asl.records import INTERNAL, Record
from gateway.asl.scope import Json


@dataclass(frozen=True, slots=True)
class Note:
    """Something that happened in a state: kind and what goes with it.

    ``waited`` (seconds), ``asked`` (resource, input), ``returned`` (output), ``threw`` (error,
    cause), ``timed out``, ``retried`` (seconds).
    """

    at_seconds: float
    kind: str
    details: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Visit:
    """One state that was entered."""

    state: str
    type: str
    within: tuple[str, ...]
    """The branches and iterations around it, from outside: ``("Each order[2]",)``."""
    at_seconds: float
    """Since the start."""
    input: Json
    notes: list[Note] = field(default_factory=list)
    outcome: str = "open"
    """``left``, ``caught`` (it failed, and Catch said where to go), ``failed``, or ``aborted``."""
    next: str | None = None
    output: Json = None
    """What the state handed on, if it was left."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an execution ended, and on which path."""

    status: Status
    output: Json
    """None unless it succeeded."""
    error: str | None
    cause: str | None
    seconds: float
    """How long it took by the virtual clock."""
    visits: list[Visit]
    events: list[Event]
    """AWS's history of it, as GetExecutionHistory gives it (times in milliseconds)."""

    @property
    def path(self) -> list[str]:
        """The names of the states, in the order in which they were entered."""
        return [visit.state for visit in self.visits]

    def visits_of(self, state: str) -> list[Visit]:
        """Each visit of a state."""
        return [visit for visit in self.visits if visit.state == state]


def outcome_of(execution: Execution, steps: list[tuple[int, list[Record]]]) -> Outcome:
    """Fold ``execution`` (fresh) along its steps."""
    reader = _Reader(execution)
    events: list[Event] = []
    for at, step in steps:
        for record in step:
            reader.before(record, at)
            execution.apply(record, at)
            reader.after(record)
            if type(record) not in INTERNAL:
                events.append(present(record, execution, at))
    succeeded = execution.status == "SUCCEEDED"
    return Outcome(
        execution.status,
        execution.output if succeeded else None,
        execution.error,
        execution.cause,
        ((execution.stop_at or 0) - execution.identity.start_at) / 1000,
        reader.visits,
        events,
    )


_ENDINGS: Final[dict[type[Record], str]] = {
    r.StateAborted: "aborted",
    r.BranchFailed: "failed",
    r.MapIterationFailed: "failed",
    r.ExecutionFailed: "failed",
}


class _Reader:
    """Follows the records: which frame is in which state, and what happened there."""

    def __init__(self, execution: Execution) -> None:
        self.visits: list[Visit] = []
        self._execution = execution
        self._open: dict[int, Visit] = {}
        self._failed: set[int] = set()
        """Frames whose state has failed and not been tried again."""

    def before(self, record: Record, at: int) -> None:
        """The record is about to be applied."""
        seconds = (at - self._execution.identity.start_at) / 1000
        if isinstance(record, r.StateEntered):
            data = self._execution.frames[record.frame].data
            visit = Visit(record.name, record.type, self._within(record.frame), seconds, data)
            self.visits.append(visit)
            self._open[record.frame] = visit
            self._failed.discard(record.frame)
        elif isinstance(record, r.ExecutionTimedOut):
            for visit in self._open.values():
                visit.outcome = "aborted"
        elif record.frame in self._open:
            self._note(record, seconds)

    def after(self, record: Record) -> None:
        """The record has been applied: a state that was left has handed on its output."""
        if isinstance(record, r.StateExited):
            visit = self._open.pop(record.frame)
            visit.outcome = "caught" if record.frame in self._failed else "left"
            visit.next, visit.output = record.next, self._execution.frames[record.frame].data

    def _note(self, record: Record, seconds: float) -> None:
        visit = self._open[record.frame]
        if type(record) in _NOTED:
            visit.notes.append(Note(seconds, *_NOTED[type(record)](record)))
        if isinstance(record, r.TaskFailed | r.TaskTimedOut | r.ParallelFailed | r.MapFailed):
            self._failed.add(record.frame)
        elif isinstance(record, r.RetryScheduled):
            self._failed.discard(record.frame)
        elif type(record) in _ENDINGS and visit.outcome == "open":
            visit.outcome = _ENDINGS[type(record)]

    def _within(self, number: int) -> tuple[str, ...]:
        around: list[str] = []
        frame = self._execution.frames[number]
        while frame.parent is not None:
            outer = self._execution.frames[frame.parent]
            around.insert(0, f"{outer.state}[{frame.index}]")
            frame = outer
        return tuple(around)


_NOTED: Final[dict[type[Record], Callable[[Any], tuple[str, dict[str, Json]]]]] = {
    r.WaitStarted: lambda record: ("waited", {"seconds": record.interval / 1000}),
    r.TaskScheduled: lambda record: ("asked", {"resource": record.resource}),
    r.TaskSucceeded: lambda record: ("returned", {"output": record.output}),
    r.TaskFailed: lambda record: ("threw", {"error": record.error, "cause": record.cause}),
    r.TaskTimedOut: lambda record: ("timed out", {"error": record.error}),
    r.RetryScheduled: lambda record: ("retried", {"seconds": record.interval / 1000}),
}
"""Kind and details of the note that a record is worth."""
