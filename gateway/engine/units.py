"""What a step leaves in the store: the changes of an execution's history, status and outstanding
effects."""

from __future__ import annotations

from typing import Final

import orjson

from gateway.asl.advance import Step
from gateway.asl.codec import FORMAT, encode
from gateway.asl.execution import Execution
from gateway.asl.frame import MapRun, Task, Timer, map_run_arn
from gateway.asl.frames import Effect
from gateway.asl.map_run_records import MapRunFailed, MapRunRedriven, MapRunSucceeded
from gateway.store.changes import Change, DeleteTask, DeleteTimer, EndExecution, Insert, Upsert
from gateway.store.map_runs import EndMapRun, MapRunRow, RedriveMapItems, RedriveMapRun
from gateway.store.rows import DocumentRow, HistoryRow, TaskRow, TimerRow

CONTINUE: Final = "continue"
"""Kind of the timer row (number 0) of an execution whose budget was spent: it goes on at once."""

_MAP_RUN_ENDS: Final[dict[type, str]] = {MapRunSucceeded: "SUCCEEDED", MapRunFailed: "FAILED"}
"""One that ends in another way was aborted."""


def history_changes(
    execution_id: int, execution: Execution, step: Step, at: int
) -> tuple[list[Change], int]:
    """The rows of the step that has just been applied, and how many bytes of history they write."""
    if not step.records:
        return [], 0
    count = len(step.records)
    encoded = encode(step.records, execution.next_document, step.dumps)
    execution.next_document += len(encoded.documents)
    first = execution.sequence - count
    row = HistoryRow(execution_id, first, count, at, FORMAT, encoded.records)
    changes: list[Change] = [Insert(row)]
    for record in step.records:
        match record:
            case MapRunSucceeded(number=number) | MapRunFailed(number=number):
                status = _MAP_RUN_ENDS[type(record)]
                changes.append(EndMapRun(execution_id, number, status, at))
            case MapRunRedriven(number=number):
                changes.append(RedriveMapRun(execution_id, number, at))
                changes.append(RedriveMapItems(execution_id, number))
            case _:
                pass
    written = len(encoded.records)
    for number, body in encoded.documents:
        changes.append(Insert(DocumentRow(execution_id, number, body)))
        written += len(body)
    return changes, written


def effect_changes(execution_id: int, execution: Execution, at: int) -> list[Change]:
    """The rows of the effects that changed since this was last asked."""
    changes: list[Change] = []
    for former, effect in execution.take_changes():
        if effect is not None:
            row = effect_row(execution_id, execution, effect)
            if former is None:
                changes.append(Insert(row))
            elif not isinstance(row, MapRunRow):
                changes.append(Upsert(row))
        elif former is not None:
            changes.append(_given_up(execution_id, former, at))
    return changes


def _given_up(execution_id: int, effect: Effect, at: int) -> Change:
    match effect:
        case Task(number=number):
            return DeleteTask(execution_id, number)
        case MapRun(number=number):
            return EndMapRun(execution_id, number, "ABORTED", at)
        case Timer(number=number, kind=kind):
            return DeleteTimer(execution_id, number, kind)


def effect_row(
    execution_id: int, execution: Execution, effect: Effect
) -> TimerRow | TaskRow | MapRunRow:
    """How an effect stands in the store."""
    if isinstance(effect, Timer):
        return TimerRow(execution_id, *effect)
    if isinstance(effect, MapRun):
        return _map_run_row(execution_id, execution, effect)
    return TaskRow(
        execution_id,
        effect.number,
        effect.resource,
        orjson.dumps(effect.input).decode(),
        effect.scheduled_at,
        None if effect.token_hash is None else bytes.fromhex(effect.token_hash),
        effect.worker,
        effect.started_at,
        effect.submitted_at,
        effect.role,
    )


def _map_run_row(execution_id: int, execution: Execution, run: MapRun) -> MapRunRow:
    return MapRunRow(
        execution_id,
        run.number,
        map_run_arn(execution.identity, run.label, run.id),
        "RUNNING",
        run.started_at,
        run.limits["maxConcurrency"],
        run.limits["toleratedFailureCount"] or 0,
        run.limits["toleratedFailurePercentage"] or 0.0,
        None if run.items is None else len(run.items),
    )


def continue_row(execution_id: int, at: int) -> TimerRow:
    """The wish to go on at once."""
    return TimerRow(execution_id, 0, CONTINUE, at, 0)


def end_change(execution_id: int, execution: Execution) -> EndExecution:
    """The final status."""
    assert execution.stop_at is not None, "only an execution that has ended has an end"
    output = None
    if execution.status == "SUCCEEDED":
        output = execution.text(execution.output)
    return EndExecution(
        execution_id,
        execution.status,
        execution.stop_at,
        output,
        execution.error,
        execution.cause,
    )
