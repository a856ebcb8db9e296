"""Counters, backlogs and ages as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from gateway.engine.metrics import Durations, Metrics
from gateway.store.protocol import Stats

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

_COUNTERS: Final = (
    (
        "executions_started",
        "Executions started, by the trigger that did (api: StartExecution).",
        "trigger",
        "executions_started",
    ),
    (
        "executions_ended",
        "Executions that have ended, by their final status.",
        "status",
        "executions_ended",
    ),
    (
        "api_requests_refused",
        "Requests to the API that were refused, by what was missing: signature, permission.",
        "reason",
        "requests_refused",
    ),
    (
        "messages_filtered",
        "Messages that a trigger's filter rejected.",
        "trigger",
        "messages_filtered",
    ),
    (
        "messages_duplicate",
        "Messages whose execution was there already.",
        "trigger",
        "messages_duplicate",
    ),
    (
        "messages_refused",
        "Messages that cannot be taken and stay where they came from: in a queue with a redrive "
        "policy, in a letter that was retried.",
        "trigger",
        "messages_refused",
    ),
    (
        "letters_written",
        "Messages and notifications that became letters, by trigger or sink.",
        "origin",
        "letters_written",
    ),
)
"""Name, meaning, label, and the member of Metrics."""
_AGES: Final = (
    (
        "notification_age_seconds",
        "Age of the oldest notification that no sink has accepted.",
        "oldest_notification",
    ),
    (
        "activity_task_age_seconds",
        "Age of the oldest activity task that waits for a worker.",
        "oldest_waiting_task",
    ),
    (
        "task_token_age_seconds",
        "Age of the oldest task that was handed out and has not been answered.",
        "oldest_open_task",
    ),
)


def exposition(metrics: Metrics, stats: Stats, now: int) -> bytes:
    """Prometheus text; ``now`` in ms since 1970."""
    registry = CollectorRegistry()
    registry.register(_Families(list(families(metrics, stats, now))))
    return generate_latest(registry)


def families(metrics: Metrics, stats: Stats, now: int) -> Iterator[Metric]:
    """Every metric with what it is now."""
    for name, meaning, label, member in _COUNTERS:
        family = CounterMetricFamily(f"stategate_{name}", meaning, labels=[label])
        # The numbers grow meanwhile.
        for key, value in dict(getattr(metrics, member)).items():
            family.add_metric([key], value)
        yield family
    yield _gauges(
        "source_lag",
        "Messages that wait at the far side of a source, as far as it says so.",
        "source",
        metrics.source_lag,
    )
    yield from _durations(metrics)
    yield from _held(stats)
    for name, meaning, member in _AGES:
        since = getattr(stats, member)
        age = 0 if since is None else (now - since) / 1000
        yield GaugeMetricFamily(f"stategate_{name}", meaning, age)


class _Families(Collector):
    def __init__(self, every: list[Metric]) -> None:
        self._every = every

    def collect(self) -> list[Metric]:
        """They are made already."""
        return self._every


def _durations(metrics: Metrics) -> Iterator[Metric]:
    commits = HistogramMetricFamily(
        "stategate_commit_seconds",
        "Time that a transaction, of one or many units, took to be durable.",
        labels=[],
    )
    commits.add_metric([], _buckets(metrics.commits), metrics.commits.seconds)
    yield commits
    calls = HistogramMetricFamily(
        "stategate_task_call_seconds",
        "Time that calls of tasks took, by integration and outcome: succeeded, failed, bug,"
        " cancelled.",
        labels=["runner", "outcome"],
    )
    for labels, durations in metrics.task_calls.items():
        calls.add_metric(labels, _buckets(durations), durations.seconds)
    yield calls
    yield _gauges(
        "task_calls_running",
        "Calls of tasks that are under way, by integration.",
        "runner",
        metrics.task_calls_running,
    )


def _buckets(durations: Durations) -> list[tuple[str, float]]:
    bounds = [*map(str, durations.bounds), "+Inf"]
    return list(zip(bounds, durations.up_to(), strict=True))


def _held(stats: Stats) -> Iterator[Metric]:
    yield GaugeMetricFamily("stategate_executions_running", "Executions that run.", stats.running)
    yield _gauges(
        "trigger_executions_running",
        "Executions that run, by the trigger that started them.",
        "trigger",
        stats.running_by_trigger,
    )
    yield _gauges("letters", "Letters that are kept.", "origin", stats.letters)
    yield _gauges(
        "notifications_waiting",
        "Notifications that a sink has not accepted yet.",
        "sink",
        stats.notifications,
    )


def _gauges(name: str, meaning: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"stategate_{name}", meaning, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
