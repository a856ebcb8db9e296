"""One state, entered alone and looked into: what ``TestState`` is about.

The state is started as the engine starts it; where it needs the world (a task, its branches, its
iterations), it stands still until ``answer`` says what the world came to. Its wait is over at once.
Pure: no I/O; clock and dice are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from gateway.asl import flow
from gateway.asl import records as r
from gateway.asl.errors import StateError
from gateway.asl.execution import Execution
from gateway.asl.flow import Run
from gateway.asl.frame import Frame, Identity, MapRun, Task, Timer
from gateway.asl.map_items import EXCEEDED, batches, too_many_failed
from gateway.asl.scope import Json
from gateway.asl.states.distributed import DistributedMap
from gateway.asl.states.map import Map, selected
from gateway.asl.states.passing import Pass
from gateway.asl.states.state import State, StateMachine
from gateway.testing.mocks import Returned, Thrown
from gateway.testing.verbatim import Verbatim
from gateway.testing.watched import Seen, of_jsonpath, watched

Status: TypeAlias = Literal["SUCCEEDED", "FAILED", "RETRIABLE", "CAUGHT_ERROR"]
Read: TypeAlias = Callable[[dict[str, Json]], list[Json]]
"""The items that an ItemReader with this configuration would find. Raises StateError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """In what the state is tested."""

    identity: Identity
    seed: bytes
    documents: Verbatim
    """Has read all that comes from outside."""
    variables: dict[str, Json] = field(default_factory=dict)
    context: dict[str, Json] | None = None
    """The Context Object; None: one as an execution would have it."""
    retries: int = 0
    """How often the state has been tried again."""
    read: Read | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What became of the state."""

    status: Status
    output: str | None = None
    """JSON text."""
    error: str | None = None
    cause: str | None = None
    next: str | None = None
    data: dict[str, Any]
    """The members of AWS's InspectionData."""


class Inspection:
    """One state and its way through the test."""

    def __init__(self, state: State, setting: Setting) -> None:
        self.seen: Seen = {}
        self._setting = setting
        self._shown = _shown(state)
        self._state = watched(state, self.seen)
        self._error: StateError | None = None
        self._items = 0
        """How many a Map has."""
        identity = setting.identity
        execution = Execution(identity, setting.documents.read(identity.input))
        machine = StateMachine(state.name, {state.name: self._state})
        self._run = _Run(machine, execution, setting)
        self._run.emit(r.ExecutionStarted(0, None, None, 0))
        self._frame = execution.frames[0]

    @property
    def task(self) -> Task | None:
        """What the state asks for, while it waits for an answer of a task."""
        return next((e for e in self._effects() if isinstance(e, Task)), None)

    @property
    def wants_answer(self) -> bool:
        """Whether the state waits for the end of a task, or of what runs inside it."""
        running = self._run.execution.status == "RUNNING"
        waits = any(isinstance(e, Task | MapRun) for e in self._effects())
        return running and (waits or self._frame.join is not None)

    def begin(self) -> None:
        """Enter the state and go on until it is through or needs an answer."""
        run, frame, state = self._run, self._frame, self._state
        if self._setting.variables:
            run.emit(r.VariablesAssigned(frame.id, self._setting.variables))
        run.emit(r.StateEntered(frame.id, state.type, state.name))
        frame.retries = dict.fromkeys(range(len(state.retry)), self._setting.retries)
        self._try(self._start)

    def answer(self, answer: Returned | Thrown, failed_iterations: int = 0) -> None:
        """What the task, or what runs inside, came to; of a Map, after so many of its iterations
        have failed."""
        match answer:
            case Thrown(error, cause):
                self._fail(StateError(error, cause))
            case Returned() if self._over_threshold(failed_iterations):
                self._fail(StateError(*EXCEEDED))
            case Returned(output):
                self._try(lambda: self._leave(output))

    def inspected(self) -> Inspected:
        """What became of it."""
        execution, data = self._run.execution, self._data()
        error = self._error
        if any(isinstance(each, r.RetryScheduled) for each in self._run.records):
            assert error is not None, "only an error is tried again"
            return Inspected(status="RETRIABLE", error=error.error, cause=error.cause, data=data)
        if execution.status == "FAILED":
            told = {"error": execution.error, "cause": execution.cause}
            return Inspected(status="FAILED", **told, data=data)
        return Inspected(
            status="SUCCEEDED" if error is None else "CAUGHT_ERROR",
            output=self._setting.documents.write(self._frame.data),
            error=None if error is None else error.error,
            cause=None if error is None else error.cause,
            next=self._frame.next,
            data=data,
        )

    # ------------------------------------------------------------------- going through
    def _start(self) -> None:
        run, frame, state = self._run, self._frame, self._state
        state.start(run, frame, flow.effective_input(run, frame, state))
        for effect in self._effects():
            if isinstance(effect, Timer) and effect.kind == "wait":
                run.at = effect.due
                state.timer_fired(run, frame)
            elif isinstance(effect, MapRun) and isinstance(state, DistributedMap):
                self._see_children(state, effect)
        if isinstance(state, Map) and frame.join is not None:
            self._see_iterations(state, frame.join.items)

    def _leave(self, output: Json) -> None:
        if (task := self.task) is not None:
            flow.check_result(self._run, task.resource, output)
        flow.leave(self._run, self._frame, self._state, output)

    def _effects(self) -> list[Any]:
        return list(self._run.execution.effects.values())

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except StateError as error:
            self._fail(error)

    def _fail(self, error: StateError) -> None:
        self._error = error
        flow.fail(self._run, self._frame, error)

    def _over_threshold(self, failed: int) -> bool:
        count = self.seen.get("toleratedFailureCount")
        percentage = self.seen.get("toleratedFailurePercentage")
        if count is None and percentage is None:
            return False
        return too_many_failed(failed, self._items, count or 0, percentage or 0)

    # ------------------------------------------------------------------------- a Map
    def _see_iterations(self, state: Map | DistributedMap, items: list[Json]) -> list[Json]:
        """What the iterations are given, as far as it has room in an answer."""
        self._items = len(items)
        if state.item_selector is None:
            return items
        given: list[Json] = []
        room = flow.MAX_DOCUMENT_BYTES
        for number, item in enumerate(items):
            given.append(selected(self._run, self._frame, state, number, item))
            room -= len(self._run.dumps(given[-1]))
            if room < 0:
                break
        self.seen["afterItemSelector"] = given
        return given

    def _see_children(self, state: DistributedMap, map_run: MapRun) -> None:
        items, reader = map_run.items, map_run.options.get("reader")
        if reader is not None:
            if self._setting.read is None:
                return
            items = self._setting.read(reader)
            if "ItemsPointer" in reader:
                self.seen["afterItemsPointer"] = items
        given = self._see_iterations(state, items)
        batcher = map_run.options.get("batcher")
        if batcher is not None:
            children = batches(batcher, given, 0)
            self.seen["afterItemBatcher"] = [orjson.loads(child.input) for child in children]

    # ------------------------------------------------------------------------- telling
    def _data(self) -> dict[str, Any]:
        execution = self._run.execution
        data: dict[str, Any] = {"input": execution.identity.input}
        for name in self._shown:
            value = self.seen.get(name)
            if name in _NUMBERS:
                data |= {} if value is None else {name: value}
            elif name in self.seen:
                data[name] = self._setting.documents.write(value)
        if self._frame.variables:
            data["variables"] = self._setting.documents.write(dict(self._frame.variables))
        if details := self._error_details():
            data["errorDetails"] = details
        return data

    def _error_details(self) -> dict[str, int]:
        error, details = self._error, {}
        if error is None or error.error in flow.UNCATCHABLE:
            return {}
        for index, retrier in enumerate(self._state.retry):
            if flow.matches(retrier.errors, error):
                details["retryIndex"] = index
                break
        for record in self._run.records:
            if isinstance(record, r.RetryScheduled):
                details["retryBackoffIntervalSeconds"] = round(record.interval / 1000)
        if "catchIndex" in self.seen:
            details["catchIndex"] = self.seen["catchIndex"]
        return details


class _Run(Run):
    """Sees the Context Object that the test gives."""

    def __init__(self, machine: StateMachine, execution: Execution, setting: Setting) -> None:
        super().__init__(machine, execution, setting.identity.start_at, setting.seed)
        self._setting = setting

    def context(self, frame: Frame, item: dict[str, Json] | None) -> dict[str, Json]:
        """As given, or as AWS makes it up for a test."""
        made = super().context(frame, item)
        given = self._setting.context
        if given is not None:
            return given if item is None else {**given, "Map": made["Map"]}
        del made["Execution"]["RedriveCount"]
        made["Execution"]["RoleArn"] = self._setting.identity.role_arn or None
        if "RetryCount" in made["State"]:
            made["State"]["RetryCount"] = self._setting.retries
        return made


# ------------------------------------------------------------------- what AWS shows

_LIMITS: Final = ("maxConcurrency", "toleratedFailureCount", "toleratedFailurePercentage")
_NUMBERS: Final = frozenset(_LIMITS)
"""Members that are no JSON text; one that the state does not have is left out."""
_IN: Final = ("afterInputPath", "afterParameters")
_OUT: Final = ("afterResultSelector", "afterResultPath")
_ITEMS: Final = ("afterItemsPointer", "afterItemSelector", "afterItemBatcher")
_OF_JSONPATH: Final[dict[str, tuple[str, ...]]] = {
    "Pass": (*_IN, *_OUT),
    "Task": (*_IN, "result", *_OUT),
    "Parallel": _OUT,
    "Map": ("afterInputPath", "afterItemsPath", *_ITEMS, *_LIMITS, *_OUT),
}
_OF_JSONATA: Final[dict[str, tuple[str, ...]]] = {
    "Task": ("afterArguments", "result"),
    "Map": (*_ITEMS, *_LIMITS),
}


def _shown(state: State) -> tuple[str, ...]:
    """The members of InspectionData that AWS shows of such a state, besides those of every one."""
    if not of_jsonpath(state):
        return _OF_JSONATA.get(state.type, ())
    if isinstance(state, Pass) and state.has_result:
        return ("result", *_OUT)
    return _OF_JSONPATH.get(state.type, ("afterInputPath",))
