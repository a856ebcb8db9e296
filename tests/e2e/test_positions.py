"""A person sets a position of a running daemon, where broker and store both know another one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.e2e.process import DaemonProcess, free_port, until

pytestmark = pytest.mark.slow

CONFIG = """
store: {{ path: positions.db }}
api: {{ listen: "127.0.0.1:{api}" }}
machines:
  take: {{ definition: take.asl.json }}
triggers:
  orders:
    source: {{ type: kafka, brokers: ["{brokers}"], topics: [{topic}], group: g, start: earliest }}
    start: take
"""
TAKE = {"StartAt": "Take", "States": {"Take": {"Type": "Pass", "End": True}}}


@pytest.fixture
def topic(real_kafka):
    """One of a single partition, with five records."""
    name = f"orders-{uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": real_kafka.brokers, "log_level": 0})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
    producer = Producer({"bootstrap.servers": real_kafka.brokers, "log_level": 0})
    for number in range(5):
        producer.produce(name, json.dumps({"n": number}).encode(), partition=0)
    assert producer.flush(20) == 0
    return name


@pytest.fixture
def daemon(real_kafka, topic, tmp_path):
    """It reads the topic."""
    api = free_port()
    config = tmp_path / "positions.yaml"
    config.write_text(CONFIG.format(api=api, brokers=real_kafka.brokers, topic=topic))
    (tmp_path / "take.asl.json").write_text(json.dumps(TAKE))
    with DaemonProcess(config, api) as running:
        yield running


@pytest.fixture
def stategate(daemon):
    """Runs a command against the daemon; returns exit code and what it printed."""

    def run(*arguments):
        command = [sys.executable, "-m", "gateway", *map(str, arguments), "--endpoint", daemon.url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def read(daemon):
    """How many records have started an execution, and how many have found theirs there already."""
    page = httpx.get(f"{daemon.url}/metrics", timeout=10).text
    names = ("executions_started", "messages_duplicate")
    metrics = [re.escape(f"stategate_{name}_total") + r'{.*"orders"} (.*)' for name in names]
    found = [re.search(metric, page) for metric in metrics]
    return tuple(int(float(each[1])) if each else 0 for each in found)


def test_reading_goes_on_from_a_position_that_a_person_has_set(stategate, daemon, topic):
    """Backwards, though the broker has a larger offset of the group; then it moves on by itself."""
    until(lambda: read(daemon) == (5, 0), 30, "all five are taken")
    code, said = stategate("positions", "set", "g", topic, 0, 3)
    assert (code, said) == (0, f"g {topic} 0: next is 3\n")
    until(lambda: read(daemon) == (5, 2), 30, "two are read again")
    for group, offsets in (("g", [5]), ("other", [])):
        _, said = stategate("positions", "--group", group, "--json")
        assert [each["offset"] for each in json.loads(said)["positions"]] == offsets


def test_a_position_stays_while_others_read_in_the_group(stategate, daemon, topic, real_kafka):
    """The broker takes no offset of a group that has members; what to do is said."""
    until(lambda: read(daemon) == (5, 0), 30, "all five are taken")
    settings = {"bootstrap.servers": real_kafka.brokers, "group.id": "g", "log_level": 0}
    other = Consumer(settings)
    other.subscribe([topic])
    other.poll(10)
    try:
        code, said = stategate("positions", "set", "g", topic, 0, 3)
        assert code == 1
        assert "has members; stop them first" in said
        _, said = stategate("positions", "--json")
        assert [each["offset"] for each in json.loads(said)["positions"]] == [5]
    finally:
        other.close()
