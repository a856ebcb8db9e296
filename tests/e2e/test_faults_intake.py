"""What goes wrong where messages come in: forged and half-sent webhooks, far sides that are away, a
message that meets a bug. The daemon runs on, says what is wrong, and takes the next one."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import subprocess
import sys

import boto3
import httpx
import pytest
from confluent_kafka import Producer
from moto.server import ThreadedMotoServer

from tests.e2e.clients import ARN, ended, machine, step_functions
from tests.e2e.process import DaemonProcess, free_port, until

pytestmark = pytest.mark.slow

PASS = machine(Take={"Type": "Pass", "End": True})
HEAD = """
store: {{ path: intake.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
machines: {{ take: {{ definition: take.asl.json }} }}
triggers:
  hook:
    source: {{ type: webhook, path: /in, timeout: 1s, max_body_bytes: 10000 }}
    start: take
    name: $.body.id
"""
GITHUB = """
  github:
    source:
      type: webhook
      path: /github
      verify: {{ type: github, secret: a-secret-of-tests }}
    start: take
"""
QUEUE = """
  queue:
    source: {{ type: sqs, queue_url: "{moto}/123456789012/late", endpoint_url: "{moto}",
              wait_seconds: 1 }}
    start: take
    name: $.body.id
"""
TOPIC = """
  topic:
    source: {{ type: kafka, brokers: ["127.0.0.1:{broker}"], topics: [orders], group: g,
              start: earliest }}
    start: take
    name: $.body.id
"""
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
BUG = """
from gateway.triggers.mapping import Mapping
judge = Mapping.judge
def with_a_bug(self, message):
    if message.body == {"id": "unlucky"}:
        raise ZeroDivisionError("seven by nought")
    return judge(self, message)
Mapping.judge = with_a_bug
"""
"""Loaded by the interpreter before the daemon: the code of a daemon with a bug in it."""


@pytest.fixture
def run(tmp_path):
    """Makes a daemon (not started) with these triggers besides the webhook ``/in``."""
    (tmp_path / "take.asl.json").write_text(PASS)

    def make(text: str = "", environment: dict[str, str] | None = None, **values) -> DaemonProcess:
        api, hooks = free_port(), free_port()
        config = tmp_path / "intake.yaml"
        config.write_text((HEAD + text).format(api=api, hooks=hooks, **values))
        daemon = DaemonProcess(config, api, {**KEYS, **(environment or {})})
        daemon.hooks = f"http://127.0.0.1:{hooks}"
        return daemon

    return make


def names(daemon) -> set[str]:
    """The executions there are."""
    with step_functions(daemon.url) as client:
        found = client.list_executions(stateMachineArn=f"{ARN}:stateMachine:take")
    return {row["name"] for row in found["executions"]}


def source(daemon, name: str) -> dict:
    """What /healthz says of a source."""
    return daemon.health()["sources"][name]


def takes_webhooks(daemon, name: str) -> bool:
    """Whether the webhook works."""
    return httpx.post(f"{daemon.hooks}/in", json={"id": name}).status_code == 202


def test_forged_and_oversized_webhooks_start_nothing(run):
    """401 and 413, each with its reason; the right signature over the same body is taken."""
    body = b'{"zen": "Keep it logically awesome."}'
    right = hmac.new(b"a-secret-of-tests", body, hashlib.sha256).hexdigest()
    with run(GITHUB) as daemon:

        def push(signature: str | None) -> httpx.Response:
            headers = {"x-github-delivery": "d1", "content-type": "application/json"}
            if signature:
                headers["x-hub-signature-256"] = signature
            return httpx.post(f"{daemon.hooks}/github", content=body, headers=headers)

        wrong = push(f"sha256={'0' * 64}")
        assert (wrong.status_code, "signature" in wrong.json()["message"]) == (401, True)
        assert push(None).status_code == 401
        large = httpx.post(f"{daemon.hooks}/in", json={"id": "large", "x": "x" * 10_000})
        assert large.status_code == 413
        assert large.json() == {"message": "the body is larger than 10000 bytes"}
        assert names(daemon) == set()
        assert push(f"sha256={right}").status_code == 202
        assert len(names(daemon)) == 1


def test_slow_and_half_sent_webhooks_hold_up_nobody(run):
    """200 requests that never end: others get their turn, the slow ones are answered 408, or 429
    where they had to wait behind their like, and nothing of them starts."""
    half = b'POST /in HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n{"id": "half'
    with run() as daemon:
        port = int(daemon.hooks.rpartition(":")[2])
        lines = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(200)]
        try:
            for n, line in enumerate(lines):
                line.sendall(half if n % 2 else half[:20])
            until(lambda: takes_webhooks(daemon, "meanwhile"), 10, "others get their turn")
            for line in lines[::4]:
                line.close()
            answers = [line.recv(4096) for line in lines[1::2]]
        finally:
            for line in lines:
                line.close()
        statuses = {answer.split(b" ")[1] for answer in answers}
        assert b"408" in statuses <= {b"408", b"429"}
        assert takes_webhooks(daemon, "after")
        assert names(daemon) == {"meanwhile", "after"}
        assert source(daemon, "hook")["state"] == "running"


def test_a_queue_that_does_not_exist_is_waited_for(run):
    """The daemon is ready and serves the rest; /healthz says what is wrong and what helps; once the
    queue is made, its messages start."""
    moto = ThreadedMotoServer(port=0)
    moto.start()
    endpoint = f"http://127.0.0.1:{moto.get_host_and_port()[1]}"
    sqs = boto3.client(
        "sqs", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    try:
        with run(QUEUE, moto=endpoint) as daemon:
            until(lambda: source(daemon, "queue")["state"] == "backing-off", 20, "it is red")
            said = "the queue does not exist: check queue_url, region and endpoint_url"
            assert source(daemon, "queue")["reason"] == said
            assert takes_webhooks(daemon, "meanwhile")
            url = sqs.create_queue(QueueName="late")["QueueUrl"]
            sqs.send_message(QueueUrl=url, MessageBody='{"id": "at-last"}')
            until(lambda: "at-last" in names(daemon), 60, "its message starts")
            until(lambda: source(daemon, "queue")["state"] == "running", 10, "it is well")
            scraped = httpx.get(f"{daemon.url}/metrics").text
            assert 'stategate_source_lag{source="queue"}' in scraped
            assert daemon.stop() == 0
    finally:
        sqs.close()
        moto.stop()


def test_a_broker_that_is_not_there_is_waited_for(run):
    """The daemon is ready and serves the rest; /healthz names the broker; it stops in time. (One
    that goes away and comes back: tests/sources/test_kafka_real.py.)"""
    with run(TOPIC, broker=(broker := free_port())) as daemon:
        until(lambda: source(daemon, "topic")["state"] == "backing-off", 30, "it is red")
        assert f"127.0.0.1:{broker}" in source(daemon, "topic")["reason"]
        assert takes_webhooks(daemon, "meanwhile")
        assert daemon.stop() == 0


@pytest.fixture
def topic():
    """A broker in this process with three records, the second of which meets the bug."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    for name in ("one", "unlucky", "three"):
        producer.produce("orders", json.dumps({"id": name}).encode(), partition=0)
    assert producer.flush(20) == 0
    yield broker.port
    producer.flush(0)  # It is the broker, so it has to live until here.


def test_a_message_that_meets_a_bug_becomes_a_letter(run, topic, tmp_path):
    """The daemon and the messages around it go on, the webhook's sender is told; once the bug is
    mended, ``letters retry`` starts it."""
    (tmp_path / "sitecustomize.py").write_text(BUG)
    with run(TOPIC, {"PYTHONPATH": str(tmp_path)}, broker=topic) as daemon:
        until(lambda: names(daemon) == {"one", "three"}, 30, "the others start")
        refused = httpx.post(f"{daemon.hooks}/in", json={"id": "unlucky"})
        assert refused.status_code == 422
        said = "a bug of Stategate: ZeroDivisionError: seven by nought"
        assert refused.json()["message"] == said
        listed = letters(daemon, "list", "--json")
        kept = {each["origin"]: each for each in json.loads(listed)["letters"]}
        assert kept.keys() == {"topic", "hook"}
        assert {each["reason"] for each in kept.values()} == {said}
        assert kept["hook"]["id"] == refused.json()["letter"]
        assert "orders" in kept["topic"]["coordinates"]
        assert daemon.log.read_text().count("Traceback") == 2
        assert daemon.stop() == 0
    (tmp_path / "sitecustomize.py").unlink()
    daemon.start()
    try:
        letters(daemon, "retry", kept["topic"]["id"])
        with step_functions(daemon.url) as client:
            assert ended(client, f"{ARN}:execution:take:unlucky")["status"] == "SUCCEEDED"
        letters(daemon, "retry", kept["hook"]["id"])
        assert json.loads(letters(daemon, "list", "--json")) == {"letters": []}
        assert names(daemon) == {"one", "unlucky", "three"}
    finally:
        daemon.stop()


def test_a_message_that_is_nested_too_deep_holds_up_nobody(run):
    """A few hundred bytes of brackets, which nothing could write again, become a letter that a
    person can read; what is behind them on the topic starts."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    brackets = "[" * 1_000 + "]" * 1_000
    for body in ('{"id": "one"}', brackets, '{"id": "three"}'):
        producer.produce("orders", body.encode(), partition=0)
    assert producer.flush(10) == 0
    with run(TOPIC, broker=broker.port) as daemon:
        until(lambda: names(daemon) == {"one", "three"}, 30, "the others start")
        [kept] = json.loads(letters(daemon, "list", "--json"))["letters"]
        assert kept["reason"] == "the body is nested deeper than 254 levels"
        assert brackets in letters(daemon, "show", kept["id"])
        refused = httpx.post(f"{daemon.hooks}/in", content=brackets)
        assert (refused.status_code, refused.json()["message"]) == (400, kept["reason"])
        assert source(daemon, "topic")["state"] == "running"


def letters(daemon, *arguments: str) -> str:
    """``stategate letters ...`` on the running daemon."""
    command = [sys.executable, "-m", "gateway", "letters", *arguments, "--endpoint", daemon.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
