"""The operations on aliases of state machines."""

from __future__ import annotations

from gateway.api.model import Request, Response
from gateway.api.operations.operation import Table
from gateway.api.operations.versions import version_key
from gateway.api.paging import one_page
from gateway.engine.arns import qualified, read_arn
from gateway.engine.catalog import Catalog
from gateway.engine.publications import Routing, check_routing, read_routing
from gateway.errors import ApiError
from gateway.store.rows import AliasRow


class Aliases:
    """Names that lead to one or two versions."""

    def __init__(self, catalog: Catalog) -> None:
        self._publications = catalog.publications

    def table(self) -> Table:
        """These operations by name."""
        return {
            "CreateStateMachineAlias": self.create,
            "DescribeStateMachineAlias": self.describe,
            "UpdateStateMachineAlias": self.update,
            "DeleteStateMachineAlias": self.delete,
            "ListStateMachineAliases": self.list,
        }

    async def create(self, request: Request) -> Response:
        """CreateStateMachineAlias."""
        machine_arn, routing = _routing(request)
        row = await self._publications.create_alias(
            machine_arn, request["name"], request.get("description", ""), routing
        )
        return {"stateMachineAliasArn": _arn(row), "creationDate": row.created_at}

    async def describe(self, request: Request) -> Response:
        """DescribeStateMachineAlias."""
        row = self._publications.existing_alias(*_key(request))
        return {
            "stateMachineAliasArn": _arn(row),
            "name": row.name,
            "description": row.description,
            "routingConfiguration": [
                {"stateMachineVersionArn": qualified(row.machine_arn, number), "weight": weight}
                for number, weight in read_routing(row)
            ],
            "creationDate": row.created_at,
            "updateDate": row.updated_at,
        }

    async def update(self, request: Request) -> Response:
        """UpdateStateMachineAlias."""
        key = machine_arn, _ = _key(request)
        if "description" not in request and "routingConfiguration" not in request:
            message = "Either the description or the RoutingConfiguration must be specified"
            raise ApiError("MissingRequiredParameter", message)
        self._publications.existing_alias(*key)
        routing = None
        if "routingConfiguration" in request:
            routed, routing = _routing(request)
            if routed != machine_arn:
                message = "An alias leads to versions of its own state machine only"
                raise ApiError("ValidationException", message)
        row = await self._publications.update_alias(*key, request.get("description"), routing)
        return {"updateDate": row.updated_at}

    async def delete(self, request: Request) -> Response:
        """DeleteStateMachineAlias."""
        await self._publications.delete_alias(*_key(request))
        return {}

    async def list(self, request: Request) -> Response:
        """ListStateMachineAliases of a machine or of one of its versions, by name."""
        arn = request["stateMachineArn"]
        read_arn(arn, "stateMachine")
        named = self._publications.named(arn)
        aliases = self._publications.aliases(named.machine_arn, named.version)
        listing = f"ListStateMachineAliases {arn}"
        rows, more = one_page(aliases, _by_name, listing, request)
        listed = [
            {"stateMachineAliasArn": _arn(row), "creationDate": row.created_at} for row in rows
        ]
        return {"stateMachineAliases": listed, **more}


def _key(request: Request) -> tuple[str, str]:
    """The machine and the name. Raises ApiError InvalidArn."""
    arn: str = request["stateMachineAliasArn"]
    rest = read_arn(arn, "stateMachine").rest
    if len(rest) != 1 or rest[0].isdigit():
        raise ApiError("InvalidArn", f"Invalid Arn: '{arn} names no alias'")
    return arn.rpartition(":")[0], rest[0]


def _routing(request: Request) -> tuple[str, Routing]:
    """The machine whose versions are named, and where the alias is to lead. Raises ApiError."""
    items = request["routingConfiguration"]
    arns = [item["stateMachineVersionArn"] for item in items]
    weights = [item["weight"] for item in items]
    rests = [read_arn(arn, "stateMachine").rest for arn in arns]
    check_routing(arns, weights, all(len(rest) == 1 and rest[0].isdigit() for rest in rests))
    keys = [version_key(arn) for arn in arns]
    machines = {machine_arn for machine_arn, _ in keys}
    if len(machines) != 1:
        message = "Routing configuration must contain versions of one state machine"
        raise ApiError("ValidationException", message)
    numbers = [number for _, number in keys]
    return machines.pop(), list(zip(numbers, weights, strict=True))


def _by_name(row: AliasRow) -> str:
    return row.name


def _arn(row: AliasRow) -> str | None:
    return qualified(row.machine_arn, row.name)
