"""``GET /metrics``: what the daemon counted, and the backlogs and ages that the store has now."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response as HttpResponse

from gateway.engine.metrics import Metrics
from gateway.store.protocol import Store


class MetricsPage:
    """The endpoint; asks the store once for each scrape."""

    def __init__(self, metrics: Metrics, store: Store, now: Callable[[], int]) -> None:
        self._metrics = metrics
        self._store = store
        self._now = now

    async def show(self) -> HttpResponse:
        """Prometheus text."""
        # Loaded where somebody scrapes.
        from gateway.api.exposition import CONTENT_TYPE, exposition

        stats = await self._store.stats()
        text = exposition(self._metrics, stats, self._now())
        return HttpResponse(text, media_type=CONTENT_TYPE)
