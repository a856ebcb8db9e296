"""AWS's history events, built from records when somebody reads the history: one table, nothing
stored.

The reader folds the execution along (``present`` is called after ``apply``), so each event finds
its document, its id and its predecessor in the state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, Final, TypeAlias

from orjson import dumps

from gateway.asl import map_run_records as m
from gateway.asl import pattern_records as p
from gateway.asl import records as r
from gateway.asl import redrive_records as rr
from gateway.asl.execution import Execution
from gateway.asl.frame import Identity, map_run_arn
from gateway.asl.records import INTERNAL, Record
from gateway.asl.resources import ACTIVITY, TASK, family, parts
from gateway.asl.scope import Json

Event: TypeAlias = dict[str, Any]
"""One event with botocore's member names; ``timestamp`` in milliseconds since the epoch."""
_DATA: Final = frozenset(
    {"input", "inputDetails", "output", "outputDetails", "parameters", "assignedVariables"}
)
"""Of an event's details, what an execution works on."""
_WHOLE: Final[dict[str, Json]] = {"truncated": False}
_Details: TypeAlias = tuple[str, dict[str, Json] | None]


class Shown(Execution):
    """An execution that is folded to be shown: a document that stands in several events in a row is
    made a text once."""

    def __init__(self, identity: Identity, input: Json) -> None:  # noqa: A002
        super().__init__(identity, input)
        self._document: Json = self
        self._text = ""

    def text(self, document: Json) -> str:
        """The document as JSON text."""
        if document is not self._document:
            self._document, self._text = document, super().text(document)
        return self._text


def history(execution: Execution, rows: Iterable[tuple[int, list[Record]]]) -> Iterator[Event]:
    """Fold ``execution`` (fresh) along the steps (``at``, records) and yield AWS's events."""
    for at, step in rows:
        for record in step:
            execution.apply(record, at)
            if type(record) not in INTERNAL:
                yield present(record, execution, at)


def present(record: Record, execution: Execution, at: int) -> Event:
    """The event of a visible record that has just been applied."""
    type_, details = _EVENTS[type(record)](record, execution)
    event: Event = {
        "timestamp": at,
        "type": type_,
        "id": execution.event_id,
        "previousEventId": execution.previous_event_id,
    }
    if details is not None:
        event[_member(type_)] = details
    return event


def without_data(event: Event) -> Event:
    """The event as it is shown where the data of executions is not asked for."""
    return {
        name: {key: value[key] for key in value.keys() - _DATA} if type(value) is dict else value
        for name, value in event.items()
    }


def details(event: Event) -> dict[str, Json]:
    """The members that are of the event's type alone."""
    found: dict[str, Json] = event.get(_member(event["type"]), {})
    return found


@cache
def _member(type_: str) -> str:
    for suffix in ("StateEntered", "StateExited"):
        if type_.endswith(suffix):
            return suffix[0].lower() + suffix[1:] + "EventDetails"
    return type_[0].lower() + type_[1:] + "EventDetails"


def _text(name: str, text: str) -> dict[str, Json]:
    return {name: text, f"{name}Details": _WHOLE}


def _error(record: Any) -> dict[str, Json]:
    members = {"error": record.error, "cause": record.cause}
    return {name: value for name, value in members.items() if value is not None}


def _started(_record: r.ExecutionStarted, execution: Execution) -> _Details:
    identity = execution.identity
    through = {
        "stateMachineVersionArn": identity.version_arn,
        "stateMachineAliasArn": identity.alias_arn,
    }
    return "ExecutionStarted", {
        **_text("input", identity.input),
        "roleArn": identity.role_arn,
        **{name: arn for name, arn in through.items() if arn is not None},
    }


def _redriven(record: rr.ExecutionRedriven, _execution: Execution) -> _Details:
    return "ExecutionRedriven", {"redriveCount": record.redrives}


def _entered(record: r.StateEntered, execution: Execution) -> _Details:
    frame = execution.frames[record.frame]
    given = _text("input", execution.text(frame.data))
    return f"{record.type}StateEntered", {"name": record.name, **given}


def _exited(record: r.StateExited, execution: Execution) -> _Details:
    frame = execution.frames[record.frame]
    details = {"name": frame.left, **_text("output", execution.text(frame.data))}
    if frame.assigned:
        texts = {name: dumps(value).decode() for name, value in sorted(frame.assigned.items())}
        details |= {"assignedVariables": texts, "assignedVariablesDetails": _WHOLE}
    return f"{frame.type}StateExited", details


def _evaluation_failed(record: r.EvaluationFailed, execution: Execution) -> _Details:
    state = execution.frames[record.frame].state
    location = {} if record.location is None else {"location": record.location}
    return "EvaluationFailed", {**_error(record), **location, "state": state}


def _aborted(record: r.StateAborted, execution: Execution) -> _Details:
    return f"{execution.frames[record.frame].type}StateAborted", None


def _scheduled(record: r.TaskScheduled, execution: Execution) -> _Details:
    task = execution.task(record.number)
    assert task is not None, "it has just been scheduled"
    limits = {
        "timeoutInSeconds": record.timeout_seconds,
        "heartbeatInSeconds": record.heartbeat_seconds,
    }
    details: dict[str, Json] = {k: v for k, v in limits.items() if v is not None}
    if record.role is not None:
        details["taskCredentials"] = {"roleArn": record.role}
    match family(record.resource):
        case "Task":
            service, action = parts(record.resource)
            region = execution.identity.arn.split(":")[3]
            parameters = execution.text(task.input)
            names = {"resourceType": service, "resource": action, "region": region}
            return "TaskScheduled", {**names, "parameters": parameters, **details}
        case name:
            given = {
                "resource": record.resource,
                **_text("input", execution.text(task.input)),
                **details,
            }
            return f"{name}Scheduled", given


def _task_started(record: r.TaskStarted, execution: Execution) -> _Details:
    resource = execution.frames[record.frame].resource
    name = family(resource)
    if name == ACTIVITY:
        return "ActivityStarted", {} if record.worker is None else {"workerName": record.worker}
    return f"{name}Started", _where(resource) if name == TASK else None


def _where(resource: str) -> dict[str, Json]:
    service, action = parts(resource)
    return {"resourceType": service, "resource": action}


def _task_told(word: str) -> Callable[[Any, Execution], _Details]:
    def build(record: Any, execution: Execution) -> _Details:
        frame = execution.frames[record.frame]
        name = family(frame.resource)
        details = _where(frame.resource) if name == TASK else {}
        if isinstance(record, r.TaskSucceeded | p.TaskSubmitted):
            return f"{name}{word}", {**details, **_text("output", execution.text(record.output))}
        return f"{name}{word}", {**details, **_error(record)}

    return build


def _map_started(record: r.MapStarted | m.DistributedMapStarted, _execution: Execution) -> _Details:
    return "MapStateStarted", {"length": record.length}


def _iteration_started(record: r.MapIterationStarted, execution: Execution) -> _Details:
    name = execution.frames[record.frame].state
    return "MapIterationStarted", {"name": name, "index": record.item}


def _iteration_ended(word: str) -> Callable[[Any, Execution], _Details]:
    def build(_record: Any, execution: Execution) -> _Details:
        return f"MapIteration{word}", execution.ended_iteration

    return build


def _map_run_started(record: m.MapRunStarted, execution: Execution) -> _Details:
    arn = map_run_arn(execution.identity, record.label, record.id)
    return "MapRunStarted", {"mapRunArn": arn}


def _map_run_redriven(record: m.MapRunRedriven, execution: Execution) -> _Details:
    run = execution.frames[record.frame].map_run
    assert run is not None, "it has just been redriven"
    arn = map_run_arn(execution.identity, run.label, run.id)
    return "MapRunRedriven", {"mapRunArn": arn, "redriveCount": record.redrives}


def _bare(type_: str) -> Callable[[Any, Execution], _Details]:
    return lambda _record, _execution: (type_, None)


def _succeeded(_record: r.ExecutionSucceeded, execution: Execution) -> _Details:
    return "ExecutionSucceeded", _text("output", execution.text(execution.output))


def _ended(type_: str, **always: str) -> Callable[[Any, Execution], _Details]:
    return lambda record, _execution: (type_, {**always, **_error(record)})


_EVENTS: Final[dict[type[Record], Callable[[Any, Execution], _Details]]] = {
    r.ExecutionStarted: _started,
    rr.ExecutionRedriven: _redriven,
    r.StateEntered: _entered,
    r.StateExited: _exited,
    r.EvaluationFailed: _evaluation_failed,
    r.StateAborted: _aborted,
    r.TaskScheduled: _scheduled,
    r.TaskStarted: _task_started,
    p.TaskSubmitted: _task_told("Submitted"),
    r.TaskSucceeded: _task_told("Succeeded"),
    r.TaskFailed: _task_told("Failed"),
    r.TaskTimedOut: _task_told("TimedOut"),
    r.ParallelStarted: _bare("ParallelStateStarted"),
    r.ParallelSucceeded: _bare("ParallelStateSucceeded"),
    r.ParallelFailed: _bare("ParallelStateFailed"),
    r.MapStarted: _map_started,
    r.MapIterationStarted: _iteration_started,
    r.MapIterationSucceeded: _iteration_ended("Succeeded"),
    r.MapIterationFailed: _iteration_ended("Failed"),
    r.MapIterationAborted: _iteration_ended("Aborted"),
    r.MapSucceeded: _bare("MapStateSucceeded"),
    r.MapFailed: _bare("MapStateFailed"),
    m.DistributedMapStarted: _map_started,
    m.MapRunStarted: _map_run_started,
    m.MapRunRedriven: _map_run_redriven,
    m.MapRunSucceeded: _bare("MapRunSucceeded"),
    m.MapRunFailed: _ended("MapRunFailed"),
    m.MapRunAborted: _bare("MapRunAborted"),
    m.DistributedMapSucceeded: _bare("MapStateSucceeded"),
    r.ExecutionSucceeded: _succeeded,
    r.ExecutionFailed: _ended("ExecutionFailed"),
    r.ExecutionAborted: _ended("ExecutionAborted"),
    r.ExecutionTimedOut: _ended("ExecutionTimedOut", error="States.Timeout"),
}
