"""``GET /healthz``: whether the daemon is ready, and what each of its parts is doing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import orjson
from starlette.responses import Response as HttpResponse


class Health(NamedTuple):
    """How the daemon is."""

    ready: bool
    details: dict[str, Any]
    """JSON: what each source, sink and worker is doing."""

    def members(self) -> dict[str, Any]:
        """As one JSON object."""
        return {"ready": self.ready, **self.details}


class HealthPage:
    """The endpoint: 200 where the daemon is ready, 503 while it is not."""

    def __init__(self, health: Callable[[], Awaitable[Health]]) -> None:
        self._health = health

    async def show(self) -> HttpResponse:
        """The health as JSON."""
        health = await self._health()
        status = 200 if health.ready else 503
        body = orjson.dumps(health.members())
        return HttpResponse(body, status, media_type="application/json")
