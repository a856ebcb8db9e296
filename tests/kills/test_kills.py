"""SIGKILL at random under full load, seconds of it for each source; ``make kill`` has patience."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest

from tests.kills.ledger import check_told
from tests.kills.run import Plan, Run

pytestmark = pytest.mark.slow

SECONDS = 12.0


def play(plan: Plan) -> None:
    """A fresh seed; the failure names it."""
    figures = Run(replace(plan, seed=secrets.randbelow(1_000_000))).play()
    assert figures.executions > 100
    assert figures.kills.total() >= 3


@pytest.fixture
def plan(tmp_path):
    """Nothing yet but a place."""
    return Plan(SECONDS, 0, tmp_path)


@pytest.fixture
def kafka(request):
    """A real one, or None where there is none."""
    try:
        return request.getfixturevalue("real_kafka")
    except pytest.skip.Exception:
        return None


def test_kills_between_a_queue_and_a_topic(plan):
    """From SQS to SNS, the queue's server restarted in the middle: each message has one execution
    or one letter, each execution ends once and is told of in order; nothing is left over."""
    play(replace(plan, sources=("sqs",), sinks=("sns",)))


def test_kills_between_a_broker_and_a_webhook(plan, kafka):
    """From Kafka, the broker killed in the middle, to a webhook: the same, and the positions are
    the partitions' ends."""
    play(replace(plan, sources=("kafka",), sinks=("webhook",), kafka=kafka))


def test_kills_between_a_webhook_and_a_queue(plan):
    """From webhooks, each sent until it was accepted, to SQS: the same."""
    play(replace(plan, sources=("webhook",), sinks=("sqs",)))


IN_ORDER = [("1", "RUNNING"), ("1", "RUNNING"), ("2", "SUCCEEDED"), ("2", "SUCCEEDED")]


@pytest.mark.parametrize(
    "arrivals",
    [
        IN_ORDER[2:],
        IN_ORDER[:2],
        IN_ORDER[::-1],
        [*IN_ORDER, IN_ORDER[0]],
        [*IN_ORDER, ("3", "SUCCEEDED")],
        [("1", "RUNNING"), ("1", "SUCCEEDED")],
        [*IN_ORDER, ("3", "FAILED")],
    ],
)
def test_the_ledger_sees_what_was_told_amiss(arrivals):
    """One of the two missing, the wrong order, a second id, one id for both, a second end."""
    assert list(check_told("sink", {"name": IN_ORDER}, {"name"})) == []
    assert len(list(check_told("sink", {"name": arrivals}, {"name"}))) == 1
