"""Map, distributed: each item, or batch of items, is an execution of its own.

The state only says what is to be run and within which limits; the engine reads the items, runs the
children and answers with their results, as a worker answers a task.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from gateway.asl import flow
from gateway.asl import map_run_records as m
from gateway.asl.errors import StateError
from gateway.asl.frame import MapRun
from gateway.asl.records import SAME
from gateway.asl.scope import Expression, Json, Scope
from gateway.asl.states.state import Program, State
from gateway.asl.stimuli import Fail, Succeed

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributedMap(State):
    """Its result is the list of its children's outputs, or where the results were written."""

    type: ClassVar[str] = "Map"
    label: str
    child: Program
    items: Expression
    item_selector: Expression | None = None
    limits: dict[str, Callable[[Scope], Json]]
    """The members ``maxConcurrency`` … of a map run."""
    options: dict[str, Callable[[Scope], Json]] = field(default_factory=dict)
    """``express``, ``reader``, ``batcher`` and ``writer``, where the state has them."""

    @property
    def inner(self) -> tuple[Program, ...]:
        """What its children run."""
        return (self.child,)

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Ask for the map run; its end comes as a stimulus."""
        scope = run.scope(frame, input)
        limits = {name: limit(scope) for name, limit in self.limits.items()}
        options = {name: option(scope) for name, option in self.options.items()}
        given, length = None, 0
        if "reader" not in options:
            items = self.items(scope)
            length = len(items)
            given = SAME if items is frame.data else run.checked(items, "Map state has a document")
        run.emit(m.DistributedMapStarted(frame.id, length))
        id_ = str(UUID(bytes=run.random.randbytes(16), version=4))
        what = (self.label, id_, given, limits, options)
        run.emit(m.MapRunStarted(frame.id, run.number(), *what))


def redrive(run: Run, map_run: MapRun) -> None:
    """Go on with a map run that had failed or was given up."""
    redrives = map_run.redrives + 1
    run.emit(m.MapRunRedriven(map_run.frame, map_run.number, run.number(), redrives))


def answer(run: Run, stimulus: Succeed | Fail) -> None:
    """A map run has ended."""
    map_run = run.execution.map_run(stimulus.number)
    if map_run is None:
        return
    frame = run.execution.frames[map_run.frame]
    match stimulus:
        case Succeed(output=output):
            run.emit(m.MapRunSucceeded(frame.id, map_run.number, output))
            run.emit(m.DistributedMapSucceeded(frame.id))
            try:
                flow.leave(run, frame, run.state(frame), output)
            except StateError as error:
                flow.fail(run, frame, error)
        case Fail(error=error, cause=cause):
            run.emit(m.MapRunFailed(frame.id, map_run.number, error, cause))
            flow.fail(run, frame, StateError(error, cause))


def abort_all(run: Run) -> None:
    """Give up every map run of an execution that is ended from outside."""
    for effect in list(run.execution.effects.values()):
        if isinstance(effect, MapRun):
            run.emit(m.MapRunAborted(effect.frame, effect.number))
