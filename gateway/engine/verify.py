"""Whether the rows of outstanding effects are those that the histories ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

from gateway.asl.execution import Execution
from gateway.engine.door import Door
from gateway.engine.timers import MOVING
from gateway.engine.units import CONTINUE, effect_row
from gateway.store.failures import StoreClosed
from gateway.store.map_runs import MapRunRow
from gateway.store.protocol import ExecutionFilter, Page, Store
from gateway.store.rows import ExecutionRow, TaskRow, TimerRow

PAGE = 200


async def verify(store: Store, door: Door) -> AsyncIterator[str]:
    """One sentence for each difference between a running execution's history and its rows."""
    after: str | None = None
    while True:
        listing = await store.executions(ExecutionFilter(status="RUNNING"), Page(PAGE, after))
        for listed in listing.rows:
            row = await store.execution_by_id(listed.id)
            if row is not None and row.status == "RUNNING":
                async for difference in _differences(store, door, row):
                    yield f"{row.arn}: {difference}"
        after = listing.after
        if after is None:
            return


async def _differences(store: Store, door: Door, row: ExecutionRow) -> AsyncIterator[str]:
    try:
        execution = await door.fold(row)
    except StoreClosed:
        raise
    except Exception as error:
        # Whatever stands there, the others are still looked at.
        yield f"its history cannot be read: {type(error).__name__}: {error}"
        return
    if execution.status != "RUNNING":
        yield f"its history ends with {execution.status}, its row says RUNNING"
        return
    stored = {_shown(each) for each in await store.execution_timers(row.id)}
    stored |= {_shown(each) for each in await store.execution_tasks(row.id)}
    runs = await store.map_runs(row.id)
    stored |= {_shown(each) for each in runs if each.status == "RUNNING"}
    wanted = wanted_rows(row.id, execution)
    for missing in sorted(wanted - stored):
        yield f"its history asks for {missing}, which is not among its rows"
    for extra in sorted(stored - wanted):
        yield f"there is a row for {extra}, which its history does not ask for"


def wanted_rows(execution_id: int, execution: Execution) -> set[str]:
    """The rows that the history asks for, as words."""
    wanted = {
        _shown(effect_row(execution_id, execution, each)) for each in execution.effects.values()
    }
    return wanted | ({f"timer 0 {CONTINUE}"} if execution.ready else set())


def _shown(row: TimerRow | TaskRow | MapRunRow) -> str:
    if isinstance(row, MapRunRow):
        return f"map run {row.number}, {row.arn}"
    if isinstance(row, TaskRow):
        state = "queued" if row.started_at is None else f"with {row.worker or 'a worker'}"
        state = "whose call was answered" if row.submitted_at is not None else state
        return f"task {row.number} for {row.resource}, {state}"
    if row.kind in MOVING or row.kind == CONTINUE:
        return f"timer {row.number} {row.kind}"
    return f"timer {row.number} {row.kind} due {row.due}"
