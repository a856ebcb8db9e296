"""W1 from a source: messages that wait already, from the first start until the last committed end.

The daemon runs as a process; its broker or queue is filled before it starts, and stands in a
process (or threads without the interpreter's lock) of its own.
"""

from __future__ import annotations

import http.client
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from confluent_kafka import Producer

from tests.benchmarks.load import PASS_CHAIN
from tests.benchmarks.process_cost import cpu_seconds
from tests.benchmarks.report import Line
from tests.e2e.process import DaemonProcess, free_port

LIMIT_SECONDS = 120
PARTITIONS = 4
"""What librdkafka's mock cluster gives a topic."""


def kafka(folder: Path, messages: int = 40_000) -> list[Line]:
    """Four partitions on librdkafka's mock cluster, the trigger with its default settings."""
    cluster = Producer({"test.mock.num.brokers": 1, "log_level": 0, "linger.ms": 20})
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    for number, body in enumerate(_bodies(messages)):
        cluster.produce("orders", body, partition=number % PARTITIONS)
        cluster.poll(0)
    if cluster.flush(60):
        raise RuntimeError("the mock cluster has not taken all records")
    source = (
        f'type: kafka, brokers: ["{broker.host}:{broker.port}"], topics: [orders], group: bench'
    )
    drained = drain(folder / "kafka", source, messages)
    return drained.lines("W1 through Kafka, 4 partitions")


def sqs(folder: Path, messages: int = 20_000) -> list[Line]:
    """A queue of the stand-in, a process of its own that keeps its connections."""
    with _sqs_stand_in() as url:
        queue = f"{url}/123456789012/orders"
        _send(url, queue, _bodies(messages))
        source = f"type: sqs, queue_url: {queue}, endpoint_url: {url}"
        environment = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        drained = drain(folder / "sqs", source, messages, environment)
    return drained.lines("W1 through SQS")


@contextmanager
def _sqs_stand_in() -> Iterator[str]:
    command = [sys.executable, "-m", "tests.stand_ins.sqs", "--visibility", "120"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _send(url: str, queue: str, bodies: Iterator[bytes]) -> None:
    """Ten at a time, as SQS takes them."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
    headers = {
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.SendMessageBatch",
    }
    while ten := list(islice(bodies, 10)):
        entries = [{"Id": str(n), "MessageBody": body.decode()} for n, body in enumerate(ten)]
        connection.request(
            "POST", "/", json.dumps({"QueueUrl": queue, "Entries": entries}), headers
        )
        answer = connection.getresponse()
        if json.loads(answer.read()).get("Failed") or answer.status != 200:
            raise RuntimeError(f"the stand-in has not taken ten messages: {answer.status}")
    connection.close()


def _bodies(messages: int) -> Iterator[bytes]:
    for number in range(messages):
        yield json.dumps({"id": number, "customer": f"customer-{number % 97}", "a": 1}).encode()


@dataclass(frozen=True)
class Drained:
    """What it took to work off a backlog, counted from the first commit that was seen."""

    executions: int
    seconds: float
    cpu_seconds: float
    """Of the daemon, all threads."""

    def lines(self, work: str) -> list[Line]:
        """For the table."""
        rate, each = self.executions / self.seconds, self.cpu_seconds / self.executions
        transitions = f"{rate * 10:,.0f} transitions/s"
        return [
            Line(work, "Stategate, durable", rate, "executions/s", transitions),
            Line(work, "the daemon's CPU", each * 1e6, "µs/message"),
        ]  # fmt: skip


def drain(
    folder: Path, source: str, messages: int, environment: dict[str, str] | None = None
) -> Drained:
    """Have a fresh daemon work off all messages of ``source`` (YAML of a flow mapping)."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    (folder / "chain.asl.json").write_text(json.dumps(PASS_CHAIN))
    config = folder / "intake.yaml"
    config.write_text(
        f'store: {{ path: intake.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n'
        "machines: { chain: { definition: chain.asl.json } }\n"
        f"triggers: {{ orders: {{ source: {{ {source} }}, start: chain }} }}\n"
    )
    with DaemonProcess(config, port, environment) as daemon:
        database = f"file:{folder / 'intake.db'}?mode=ro"
        with closing(sqlite3.connect(database, uri=True)) as connection:
            # Each execution ends in the transaction that starts it: the highest id says it all.
            before, began, cpu = _seen(connection, 1), time.perf_counter(), cpu_seconds(daemon.pid)
            _seen(connection, messages)
            seconds, cpu = time.perf_counter() - began, cpu_seconds(daemon.pid) - cpu
            query = "SELECT count(*) FROM executions WHERE status = 'SUCCEEDED'"
            (ended,) = connection.execute(query).fetchone()
    if ended != messages:
        raise RuntimeError(f"{ended} executions have succeeded, of {messages} messages")
    return Drained(messages - before, seconds, cpu)


def _seen(connection: sqlite3.Connection, least: int) -> int:
    """Wait until there are so many executions; how many there are."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        (found,) = connection.execute("SELECT coalesce(max(id), 0) FROM executions").fetchone()
        if found >= least:
            return int(found)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{found} executions of {least} within {LIMIT_SECONDS} s")
        time.sleep(0.005)
