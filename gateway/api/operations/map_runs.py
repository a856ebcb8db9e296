"""The operations on map runs."""

from __future__ import annotations

from typing import Final

from gateway.api.model import Request, Response
from gateway.api.operations.operation import Table
from gateway.api.paging import one_page
from gateway.engine.arns import read_arn
from gateway.engine.engine import Engine
from gateway.errors import ApiError
from gateway.store.map_runs import LimitMapRun, MapRunRow, machine_of

_COUNTS: Final = {
    "pending": "PENDING",
    "running": "RUNNING",
    "succeeded": "SUCCEEDED",
    "failed": "FAILED",
    "timedOut": "TIMED_OUT",
    "aborted": "ABORTED",
    "pendingRedrive": "PENDING_REDRIVE",
}
_LIMITS: Final = {
    "maxConcurrency": "max_concurrency",
    "toleratedFailureCount": "tolerated_failure_count",
    "toleratedFailurePercentage": "tolerated_failure_percentage",
}


class MapRunOperations:
    """Map runs as the engine drives them and the store keeps them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store

    def table(self) -> Table:
        """These operations by name."""
        return {
            "DescribeMapRun": self.describe,
            "ListMapRuns": self.list,
            "UpdateMapRun": self.update,
        }

    async def describe(self, request: Request) -> Response:
        """DescribeMapRun."""
        row = await existing_map_run(self._engine, request["mapRunArn"])
        counts = await self._engine.map_runs.counts(row)
        parent = await self._store.execution_by_id(row.execution)
        return {
            "mapRunArn": row.arn,
            "executionArn": "" if parent is None else parent.arn,
            "status": row.status,
            "startDate": row.started_at,
            **({} if row.stop_at is None else {"stopDate": row.stop_at}),
            **{name: getattr(row, column) for name, column in _LIMITS.items()},
            "itemCounts": _counted({status: each.items for status, each in counts.items()}, row),
            "executionCounts": _counted(
                {status: each.executions for status, each in counts.items()}, row
            ),
            "redriveCount": row.redrives,
            **({} if row.redriven_at is None else {"redriveDate": row.redriven_at}),
        }

    async def list(self, request: Request) -> Response:
        """ListMapRuns of one execution."""
        arn = request["executionArn"]
        read_arn(arn, "execution")
        parent = await self._engine.execution(arn)
        rows = await self._store.map_runs(parent.id)
        shown, more = one_page(rows, _place, f"ListMapRuns {arn}", request)
        listed = [
            {
                "executionArn": arn,
                "mapRunArn": row.arn,
                "stateMachineArn": machine_of(row),
                "startDate": row.started_at,
                **({} if row.stop_at is None else {"stopDate": row.stop_at}),
            }
            for row in shown
        ]
        return {"mapRuns": listed, **more}

    async def update(self, request: Request) -> Response:
        """UpdateMapRun: limits of one that runs."""
        row = await existing_map_run(self._engine, request["mapRunArn"])
        given = {column: request[name] for name, column in _LIMITS.items() if name in request}
        if not given:
            message = f"At least one of {', '.join(_LIMITS)} must be given"
            raise ApiError("ValidationException", message)
        if row.status != "RUNNING":
            message = f"Map Run {row.arn} is {row.status} and cannot be updated"
            raise ApiError("ValidationException", message)
        new = row._replace(**given)
        limits = (getattr(new, column) for column in _LIMITS.values())
        await self._engine.map_runs.limit(LimitMapRun(row.execution, row.number, *limits))
        return {}


async def existing_map_run(engine: Engine, arn: str) -> MapRunRow:
    """The map run. Raises ApiError InvalidArn, ResourceNotFound."""
    read_arn(arn, "mapRun")
    row = await engine.store.map_run(arn)
    if row is None:
        raise ApiError("ResourceNotFound", f"Map Run Does Not Exist: '{arn}'")
    return row


def _place(row: MapRunRow) -> str:
    return f"{row.number:012}"


def _counted(found: dict[str, int], row: MapRunRow) -> Response:
    counts = {name: found.get(status, 0) for name, status in _COUNTS.items()}
    open_ = counts["pending"] + counts["running"] + counts["pendingRedrive"]
    total = sum(counts.values())
    if not row.redrives:
        # AWS has the member since there are redrives, and not of every run.
        del counts["pendingRedrive"]
    return {
        **counts,
        "total": total,
        "resultsWritten": total - open_ if row.status == "SUCCEEDED" else 0,
    }
