"""Those who change what runs: they update machines, delete them and make them anew, publish
versions, lead aliases to them, start through these, and redrive what has failed."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import orjson
import trio

from gateway.engine.engine import Engine
from gateway.engine.publications import read_routing
from gateway.engine.starts import StartResult
from gateway.errors import ApiError
from gateway.store.failures import StoreFull
from tests.simulation.machines import FOREVER, random_machine
from tests.simulation.people import Down
from tests.simulation.trace import Trace

if TYPE_CHECKING:
    from tests.simulation.world import World

NAME = "a0"
EXPRESS = "x0"
ALIAS = "live"


class Publisher:
    """Works on a machine that is in no file."""

    def __init__(self, world: World, dice: Random, trace: Trace) -> None:
        self.names: set[str] = set()
        """Of executions that may have been started."""
        self.heard: set[str] = set()
        """Of those that have."""
        self.wrong: list[str] = []
        self.busy = 0
        self._least = 0
        """No start that is asked for from now on begins with an older revision."""
        self._world = world
        self._dice = dice
        self._trace = trace
        self._arn = f"{world.account}:stateMachine:{NAME}"

    async def create_express(self) -> None:
        """The Express machine that others start."""
        definition = orjson.dumps(random_machine(self._dice, express=True)).decode()
        await self._until_heard(
            lambda engine: engine.catalog.create_machine(EXPRESS, definition, type="EXPRESS")
        )

    async def work(self, times: int) -> None:
        """Some changes and starts, one after the other."""
        self.busy += 1
        try:
            await self._until_heard(
                lambda engine: engine.catalog.create_machine(NAME, self._definition)
            )
            changes = (self._update, self._publish, self._lead, self._delete, self._remove)
            for number in range(times):
                await trio.sleep(self._dice.random() * 20)
                with suppress(Down, ApiError, StoreFull):
                    await self._dice.choice(changes)()
                await self._start(f"published-{number}")
        finally:
            self.busy -= 1

    @property
    def _definition(self) -> str:
        return orjson.dumps(random_machine(self._dice)).decode()

    async def _until_heard(self, ask: object) -> None:
        self.busy += 1
        try:
            while True:
                await trio.sleep(self._dice.random() * 5)
                try:
                    await self._world.line.ask(ask)  # type: ignore[arg-type]
                except (Down, StoreFull):
                    continue
                except ApiError as error:
                    # It was made by a call that was not heard.
                    self._must(error.code == "StateMachineAlreadyExists", repr(error))
                return
        finally:
            self.busy -= 1

    async def _update(self) -> None:
        definition = self._definition
        _, revision = await self._world.line.ask(
            lambda engine: engine.catalog.update_machine(self._arn, definition)
        )
        self._least = max(self._least, revision.id)
        self._trace.seen("API: a machine is updated")

    async def _publish(self) -> None:
        await self._world.line.ask(lambda engine: engine.catalog.publications.publish(self._arn))
        self._trace.seen("API: a version is published")

    async def _lead(self) -> None:
        """The alias goes to one or two versions."""
        tables = self._world.disk.tables()
        numbers = sorted(number for arn, number in tables.versions if arn == self._arn)
        if not numbers:
            return
        chosen = self._dice.sample(numbers, min(len(numbers), self._dice.choice((1, 2))))
        routing = list(zip(chosen, {1: (100,), 2: (30, 70)}[len(chosen)], strict=True))

        async def ask(engine: Engine) -> None:
            publications = engine.catalog.publications
            if publications.alias(self._arn, ALIAS) is None:
                await publications.create_alias(self._arn, ALIAS, "", routing)
            else:
                await publications.update_alias(self._arn, ALIAS, None, routing)

        await self._world.line.ask(ask)
        self._trace.seen("API: an alias leads elsewhere")

    async def _delete(self) -> None:
        """A version, which an alias may lead to, or the alias."""
        tables = self._world.disk.tables()
        numbers = [number for arn, number in tables.versions if arn == self._arn]
        if numbers and self._dice.random() < 0.7:
            number = self._dice.choice(numbers)
            await self._world.line.ask(
                lambda engine: engine.catalog.publications.delete_version(self._arn, number)
            )
            self._trace.seen("API: a version is deleted")
        else:
            await self._world.line.ask(
                lambda engine: engine.catalog.publications.delete_alias(self._arn, ALIAS)
            )

    async def _remove(self) -> None:
        """The machine; sometimes somebody starts it meanwhile, and often it is made anew."""
        async with trio.open_nursery() as nursery:
            if self._dice.random() < 0.5:
                nursery.start_soon(self._start, f"last-{self._dice.random()}")
            with suppress(Down, StoreFull):
                await self._world.line.ask(lambda engine: engine.catalog.delete_machine(self._arn))
                self._trace.seen("API: a machine is deleted")
        if self._dice.random() < 0.7:
            await trio.sleep(self._dice.choice((0, 1, 60)) * self._dice.random())
            definition = self._definition
            _, fresh = await self._world.line.ask(
                lambda engine: engine.catalog.create_machine(NAME, definition)
            )
            self._least = max(self._least, fresh.id)
            self._trace.seen("API: a deleted machine is made anew")

    async def _start(self, name: str) -> None:
        """Through whatever there is."""
        versions = self._world.disk.tables().versions
        numbers = [str(number) for arn, number in versions if arn == self._arn]
        qualifier = self._dice.choice(("", ALIAS, *numbers))
        arn = f"{self._arn}:{qualifier}" if qualifier else self._arn
        text = orjson.dumps({"id": name, "items": [1]}).decode()
        self.names.add(name)
        least = self._least
        with suppress(Down, ApiError, StoreFull):
            result = await self._world.line.ask(
                lambda engine: engine.start_execution(arn, name, text)
            )
            self.heard.add(name)
            self._look(result, qualifier, least)

    def _look(self, result: StartResult, qualifier: str, least: int) -> None:
        """It begins with what its caller has named."""
        row, tables = result.row, self._world.disk.tables()
        if not qualifier:
            self._must(row.version is None, f"{row} has a version that nobody named")
            self._must(row.revision >= least, f"{row} is older than what was made current")
        elif qualifier == ALIAS:
            self._trace.seen("API: a start through an alias")
            self._must(row.alias == ALIAS and row.version is not None, f"{row} has lost its alias")
        else:
            self._trace.seen("API: a start through a version")
            self._must(row.version == int(qualifier), f"{row} has another version")
        version = tables.versions.get((self._arn, row.version))
        if version is not None:
            self._must(row.revision == version.revision, f"{row} is not {version}")

    def _must(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)

    def look(self) -> None:
        """Whatever has happened, an alias leads to versions and a version to a revision."""
        tables = self._world.disk.tables()
        for row in tables.aliases.values():
            for number, _ in read_routing(row):
                there = (row.machine_arn, number) in tables.versions
                self._must(there, f"{row} leads to no version")
        for row in tables.versions.values():
            self._must(row.revision in tables.revisions, f"{row} has no revision")


class Redriver:
    """Redrives some of what has failed."""

    def __init__(self, world: World, dice: Random, trace: Trace) -> None:
        self.busy = 0
        self.wrong: list[str] = []
        self._world = world
        self._dice = dice
        self._trace = trace

    async def work(self) -> None:
        """Once, if there is something to be redriven then; asked again where nobody answered."""
        self.busy += 1
        try:
            await trio.sleep(self._dice.choice((5, 60, 200)) * self._dice.random())
            rows = self._world.disk.tables().executions.values()
            failed = [
                row
                for row in rows
                if row.status not in {"RUNNING", "SUCCEEDED"} and row.machine_arn != FOREVER
            ]
            if failed:
                await self._redrive(self._dice.choice(failed).arn, str(self._dice.random()))
        finally:
            self.busy -= 1

    async def _redrive(self, arn: str, token: str) -> None:
        while True:
            try:
                await self._world.line.ask(lambda engine: engine.redrive_execution(arn, token))
            except (Down, StoreFull):
                await trio.sleep(1)
                continue
            except ApiError:
                return
            self._trace.seen("API: an execution is redriven")
            self._trace.say("person", "has redriven", arn)
            return
