"""``GET /metrics``: what the daemon counted, and the backlogs and ages that the store has now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.responses import Response as HttpResponse

from gateway.engine.metrics import Metrics
from gateway.store.protocol import Stats, Store

_AGES: Final = (
    (
        "stategate_notification_age_seconds",
        "Age of the oldest notification that no sink has accepted.",
        "oldest_notification",
    ),
    (
        "stategate_activity_task_age_seconds",
        "Age of the oldest activity task that waits for a worker.",
        "oldest_waiting_task",
    ),
    (
        "stategate_task_token_age_seconds",
        "Age of the oldest task that was handed out and has not been answered.",
        "oldest_open_task",
    ),
)


class MetricsPage(Collector):
    """The endpoint; asks the store once for each scrape."""

    def __init__(self, metrics: Metrics, store: Store, now: Callable[[], int]) -> None:
        self._registry = metrics.registry
        self._store = store
        self._now = now
        self._stats = Stats()
        self._registry.register(self)

    async def show(self) -> HttpResponse:
        """Prometheus text."""
        self._stats = await self._store.stats()
        return HttpResponse(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The store's part of the page; prometheus_client calls it."""
        stats, now = self._stats, self._now()
        yield GaugeMetricFamily(
            "stategate_executions_running", "Executions that run.", stats.running
        )
        yield from _by_name(stats)
        for name, help_text, member in _AGES:
            since = getattr(stats, member)
            yield GaugeMetricFamily(name, help_text, 0 if since is None else (now - since) / 1000)


def _by_name(stats: Stats) -> Iterator[GaugeMetricFamily]:
    yield _family(
        "stategate_trigger_executions_running",
        "Executions that run, by the trigger that started them.",
        "trigger",
        stats.running_by_trigger,
    )
    yield _family("stategate_letters", "Letters that are kept.", "origin", stats.letters)
    yield _family(
        "stategate_notifications_waiting",
        "Notifications that a sink has not accepted yet.",
        "sink",
        stats.notifications,
    )


def _family(
    name: str, help_text: str, label: str, values: Mapping[str, float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
