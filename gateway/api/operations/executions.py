"""The operations on executions and their histories."""

from __future__ import annotations

from typing import NamedTuple
from uuid import uuid4

from gateway.api.model import Request, Response
from gateway.api.operations.express import ended_express, execution_data, type_not_supported
from gateway.api.operations.machines import described_revision
from gateway.api.operations.map_runs import existing_map_run
from gateway.api.operations.operation import Table
from gateway.api.paging import next_token, page_size, read_token
from gateway.asl.events import without_data
from gateway.engine.arns import qualified, read_arn
from gateway.engine.callbacks import given_answers
from gateway.engine.door import HISTORY_FULL
from gateway.engine.engine import Engine
from gateway.engine.express import ExpressStart
from gateway.engine.inputs import check_input
from gateway.engine.map_run_pump import PENDING_REDRIVE
from gateway.engine.names import check_name
from gateway.engine.publications import Target
from gateway.engine.redrive import DELETING, history_is_full, redrive_refusal
from gateway.errors import ApiError
from gateway.store.map_runs import MapRunKey, machine_of
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.rows import ExecutionRow


class _Page(NamedTuple):
    rows: list[ExecutionRow]
    answer: Response


class Executions:
    """Executions as the engine runs them and the store keeps them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store
        self._catalog = engine.catalog

    def table(self) -> Table:
        """These operations by name."""
        return {
            "StartExecution": self.start,
            "StartSyncExecution": self.start_sync,
            "DescribeExecution": self.describe,
            "StopExecution": self.stop,
            "RedriveExecution": self.redrive,
            "ListExecutions": self.list,
            "GetExecutionHistory": self.history,
            "DescribeStateMachineForExecution": self.describe_machine,
        }

    async def start(self, request: Request) -> Response:
        """StartExecution."""
        arn = request["stateMachineArn"]
        if self._catalog.named_machine(arn).type == "EXPRESS":
            row = await self._engine.start_express(self._wanted(request))
        else:
            name, text, trace = _given(request)
            row = (await self._engine.start_execution(arn, name, text, trace)).row
        return {"executionArn": row.arn, "startDate": row.start_at}

    async def start_sync(self, request: Request) -> Response:
        """StartSyncExecution: the answer is how it ended."""
        if self._catalog.named_machine(request["stateMachineArn"]).type != "EXPRESS":
            raise type_not_supported()
        row = await self._engine.start_sync_execution(self._wanted(request))
        return ended_express(row, request)

    def _wanted(self, request: Request) -> ExpressStart:
        target = self._catalog.publications.target(request["stateMachineArn"])
        return ExpressStart(target, *_given(request))

    async def describe(self, request: Request) -> Response:
        """DescribeExecution."""
        row = await self._execution(request)
        data = {} if request.get("includedData") == "METADATA_ONLY" else execution_data(row)
        given = {"traceHeader": row.trace, "error": row.error, "cause": row.cause}
        return {
            **_listed(row),
            **data,
            **{name: value for name, value in given.items() if value is not None},
            **await self._redrive_status(row),
            **await self._map_run(row),
            **await self._status_in_map_run(row),
        }

    async def _map_run(self, row: ExecutionRow) -> Response:
        """The member mapRunArn of a child; nothing of another execution."""
        if row.item is None or row.parent is None or row.parent_number is None:
            return {}
        runs = {run.number: run.arn for run in await self._store.map_runs(row.parent)}
        return {"mapRunArn": runs[row.parent_number]}

    async def _status_in_map_run(self, row: ExecutionRow) -> Response:
        """The status of a child where its map run knows better."""
        if row.item is None or row.parent is None or row.parent_number is None:
            return {}
        [child] = await self._store.map_results(row.parent, row.parent_number, row.item - 1, 1)
        return {"status": PENDING_REDRIVE} if child.status == PENDING_REDRIVE else {}

    async def _redrive_status(self, row: ExecutionRow) -> Response:
        reason = await self._redrive_refusal(row)
        if reason is not None:
            return {"redriveStatus": "NOT_REDRIVABLE", "redriveStatusReason": reason}
        return {"redriveStatus": "REDRIVABLE" if row.item is None else "REDRIVABLE_BY_MAP_RUN"}

    async def _redrive_refusal(self, row: ExecutionRow) -> str | None:
        if self._deleting(row):
            return DELETING
        refusal = redrive_refusal(row, self._engine.now())
        if refusal is None and await history_is_full(self._store, self._engine.fold, row):
            return HISTORY_FULL
        return refusal

    def _deleting(self, row: ExecutionRow) -> bool:
        machine = self._catalog.machine(row.machine_arn.partition("/")[0])
        return machine is not None and machine.status == "DELETING"

    async def stop(self, request: Request) -> Response:
        """StopExecution."""
        row = await self._execution(request)
        error, cause = request.get("error"), request.get("cause")
        return {"stopDate": await self._engine.stop_execution(row.arn, error, cause)}

    async def redrive(self, request: Request) -> Response:
        """RedriveExecution."""
        row = await self._execution(request)
        token = request.get("clientToken")
        if self._deleting(row):
            raise ApiError("ExecutionNotRedrivable", f"Execution Not Redrivable: '{DELETING}'")
        return {"redriveDate": await self._engine.redrive_execution(row.arn, token)}

    async def list(self, request: Request) -> Response:
        """ListExecutions of one state machine, newest first."""
        if "mapRunArn" in request and "stateMachineArn" not in request:
            return await self._children(request)
        if "stateMachineArn" not in request or "mapRunArn" in request:
            message = "Must provide a stateMachineArn or a mapRunArn"
            raise ApiError("ValidationException", message)
        if request.get("statusFilter") == PENDING_REDRIVE:
            message = f"The statusFilter {PENDING_REDRIVE} is for the executions of a mapRunArn"
            raise ApiError("ValidationException", message)
        arn = request["stateMachineArn"]
        read_arn(arn, "stateMachine")
        named = self._catalog.publications.named(arn)
        if self._catalog.existing_machine(named.machine_arn).type == "EXPRESS":
            raise type_not_supported()
        return (await self._page(request, named)).answer

    async def _children(self, request: Request) -> Response:
        """ListExecutions of one map run."""
        run = await existing_map_run(self._engine, request["mapRunArn"])
        key = (run.execution, run.number)
        page = await self._page(request, Target(machine_of(run)), key)
        firsts = [row.item for row in page.rows if row.item is not None]
        between = (min(firsts, default=0), max(firsts, default=-1))
        found = await self._store.map_items(*key, between=between)
        items = {each.child: each for each in found}
        for row, shown in zip(page.rows, page.answer["executions"], strict=True):
            item = items[row.id]
            shown |= {"mapRunArn": run.arn, "itemCount": item.items}
            if item.status == PENDING_REDRIVE:
                shown["status"] = PENDING_REDRIVE
        return page.answer

    async def list_any(self, request: Request) -> Response:
        """ListExecutions of all state machines, or of one."""
        arn = request.get("stateMachineArn")
        return (await self._page(request, None if arn is None else Target(arn))).answer

    async def list_answers(self, request: Request) -> Response:
        """ListAnswers: who has answered tasks by their links; there are fewer than events."""
        row = await self._execution(request)
        answers = await given_answers(self._store, row.id)
        return {
            "answers": [
                {
                    "eventId": each.event_id,
                    "timestamp": each.at,
                    "label": each.label,
                    "address": each.address,
                }
                for each in answers
            ]
        }

    async def _page(
        self, request: Request, of: Target | None, map_run: MapRunKey | None = None
    ) -> _Page:
        """One page; ``namePrefix`` narrows it as well."""
        status, redriven = request.get("statusFilter"), request.get("redriveFilter")
        if status == PENDING_REDRIVE and map_run is None:  # A status of children only.
            return _Page([], {"executions": []})
        which = ExecutionFilter(
            None if of is None else of.machine_arn,
            status,
            request.get("namePrefix"),
            version=None if of is None else of.version,
            alias=None if of is None else of.alias,
            redriven=None if redriven is None else redriven == "REDRIVEN",
            map_run=map_run,
        )
        listing = f"ListExecutions {which}"
        page = Page(page_size(request), read_token(listing, request))
        found = await self._store.executions(which, page)
        executions = [_listed(row) for row in found.rows]
        answer = {"executions": executions, **next_token(listing, found.after)}
        return _Page(found.rows, answer)

    async def history(self, request: Request) -> Response:
        """GetExecutionHistory."""
        row = await self._execution(request)
        newest_first = bool(request.get("reverseOrder"))
        # Its name may be that of an execution that is forgotten, whose pages are not its own.
        listing = f"GetExecutionHistory {row.arn} {row.id} {newest_first}"
        token = read_token(listing, request)
        after = None if token is None else int(token)
        page = await self._engine.histories.page(
            row, page_size(request), after, newest_first=newest_first
        )
        shown = page.events
        if not request.get("includeExecutionData", True):
            shown = [without_data(event) for event in shown]
        more = next_token(listing, None if page.after is None else str(page.after))
        return {"events": shown, **more}

    async def describe_machine(self, request: Request) -> Response:
        """DescribeStateMachineForExecution: the machine as it was when the execution began."""
        row = await self._execution(request)
        try:
            revision = await self._catalog.stored_revision(row.revision)
        except LookupError:
            await self._execution(request)  # retention may have come between
            raise
        label = row.machine_arn.partition("/")[2]
        return {
            "stateMachineArn": row.machine_arn,
            "name": read_arn(row.machine_arn).name,
            "updateDate": revision.created_at,
            **await described_revision(self._catalog, revision, request),
            **await self._map_run(row),
            **({"label": label} if label else {}),
        }

    async def _execution(self, request: Request) -> ExecutionRow:
        arn = request["executionArn"]
        read_arn(arn, "execution")
        return await self._engine.execution(arn)


def _given(request: Request) -> tuple[str, str, str | None]:
    """Name, input and traceHeader. Raises ApiError InvalidName, InvalidExecutionInput."""
    name, text = request.get("name") or str(uuid4()), request.get("input", "{}")
    check_name(name)
    check_input(text)
    return name, text, request.get("traceHeader")


def _listed(row: ExecutionRow) -> Response:
    sometimes = {
        "stopDate": row.stop_at,
        "stateMachineVersionArn": qualified(row.machine_arn, row.version),
        "stateMachineAliasArn": qualified(row.machine_arn, row.alias),
        "redriveDate": row.redriven_at,
    }
    return {
        "executionArn": row.arn,
        "stateMachineArn": row.machine_arn,
        "name": row.name,
        "status": row.status,
        "startDate": row.start_at,
        "redriveCount": row.redrives,
        **{name: value for name, value in sometimes.items() if value is not None},
    }
