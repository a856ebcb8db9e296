"""The operations on activities, as their owner sees them."""

from __future__ import annotations

from gateway.api.model import Request, Response
from gateway.api.operations.operation import Table
from gateway.api.paging import one_page
from gateway.engine.arns import read_arn
from gateway.engine.catalog import Catalog
from gateway.engine.machine_settings import merge_settings
from gateway.engine.tags import read_tags
from gateway.store.rows import ActivityRow


class Activities:
    """The activities that the catalog has."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def table(self) -> Table:
        """These operations by name."""
        return {
            "CreateActivity": self.create,
            "DescribeActivity": self.describe,
            "DeleteActivity": self.delete,
            "ListActivities": self.list,
        }

    async def create(self, request: Request) -> Response:
        """CreateActivity."""
        if "encryptionConfiguration" in request:
            merge_settings("{}", {"encryptionConfiguration": request["encryptionConfiguration"]})
        row = await self._catalog.create_activity(
            request["name"], read_tags(request.get("tags", ()))
        )
        return {"activityArn": row.arn, "creationDate": row.created_at}

    async def describe(self, request: Request) -> Response:
        """DescribeActivity."""
        row = self._catalog.existing_activity(activity_arn(request))
        return {**_listed(row), "encryptionConfiguration": {"type": "AWS_OWNED_KEY"}}

    async def delete(self, request: Request) -> Response:
        """DeleteActivity."""
        await self._catalog.delete_activity(activity_arn(request))
        return {}

    async def list(self, request: Request) -> Response:
        """ListActivities, by name."""
        rows, more = one_page(self._catalog.activities(), _by_name, "ListActivities", request)
        return {"activities": [_listed(row) for row in rows], **more}


def activity_arn(request: Request) -> str:
    """The request's activityArn. Raises ApiError InvalidArn."""
    arn: str = request["activityArn"]
    read_arn(arn, "activity")
    return arn


def _by_name(row: ActivityRow) -> str:
    return row.name


def _listed(row: ActivityRow) -> Response:
    return {"activityArn": row.arn, "name": row.name, "creationDate": row.created_at}
