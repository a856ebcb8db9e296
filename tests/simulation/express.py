"""Those who start Express executions, and what is written of those that need a row.

An asynchronous one whose start was heard ends, once, however often it had to be run; whoever waits
for a synchronous one is told its end or loses the connection.
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import orjson
import trio

from gateway.engine.engine import Engine
from gateway.engine.express import ExpressStart
from gateway.errors import ApiError
from gateway.store.changes import DeleteExpress, Insert, Unit
from gateway.store.failures import StoreFull
from gateway.store.rows import ExecutionRow, ExpressRow, NotificationRow
from tests.simulation.file import FINAL
from tests.simulation.people import Down
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.world import World


class ExpressLedger:
    """What was ever written of Express executions."""

    def __init__(self, trace: Trace) -> None:
        self.begun: dict[int, ExpressRow] = {}
        self.gone: set[int] = set()
        self.told: set[tuple[int, str]] = set()
        """Who heard of which end."""
        self.arns: set[str] = set()
        """Of all that has left anything on the disk."""
        self.wrong: list[str] = []
        self._trace = trace

    def written(self, unit: Unit) -> None:
        """A durable unit."""
        gone = {change.id for change in unit if isinstance(change, DeleteExpress)}
        for identity in gone:
            if identity not in self.begun or identity in self.gone:
                self.wrong.append(f"the Express execution {identity} ends, and has not begun")
        for change in unit:
            match change:
                case Insert(ExpressRow() as row):
                    self.begun[row.id] = row
                    self.arns.add(row.arn)
                case Insert(NotificationRow(execution=execution) as row) if execution < 0:
                    self._tell(row, gone)
        self.gone |= gone

    def _tell(self, row: NotificationRow, gone: set[int]) -> None:
        detail = orjson.loads(row.body)["detail"]
        self.arns.add(detail["executionArn"])
        if "/" in detail["stateMachineArn"]:
            self.wrong.append(f"somebody is told of a child of a map run: {detail}")
        if detail["status"] == "RUNNING":
            return
        brief = row.execution not in self.begun
        if not brief and row.execution not in gone:
            self.wrong.append(f"the end of {detail} is told, and its row stays")
        if (row.execution, row.sink) in self.told:
            self.wrong.append(f"the end of {detail} is told twice")
        self.told.add((row.execution, row.sink))


class ExpressCallers:
    """StartExecution and StartSyncExecution of an Express machine."""

    def __init__(self, world: World, dice: Random) -> None:
        self.wrong: list[str] = []
        self.busy = 0
        """How many have not got what they want."""
        self._heard: dict[str, bool] = {}
        """ARN of each whose start was heard, and whether its end may be told to nobody."""
        self._world = world
        self._dice = dice

    async def start(self, machine_arn: str, name: str) -> None:
        """Until it is heard; each time it is another execution."""
        text = orjson.dumps({"id": name, "items": [1, 2]}).decode()

        async def ask(engine: Engine) -> ExecutionRow:
            target = engine.catalog.publications.target(machine_arn)
            return await engine.start_express(ExpressStart(target, name, text, None))

        row = await self._until_heard(ask)
        sinks = (self._world.file.sinks_of(status) for status in FINAL)
        self._heard[row.arn] = any(frozenset() in each for each in sinks)

    async def start_sync(self, machine_arn: str, name: str) -> None:
        """Until it is heard how one has ended."""
        text = orjson.dumps({"id": name, "items": [1]}).decode()

        async def ask(engine: Engine) -> ExecutionRow:
            target = engine.catalog.publications.target(machine_arn)
            return await engine.start_sync_execution(ExpressStart(target, name, text, None))

        row = await self._until_heard(ask)
        self._world.trace.seen("Express: a synchronous one is heard of")
        ended = row.status in FINAL and row.stop_at is not None
        if not ended or (row.output is None) == (row.status == "SUCCEEDED"):
            self.wrong.append(f"a synchronous execution is said to have ended: {row}")

    async def _until_heard(self, ask: object) -> ExecutionRow:
        self.busy += 1
        try:
            while True:
                await trio.sleep(self._dice.random() * 20)
                # Before somebody has made the machine there is none.
                with suppress(Down, StoreFull, ApiError):
                    row: ExecutionRow = await self._world.line.ask(ask)  # type: ignore[arg-type]
                    return row
        finally:
            self.busy -= 1

    def unheard_of(self, ledger: ExpressLedger) -> set[str]:
        """Started, as was said, and without a trace on the disk."""
        return {arn for arn, silent in self._heard.items() if not silent} - ledger.arns
