"""The operations on versions of state machines."""

from __future__ import annotations

from gateway.api.model import Request, Response
from gateway.api.operations.machines import machine_arn
from gateway.api.operations.operation import Table
from gateway.api.paging import one_page
from gateway.engine.arns import qualified, read_arn
from gateway.engine.catalog import Catalog
from gateway.errors import ApiError
from gateway.store.rows import VersionRow


class Versions:
    """Revisions that were published under a number."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._publications = catalog.publications

    def table(self) -> Table:
        """These operations by name."""
        return {
            "PublishStateMachineVersion": self.publish,
            "ListStateMachineVersions": self.list,
            "DeleteStateMachineVersion": self.delete,
        }

    async def publish(self, request: Request) -> Response:
        """PublishStateMachineVersion."""
        row = await self._publications.publish(
            machine_arn(request), request.get("description", ""), request.get("revisionId")
        )
        return _listed(row)

    async def list(self, request: Request) -> Response:
        """ListStateMachineVersions, newest first."""
        arn = machine_arn(request)
        if self._catalog.machine(arn) is None:
            raise ApiError("InvalidArn", f"Invalid Arn: '{arn}'")
        versions = self._publications.versions(arn)
        listing = f"ListStateMachineVersions {arn}"
        rows, more = one_page(versions, _newest_first, listing, request)
        return {"stateMachineVersions": [_listed(row) for row in rows], **more}

    async def delete(self, request: Request) -> Response:
        """DeleteStateMachineVersion."""
        await self._publications.delete_version(*version_key(request["stateMachineVersionArn"]))
        return {}


def version_key(arn: str) -> tuple[str, int]:
    """The machine and the number that a version's ARN names. Raises ApiError InvalidArn."""
    read = read_arn(arn, "stateMachine")
    match read.rest:
        case (number,) if number.isascii() and number.isdigit():
            return arn.rpartition(":")[0], int(number)
        case _:
            raise ApiError("InvalidArn", f"Invalid Arn: '{arn} names no version'")


def _newest_first(row: VersionRow) -> str:
    return f"{10**12 - row.number:012}"


def _listed(row: VersionRow) -> Response:
    return {
        "stateMachineVersionArn": qualified(row.machine_arn, row.number),
        "creationDate": row.created_at,
    }
