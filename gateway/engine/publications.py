"""Versions and aliases: published revisions of a machine, and names that lead to one or two of
them.

AWS's rules of publishing, routing and deleting live here. All rows are in memory, as in the
catalog, whose lock every change takes: a machine's versions are numbered in one line, and go with
the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from secrets import randbelow
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import orjson

from gateway.errors import ApiError
from gateway.store.changes import Change, DeleteAlias, DeleteVersion, Insert, Upsert
from gateway.store.protocol import Store
from gateway.store.rows import AliasRow, RevisionRow, VersionRow

if TYPE_CHECKING:
    from gateway.engine.catalog import Catalog

VERSIONS_MAX: Final = 1000
ALIASES_MAX: Final = 100
"""Of one machine, as at AWS."""

Routing: TypeAlias = list[tuple[int, int]]
"""Numbers of versions and their weights, which come to 100."""


class Target(NamedTuple):
    """What a qualified or plain ARN of a state machine leads to."""

    machine_arn: str
    version: int | None = None
    alias: str | None = None


def read_routing(row: AliasRow) -> Routing:
    """Where the alias leads."""
    return [(number, weight) for number, weight in orjson.loads(row.routing)]


class Publications:
    """The versions and aliases of all machines."""

    def __init__(
        self,
        catalog: Catalog,
        store: Store,
        now: Callable[[], int],
        dice: Callable[[int], int] = randbelow,
    ) -> None:
        """``dice`` gives a number from 0 to below the one that it is given."""
        self._catalog = catalog
        self._store = store
        self._now = now
        self._dice = dice
        self._versions: dict[str, dict[int, VersionRow]] = {}
        self._aliases: dict[str, dict[str, AliasRow]] = {}

    async def load(self) -> None:
        """Read what the store has; once."""
        self.take(await self._store.versions())
        for alias in await self._store.aliases():
            self._aliases.setdefault(alias.machine_arn, {})[alias.name] = alias

    # ------------------------------------------------------------------- finding

    def target(self, arn: str) -> Target:
        """What the ARN leads to; of an alias, one of its versions by weight.

        Raises ApiError StateMachineDoesNotExist.
        """
        named = self.named(arn)
        if named.alias is None:
            return named
        routing = read_routing(self._aliases[named.machine_arn][named.alias])
        throw = self._dice(100)
        number = next(number for number, below in _running_sums(routing) if throw < below)
        return named._replace(version=number)

    def named(self, arn: str) -> Target:
        """The machine, version or alias of this ARN. Raises ApiError StateMachineDoesNotExist."""
        machine_arn, _, qualifier = arn.rpartition(":")
        if self._catalog.machine(arn) is not None:
            return Target(arn)
        if qualifier.isascii() and qualifier.isdigit():
            if self.version(machine_arn, int(qualifier)) is not None:
                return Target(machine_arn, version=int(qualifier))
        elif self.alias(machine_arn, qualifier) is not None:
            return Target(machine_arn, alias=qualifier)
        raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")

    def version(self, machine_arn: str, number: int) -> VersionRow | None:
        """The version, or None."""
        return self._versions.get(machine_arn, {}).get(number)

    def versions(self, machine_arn: str) -> list[VersionRow]:
        """All versions of the machine, newest first."""
        return sorted(self._versions.get(machine_arn, {}).values(), reverse=True)

    def alias(self, machine_arn: str, name: str) -> AliasRow | None:
        """The alias, or None."""
        return self._aliases.get(machine_arn, {}).get(name)

    def aliases(self, machine_arn: str, version: int | None = None) -> list[AliasRow]:
        """The aliases of the machine, or those that lead to the version; by name."""
        rows = sorted(self._aliases.get(machine_arn, {}).values())
        return [row for row in rows if version in {None, *dict(read_routing(row))}]

    def existing_alias(self, machine_arn: str, name: str) -> AliasRow:
        """The alias. Raises ApiError ResourceNotFound."""
        row = self.alias(machine_arn, name)
        if row is None:
            raise _no_such_resource()
        return row

    # ------------------------------------------------------------------ versions

    async def publish(
        self, machine_arn: str, description: str = "", revision_id: str | None = None
    ) -> VersionRow:
        """Publish the current revision, or find it published.

        Raises ApiError ConflictException where ``revision_id`` is not the current one's.
        """
        current = self._catalog.current(machine_arn)
        if revision_id not in {None, current.revision_id}:
            message = (
                f"Failed to publish the State Machine version for revision {revision_id}. "
                f"The current State Machine revision is {current.revision_id}."
            )
            raise ApiError("ConflictException", message)
        return await self.publish_revision(current, description)

    def descriptions(self, revision: RevisionRow) -> list[str]:
        """Of the versions that the revision was published as."""
        held = self._versions.get(revision.machine_arn, {}).values()
        return [row.description for row in held if row.revision == revision.id]

    def take(self, rows: Iterable[VersionRow]) -> None:
        """These are stored now."""
        for row in rows:
            self._versions.setdefault(row.machine_arn, {})[row.number] = row

    async def publish_revision(self, revision: RevisionRow, description: str = "") -> VersionRow:
        """Publish a revision, or find it published."""
        arn = revision.machine_arn
        async with self._catalog.changing:
            machine = self._catalog.active_machine(arn)
            held = self._versions.get(arn, {})
            for row in held.values():
                if row.revision == revision.id:
                    return row
            _check_room(held, VERSIONS_MAX, "versions")
            number = machine.last_version + 1
            row = VersionRow(arn, number, revision.id, description, self._now())
            await self._catalog.put(machine._replace(last_version=number), Insert(row))
            self.take([row])
            return row

    async def delete_version(self, machine_arn: str, number: int) -> None:
        """Delete a version; one that is not there is deleted already.

        Raises ApiError ConflictException where an alias leads to it.
        """
        async with self._catalog.changing:
            if self.version(machine_arn, number) is None:
                return
            holders = self.aliases(machine_arn, number)
            if holders:
                names = ", ".join(row.name for row in holders)
                message = (
                    "Version to be deleted must not be referenced by an alias. "
                    f"Current list of aliases referencing this version: [{names}]"
                )
                raise ApiError("ConflictException", message)
            await self._store.commit([DeleteVersion(machine_arn, number)])
            del self._versions[machine_arn][number]

    # ------------------------------------------------------------------- aliases

    async def create_alias(
        self, machine_arn: str, name: str, description: str, routing: Routing
    ) -> AliasRow:
        """Name one or two versions, or find that the same alias is there.

        Raises ApiError ConflictException where the name leads elsewhere, ResourceNotFound where a
        version is missing.
        """
        async with self._catalog.changing:
            self._catalog.active_machine(machine_arn)
            self._check_versions(machine_arn, routing)
            at = self._now()
            row = AliasRow(machine_arn, name, description, _written(routing), at, at)
            held = self.alias(machine_arn, name)
            if held is None:
                _check_room(self._aliases.get(machine_arn, {}), ALIASES_MAX, "aliases")
                await self._put_alias(row)
                return row
            if held != row._replace(created_at=held.created_at, updated_at=held.updated_at):
                message = (
                    "Failed to create alias because an alias with the same name and a different "
                    "routing configuration already exists."
                )
                raise ApiError("ConflictException", message)
            return held

    async def update_alias(
        self, machine_arn: str, name: str, description: str | None, routing: Routing | None
    ) -> AliasRow:
        """Change what is given. Raises ApiError ResourceNotFound."""
        async with self._catalog.changing:
            row = self.existing_alias(machine_arn, name)._replace(updated_at=self._now())
            if description is not None:
                row = row._replace(description=description)
            if routing is not None:
                self._check_versions(machine_arn, routing)
                row = row._replace(routing=_written(routing))
            await self._put_alias(row)
            return row

    async def delete_alias(self, machine_arn: str, name: str) -> None:
        """Delete an alias; one that is not there is deleted already."""
        async with self._catalog.changing:
            if self.alias(machine_arn, name) is not None:
                await self._store.commit([DeleteAlias(machine_arn, name)])
                del self._aliases[machine_arn][name]

    async def _put_alias(self, row: AliasRow) -> None:
        await self._store.commit([Upsert(row)])
        self._aliases.setdefault(row.machine_arn, {})[row.name] = row

    def _check_versions(self, machine_arn: str, routing: Routing) -> None:
        if any(self.version(machine_arn, number) is None for number, _ in routing):
            raise _no_such_resource()

    # --------------------------------------------------------- with their machine

    def deletions(self, machine_arn: str) -> list[Change]:
        """What goes in the unit in which the machine goes."""
        versions = self._versions.get(machine_arn, ())
        aliases = self._aliases.get(machine_arn, ())
        return [
            *(DeleteVersion(machine_arn, number) for number in versions),
            *(DeleteAlias(machine_arn, name) for name in aliases),
        ]

    def forget(self, machine_arn: str) -> None:
        """The machine has gone."""
        self._versions.pop(machine_arn, None)
        self._aliases.pop(machine_arn, None)


def first_version(revision: RevisionRow, description: str | None) -> list[VersionRow]:
    """What a new machine is published as with this description; nothing without one."""
    if description is None:
        return []
    return [VersionRow(revision.machine_arn, 1, revision.id, description, revision.created_at)]


def _running_sums(routing: Routing) -> list[tuple[int, int]]:
    sums, total = [], 0
    for number, weight in routing:
        total += weight
        sums.append((number, total))
    return sums


def _written(routing: Routing) -> str:
    return orjson.dumps(routing).decode()


def _check_room(held: dict[int, VersionRow] | dict[str, AliasRow], most: int, what: str) -> None:
    if len(held) >= most:
        message = f"A state machine has at most {most} {what}; delete one first"
        raise ApiError("ServiceQuotaExceededException", message)


def _no_such_resource() -> ApiError:
    return ApiError("ResourceNotFound", "Request references a resource that does not exist.")


def check_routing(arns: Sequence[str], weights: Sequence[int], qualified: bool) -> None:
    """What AWS asks of a routing configuration, in its words and order. Raises ApiError
    ValidationException. ``qualified``: each ARN is that of a version."""
    received = f"Received: [{', '.join(arns)}]"
    if len(set(arns)) < len(arns):
        message = (
            f"Routing configuration must contain distinct state machine version ARNs. {received}"
        )
    elif not qualified:
        message = f"Routing configuration must contain state machine version ARNs. {received}"
    elif sum(weights) != 100:
        message = f"Sum of routing configuration weights must equal 100. Received: {list(weights)}"
    else:
        return
    raise ApiError("ValidationException", message)
