"""The operations on the tags of state machines and activities."""

from __future__ import annotations

from gateway.api.model import Request, Response
from gateway.api.operations.operation import Table
from gateway.engine.arns import read_arn
from gateway.engine.catalog import Catalog


class Tagging:
    """Tags as the catalog has them."""

    def __init__(self, catalog: Catalog) -> None:
        self._tags = catalog.tags

    def table(self) -> Table:
        """These operations by name."""
        return {
            "TagResource": self.tag,
            "UntagResource": self.untag,
            "ListTagsForResource": self.list,
        }

    async def tag(self, request: Request) -> Response:
        """TagResource."""
        await self._tags.add(_resource_arn(request), request["tags"])
        return {}

    async def untag(self, request: Request) -> Response:
        """UntagResource."""
        await self._tags.remove(_resource_arn(request), request["tagKeys"])
        return {}

    async def list(self, request: Request) -> Response:
        """ListTagsForResource."""
        return {"tags": self._tags.of(_resource_arn(request))}


def _resource_arn(request: Request) -> str:
    arn: str = request["resourceArn"]
    read_arn(arn, "stateMachine", "activity")
    return arn
