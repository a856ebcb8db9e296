"""Prometheus text says what prometheus_client would have counted itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from gateway.api.exposition import exposition
from gateway.engine.metrics import Metrics
from gateway.store.protocol import Stats

NAME = "stategate_commit_seconds"


def lines(text, name):
    """Those of one metric."""
    return [line for line in text.decode().splitlines() if line.startswith(name)]


@given(st.lists(st.floats(0, 100) | st.sampled_from((0.001, 0.0025, 10.0, 10.1))))
def test_buckets_are_those_of_the_library(took):
    """Also of what took exactly as long as a bound says."""
    metrics, registry = Metrics(), CollectorRegistry()
    theirs = Histogram(NAME, "…", buckets=metrics.commits.bounds, registry=registry)
    for seconds in took:
        metrics.committed(seconds)
        theirs.observe(seconds)
    ours = lines(exposition(metrics, Stats(), 0), NAME)
    expected = lines(generate_latest(registry), NAME)
    assert ours == [line for line in expected if "_created" not in line]


def test_counters_and_calls_have_their_labels():
    """A label's value may have any character."""
    metrics = Metrics()
    metrics.started('a "b"\\', 3)
    metrics.started(None)
    metrics.ended("FAILED")
    with metrics.task_call("http") as seen:
        seen("succeeded")
    with metrics.task_call("http"):
        running = exposition(metrics, Stats(), 0)
    text = exposition(metrics, Stats(running=2, oldest_open_task=1000), 3500)
    started, ended = "stategate_executions_started_total", "stategate_executions_ended_total"
    assert lines(text, started) == [
        started + r'{trigger="a \"b\"\\"} 3.0',
        started + '{trigger="api"} 1.0',
    ]
    assert f'{ended}{{status="FAILED"}} 1.0' in lines(text, ended)
    assert 'status="RUNNING"' not in text.decode()
    calls = "stategate_task_call_seconds_count"
    assert lines(text, calls) == [
        calls + '{outcome="succeeded",runner="http"} 1.0',
        calls + '{outcome="cancelled",runner="http"} 1.0',
    ]
    assert lines(running, "stategate_task_calls_running") == [
        'stategate_task_calls_running{runner="http"} 1.0'
    ]
    assert lines(text, "stategate_executions_running") == ["stategate_executions_running 2.0"]
    assert lines(text, "stategate_task_token_age") == ["stategate_task_token_age_seconds 2.5"]
