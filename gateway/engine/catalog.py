"""The machines with their revisions, and the activities: what may be started and who may be asked.

All of it but old revisions is in memory, so that the ways into the engine look things up without a
read; every change is committed before it shows. AWS's rules of creating, updating and deleting
live here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Literal, NamedTuple, TypeVar
from uuid import uuid4

import trio

from gateway.asl.states.state import StateMachine
from gateway.engine.arns import Arns, read_arn, refuse_label
from gateway.engine.compiled import Compiled, compile_definition
from gateway.engine.machine_settings import Settings, merge_settings
from gateway.engine.names import check_name
from gateway.engine.publications import Publications, first_version
from gateway.engine.tags import Tags
from gateway.errors import ApiError
from gateway.store.changes import Change, DeleteActivity, DeleteMachine, DeleteTags, Insert, Upsert
from gateway.store.protocol import ExecutionFilter, Page, Store
from gateway.store.rows import ActivityRow, MachineRow, RevisionRow

T = TypeVar("T")

INITIAL = "INITIAL"
"""``revision_id`` of a machine that was never updated; AWS leaves it out of its answers."""


class Declared(NamedTuple):
    """What came of ``Catalog.declare``: names of machines."""

    changed: list[str]
    """Those that are new or have a new revision."""
    deleting: list[str]
    """Those that are being deleted and still run: they were left alone."""


class Catalog:
    """Machines, revisions and activities. Changes come one at a time; reading waits for nothing."""

    def __init__(self, store: Store, now: Callable[[], int], *, region: str, account: str) -> None:
        self.arns = Arns(region, account)
        self._store = store
        self._now = now
        self._default_role = f"arn:aws:iam::{account}:role/stategate"
        self._machines: dict[str, MachineRow] = {}
        self._current: dict[str, RevisionRow] = {}
        self._activities: dict[str, ActivityRow] = {}
        self._last_revision = 0
        self._starting: Counter[str] = Counter()
        self._compiled = Compiled(store)
        self.changing = trio.Lock()
        """Held by whoever changes what is here or belongs to it."""
        self.publications = Publications(self, store, now)
        self.tags = Tags(self, store)

    async def load(self) -> None:
        """Read what the store has; once, before anything else."""
        self._machines = {row.arn: row for row in await self._store.machines()}
        for arn in self._machines:
            revision = await self._store.current_revision(arn)
            if revision is not None:
                self._current[arn] = revision
        self._activities = {row.arn: row for row in await self._store.activities()}
        self._last_revision = await self._store.last_revision()
        await self.publications.load()
        await self.tags.load()

    def machine_arn(self, name: str) -> str:
        """The ARN that a state machine of this name has."""
        return self.arns.machine(name)

    def activity_arn(self, name: str) -> str:
        """The ARN that an activity of this name has."""
        return self.arns.activity(name)

    def execution_arn(self, machine_name: str, name: str) -> str:
        """The ARN that an execution of this machine and name has."""
        return self.arns.execution(machine_name, name)

    # ------------------------------------------------------------------- machines

    def machine(self, arn: str) -> MachineRow | None:
        """The machine, also while it is being deleted; None where there is none."""
        return self._machines.get(arn)

    def existing_machine(self, arn: str) -> MachineRow:
        """The machine. Raises ApiError StateMachineDoesNotExist."""
        row = self._machines.get(arn)
        if row is None:
            raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
        return row

    def named_machine(self, arn: str) -> MachineRow:
        """The machine that an ARN names, of a version and alias as well. Raises ApiError
        InvalidArn, ValidationException, StateMachineDoesNotExist."""
        read_arn(arn, "stateMachine")
        refuse_label(arn)
        return self.existing_machine(self.publications.named(arn).machine_arn)

    def active_machine(self, arn: str) -> MachineRow:
        """The machine if it may be started or changed. Raises StateMachineDeleting as well."""
        row = self.existing_machine(arn)
        if row.status == "DELETING":
            raise ApiError("StateMachineDeleting", f"State Machine Is Deleting: '{arn}'")
        return row

    @contextmanager
    def starting(self, arns: Collection[str]) -> Iterator[None]:
        """Keep machines in the store from before ``active_machine`` until what it allows is begun:
        with a machine go the revisions of which the store knows no execution."""
        self._starting.update(arns)
        try:
            yield
        finally:
            self._starting.subtract(arns)
            for arn in arns:
                if not self._starting[arn]:
                    del self._starting[arn]

    def machines(self) -> list[MachineRow]:
        """All machines, by name."""
        return sorted(self._machines.values(), key=lambda row: row.name)

    def current(self, arn: str) -> RevisionRow:
        """The newest revision. Raises ApiError StateMachineDoesNotExist."""
        self.existing_machine(arn)
        return self._current[arn]

    async def revision(self, arn: str, version: int | None) -> RevisionRow:
        """A version's revision, or the newest one. Raises ApiError StateMachineDoesNotExist."""
        if version is None:
            return self.current(arn)
        published = self.publications.version(arn, version)
        if published is None:
            message = f"State Machine Does Not Exist: '{arn}:{version}'"
            raise ApiError("StateMachineDoesNotExist", message)
        return await self.stored_revision(published.revision)

    async def stored_revision(self, revision: int) -> RevisionRow:
        """A revision by its id; it is kept while its machine or an execution refers to it."""
        row = await self._store.revision(revision)
        if row is None:
            raise LookupError(f"revision {revision} is not in the store")
        return row

    async def compiled(self, revision: int) -> StateMachine:
        """The machine that a revision's definition says; the most recently used ones are kept."""
        return await self._compiled.get(revision)

    async def aside(self, definition: str, work: Callable[[], T]) -> T:
        """What the work on this definition comes to; where it may be long, others have their turn
        meanwhile."""
        return await self._compiled.aside(definition, work)

    async def _compile(self, definition: str, type: str = "STANDARD") -> StateMachine:  # noqa: A002
        return await self.aside(definition, partial(compile_definition, definition, type))

    async def create_machine(
        self,
        name: str,
        definition: str,
        role_arn: str | None = None,
        type: Literal["STANDARD", "EXPRESS"] = "STANDARD",  # noqa: A002 - the API's member
        settings: Settings | None = None,
        managed: str | None = None,
        tags: Mapping[str, str] | None = None,
        publish: str | None = None,
    ) -> tuple[MachineRow, RevisionRow]:
        """Create a machine, or find that the same one is there already (role and tags may differ).

        ``settings`` are the other members of CreateStateMachine, ``managed`` the hash under which
        the configuration file knows it, ``publish`` the description of the version that comes with
        it (None: there is none). Raises ApiError InvalidName, InvalidDefinition,
        StateMachineAlreadyExists, StateMachineDeleting, InvalidLoggingConfiguration, …
        """
        check_name(name)
        compiled = await self._compile(definition, type)
        wanted = merge_settings("{}", settings or {})
        arn = self.machine_arn(name)
        async with self.changing:
            await self._reap(arn)
            if arn in self._machines:
                return self._same_machine(arn, (type, definition, wanted), publish)
            machine = MachineRow(arn, name, type, self._now(), managed=managed)
            role = role_arn or self._default_role
            revision = self._next_revision(arn, INITIAL, definition, role, wanted)
            tagging = self.tags.changes(arn, tags or {})
            first = first_version(revision, publish)
            machine = machine._replace(last_version=len(first))
            versions = map(Insert, first)
            await self._store.commit([Insert(machine), Insert(revision), *versions, *tagging])
            self.tags.take(arn, tags or {})
            self.publications.take(first)
            self._machines[arn] = machine
            self._take(revision, compiled)
            return machine, revision

    async def update_machine(
        self,
        arn: str,
        definition: str | None = None,
        role_arn: str | None = None,
        settings: Settings | None = None,
        managed: str | None = None,
    ) -> tuple[MachineRow, RevisionRow]:
        """Give a machine a new revision; what is not given stays, and all of it if nothing differs.

        Executions that run go on with the revision that they began with. Raises ApiError as
        ``create_machine`` does, and MissingRequiredParameter where nothing was given.
        """
        if definition is None and role_arn is None and not settings and managed is None:
            raise ApiError(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the "
                "TracingConfiguration must be specified",
            )
        compiled = None
        if definition is not None:
            compiled = await self._compile(definition, self.existing_machine(arn).type)
        async with self.changing:
            machine, old = self.active_machine(arn), self.current(arn)
            wanted = merge_settings(old.settings, settings or {})
            text, role = definition or old.definition, role_arn or old.role_arn
            machine = machine._replace(managed=managed or machine.managed)
            if (text, role, wanted) == (old.definition, old.role_arn, old.settings):
                await self.put(machine)
                return machine, old
            new = self._next_revision(arn, str(uuid4()), text, role, wanted)
            await self.put(machine, Insert(new))
            self._take(new, compiled)
            return machine, new

    async def declare(
        self, machines: Mapping[str, tuple[str, str]], activities: Iterable[str]
    ) -> Declared:
        """Have the machines (definition and ``managed`` by name) and activities of the file.

        A machine whose ``managed`` is the same is left alone. All of it is one unit: where this
        raises (ApiError InvalidName and InvalidDefinition, StoreFull), nothing has changed.
        """
        async with self.changing:
            for name in machines:
                await self._reap(self.machine_arn(name))
            fresh = [await self._declared(name, *wanted) for name, wanted in machines.items()]
            taken = [row for row in fresh if row is not None]
            rows = [self._new_activity(name) for name in activities]
            new = [row for row in rows if row.arn not in self._activities]
            changes: list[Change] = [*map(Insert, new)]
            for machine, revision, _ in taken:
                changes.append(Upsert(machine))
                changes += [] if revision is None else [Insert(revision)]
            if changes:
                await self._store.commit(changes)
            self._activities.update((row.arn, row) for row in new)
            for machine, revision, compiled in taken:
                self._machines[machine.arn] = machine
                if revision is not None:
                    self._take(revision, compiled)
        deleting = [n for n in machines if self._is_deleting(self.machine_arn(n))]
        changed = [machine.name for machine, revision, _ in taken if revision is not None]
        return Declared(changed, deleting)

    async def _declared(
        self, name: str, definition: str, managed: str
    ) -> tuple[MachineRow, RevisionRow | None, StateMachine | None] | None:
        """The rows that the machine needs; None where it stays as it is."""
        check_name(name)
        arn = self.machine_arn(name)
        machine = self._machines.get(arn)
        if machine is None:
            row = MachineRow(arn, name, "STANDARD", self._now(), managed=managed)
            role, settings, revision_id = self._default_role, merge_settings("{}", {}), INITIAL
        elif machine.managed == managed or machine.status == "DELETING":
            return None
        else:
            row, old = machine._replace(managed=managed), self._current[arn]
            if old.definition == definition:
                return row, None, None
            role, settings, revision_id = old.role_arn, old.settings, str(uuid4())
        compiled = await self._compile(definition)
        return row, self._next_revision(arn, revision_id, definition, role, settings), compiled

    def _is_deleting(self, arn: str) -> bool:
        return arn in self._machines and self._machines[arn].status == "DELETING"

    async def delete_machine(self, arn: str) -> None:
        """Delete a machine: at once if nothing of it runs or is about to, else after that.

        From now on nothing new is started. A machine that is not there is deleted already.
        """
        async with self.changing:
            machine = self._machines.get(arn)
            if machine is not None:
                await self.put(machine._replace(status="DELETING"))
                await self._reap(arn)

    async def reap(self) -> None:
        """Remove the machines that are being deleted and of which nothing runs any more."""
        async with self.changing:
            for arn in list(self._machines):
                await self._reap(arn)

    async def _reap(self, arn: str) -> None:
        machine = self._machines.get(arn)
        if machine is None or machine.status != "DELETING" or arn in self._starting:
            return
        running = ExecutionFilter(machine_arn=arn, status="RUNNING")
        if not (await self._store.executions(running, Page(1))).rows:
            belongings = self.publications.deletions(arn)
            await self._store.commit([DeleteMachine(arn), DeleteTags(arn), *belongings])
            del self._machines[arn], self._current[arn]
            self.publications.forget(arn)
            self.tags.take(arn, {})

    async def put(self, machine: MachineRow, *more: Insert) -> None:
        """Change a machine's row, with what comes in the same unit; for holders of the lock."""
        changed = [Upsert(machine)] if machine != self._machines[machine.arn] else []
        if changed or more:
            await self._store.commit([*changed, *more])
        self._machines[machine.arn] = machine

    def _same_machine(
        self, arn: str, wanted: tuple[str, str, str], publish: str | None
    ) -> tuple[MachineRow, RevisionRow]:
        machine, revision = self.active_machine(arn), self._current[arn]
        held = (machine.type, revision.definition, revision.settings)
        published = self.publications.descriptions(revision)
        if held != wanted or (publish is not None and publish not in published):
            raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
        return machine, revision

    def _next_revision(
        self, arn: str, revision_id: str, definition: str, role_arn: str, settings: str
    ) -> RevisionRow:
        self._last_revision += 1
        return RevisionRow(
            self._last_revision, revision_id, arn, definition, role_arn, self._now(), settings
        )

    def _take(self, revision: RevisionRow, compiled: StateMachine | None) -> None:
        self._current[revision.machine_arn] = revision
        if compiled is not None:
            self._compiled.put(revision.id, compiled)

    # ----------------------------------------------------------------- activities

    def activity(self, arn: str) -> ActivityRow | None:
        """The activity, or None."""
        return self._activities.get(arn)

    def existing_activity(self, arn: str) -> ActivityRow:
        """The activity. Raises ApiError ActivityDoesNotExist."""
        row = self._activities.get(arn)
        if row is None:
            raise ApiError("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
        return row

    def activities(self) -> list[ActivityRow]:
        """All activities, by name."""
        return sorted(self._activities.values(), key=lambda row: row.name)

    async def create_activity(
        self, name: str, tags: Mapping[str, str] | None = None
    ) -> ActivityRow:
        """Register an activity, or find it registered. Raises ApiError InvalidName, TooManyTags."""
        row = self._new_activity(name)
        async with self.changing:
            if row.arn not in self._activities:
                tagging = self.tags.changes(row.arn, tags or {})
                await self._store.commit([Insert(row), *tagging])
                self._activities[row.arn] = row
                self.tags.take(row.arn, tags or {})
            return self._activities[row.arn]

    def _new_activity(self, name: str) -> ActivityRow:
        check_name(name)
        return ActivityRow(self.activity_arn(name), name, self._now())

    async def delete_activity(self, arn: str) -> None:
        """Take an activity's registration away; one that is not there is deleted already."""
        async with self.changing:
            if arn in self._activities:
                await self._store.commit([DeleteActivity(arn), DeleteTags(arn)])
                del self._activities[arn]
                self.tags.take(arn, {})
