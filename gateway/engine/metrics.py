"""What is counted as it happens. Ages and backlogs are read from the store when somebody scrapes.

Labels are names from the configuration and closed sets only: an execution's name never is one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from time import perf_counter
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.store.rows import Status

_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0)
_API = "api"
_COUNTERS = (
    (
        "executions_started",
        "Executions started, by the trigger that did (api: StartExecution).",
        "trigger",
    ),
    ("executions_ended", "Executions that have ended, by their final status.", "status"),
    (
        "api_requests_refused",
        "Requests to the API that were refused, by what was missing: signature, permission.",
        "reason",
    ),
    ("messages_filtered", "Messages that a trigger's filter rejected.", "trigger"),
    ("messages_duplicate", "Messages whose execution was there already.", "trigger"),
    (
        "letters_written",
        "Messages and notifications that became letters, by trigger or sink.",
        "origin",
    ),
)
"""Name, meaning and label of each."""


class Metrics:
    """The counters of one daemon, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        counters = [
            Counter(f"stategate_{name}", meaning, [label], registry=self.registry)
            for name, meaning, label in _COUNTERS
        ]
        started, ended, self._refused, self._filtered, self._duplicates, self._letters = counters
        self._lag = Gauge(
            "stategate_source_lag",
            "Messages that wait at the far side of a source, as far as it says so.",
            ["source"],
            registry=self.registry,
        )
        self._commit = Histogram(
            "stategate_commit_seconds",
            "Time that a transaction, of one or many units, took to be durable.",
            buckets=_COMMIT_SECONDS,
            registry=self.registry,
        )
        self._called, self._calling = _task_calls(self.registry)
        # To look a label up costs as much as to count.
        self._started_by = cache(started.labels)
        self._ended_as = {status: ended.labels(status) for status in get_args(Status)}

    def started(self, trigger: str | None, count: int = 1) -> None:
        """Executions were started; ``trigger`` is None for StartExecution."""
        self._started_by(trigger or _API).inc(count)

    def ended(self, status: Status) -> None:
        """An execution has ended."""
        self._ended_as[status].inc()

    def refused(self, reason: str) -> None:
        """A request to the API came without a valid signature, or without the permission."""
        self._refused.labels(reason).inc()

    @contextmanager
    def task_call(self, runner: str) -> Iterator[Callable[[str], None]]:
        """Around a call of a task, which says what its outcome was; one that does not was
        cancelled."""
        began = perf_counter()
        outcome = ["cancelled"]
        running = self._calling(runner)
        running.inc()
        try:
            yield lambda said: outcome.__setitem__(0, said)
        finally:
            running.dec()
            self._called(runner, outcome[0]).observe(perf_counter() - began)

    def filtered(self, trigger: str, count: int = 1) -> None:
        """The filter rejected messages."""
        self._filtered.labels(trigger).inc(count)

    def duplicate(self, trigger: str, count: int = 1) -> None:
        """Messages named executions that were there already."""
        self._duplicates.labels(trigger).inc(count)

    def letter(self, origin: str, count: int = 1) -> None:
        """Letters were written for this trigger or sink."""
        self._letters.labels(origin).inc(count)

    def lag(self, source: str, messages: float) -> None:
        """The source's lag as it is now."""
        self._lag.labels(source).set(messages)

    def committed(self, seconds: float) -> None:
        """A unit became durable after this time."""
        self._commit.observe(seconds)


def _task_calls(
    registry: CollectorRegistry,
) -> tuple[Callable[[str, str], Histogram], Callable[[str], Gauge]]:
    """How long calls of tasks took, and how many are under way."""
    calls = Histogram(
        "stategate_task_call_seconds",
        "Time that calls of tasks took, by integration and outcome: succeeded, failed, bug,"
        " cancelled.",
        ["runner", "outcome"],
        buckets=_CALL_SECONDS,
        registry=registry,
    )
    running = Gauge(
        "stategate_task_calls_running",
        "Calls of tasks that are under way, by integration.",
        ["runner"],
        registry=registry,
    )
    return cache(calls.labels), cache(running.labels)
