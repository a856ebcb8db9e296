"""The promise in one number: whatever is killed, each message starts once and each end is told."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from pathlib import Path
from uuid import uuid4

import boto3
import httpx
import pytest
from confluent_kafka import Producer
from moto.server import ThreadedMotoServer

from tests.e2e.process import DaemonProcess, free_port, until
from tests.e2e.receiver import Receiver

pytestmark = pytest.mark.slow

SQS, KAFKA, WEBHOOK = 500, 2000, 2000
KILLS = 5
KEYS = {
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "region_name": "us-east-1",
}
DEFINITION = {
    "StartAt": "Take",
    "States": {
        "Take": {"Type": "Pass", "Parameters": {"id.$": "$.id"}, "Next": "Rest"},
        "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
        "Done": {"Type": "Succeed"},
    },
}
CONFIG = """
store: {{ path: ledger.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
machines:
  take: {{ definition: take.asl.json }}
triggers:
  queue:
    source: {{ type: sqs, queue_url: "{queue}", endpoint_url: "{moto}", wait_seconds: 1 }}
    start: take
    name: $.body.id
  topic:
    source: {{ type: kafka, brokers: ["{kafka}"], topics: [orders], group: ledger,
              start: earliest }}
    start: take
    name: $.body.id
  hook:
    source: {{ type: webhook, path: /orders }}
    start: take
    name: $.body.id
sinks:
  ended:
    to: {{ type: webhook, url: "{receiver}", allow_private: true }}
    retry: {{ first: 200ms, factor: 2, max: 2s }}
"""


def with_duplicates(count: int) -> tuple[set[str], list[str]]:
    """Ids, and the messages to send: one in ten of them twice, in any order."""
    ids = [str(uuid4()) for _ in range(count)]
    messages = ids + random.sample(ids, count // 10)
    random.shuffle(messages)
    return set(ids), messages


def send_queue(client, queue: str, messages: list[str]) -> None:
    """Ten at a time, as producers do."""
    for start in range(0, len(messages), 10):
        entries = [
            {"Id": str(i), "MessageBody": json.dumps({"id": each})}
            for i, each in enumerate(messages[start : start + 10])
        ]
        client.send_message_batch(QueueUrl=queue, Entries=entries)


def send_topic(producer: Producer, messages: list[str]) -> None:
    """All that fit, then wait until the broker has them."""
    for each in messages:
        producer.produce("orders", json.dumps({"id": each}).encode(), key=each.encode())
        producer.poll(0)
    assert producer.flush(60) == 0


def send_hook(url: str, messages: list[str]) -> None:
    """A sender that repeats what was not answered with 2xx, as webhook senders do."""
    with httpx.Client(timeout=10) as client:
        for each in messages:
            while True:
                try:
                    if client.post(url, json={"id": each}).is_success:
                        break
                except httpx.TransportError:
                    pass
                time.sleep(0.05)


def statuses(database: Path) -> dict[str, str]:
    """Name and status of every execution, read beside the daemon."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        rows = connection.execute("SELECT name, status FROM executions").fetchall()
    connection.close()
    assert len(rows) == len({name for name, _ in rows})
    return dict(rows)


def test_nothing_is_lost_and_nothing_starts_twice(tmp_path):
    """500 messages through SQS, 2,000 each through Kafka and webhook, five SIGKILLs, duplicates, a
    sink that fails now and then: each id has one execution, which succeeded and was told of under
    one notification id."""
    moto = ThreadedMotoServer(port=0)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://127.0.0.1:{port}"
    sqs = boto3.client("sqs", endpoint_url=endpoint, **KEYS)
    # All of moto's servers in one process are one account.
    name, hidden = f"ledger-{uuid4()}", {"VisibilityTimeout": "5"}
    queue = sqs.create_queue(QueueName=name, Attributes=hidden)["QueueUrl"]
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
    broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
    api, hooks = free_port(), free_port()
    (tmp_path / "take.asl.json").write_text(json.dumps(DEFINITION))

    groups = [with_duplicates(count) for count in (SQS, KAFKA, WEBHOOK)]
    wanted = set().union(*(ids for ids, _ in groups))
    every_seventh = Receiver(lambda count: 503 if count % 7 == 0 else None)
    with every_seventh as receiver:
        config = tmp_path / "ledger.yaml"
        config.write_text(
            CONFIG.format(
                api=api,
                hooks=hooks,
                queue=queue.replace(host, "127.0.0.1"),
                moto=endpoint,
                kafka=f"{broker.host}:{broker.port}",
                receiver=receiver.url,
            )
        )
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        with DaemonProcess(config, api, keys) as daemon:
            senders = [
                threading.Thread(target=send_queue, args=(sqs, queue, groups[0][1])),
                threading.Thread(target=send_topic, args=(producer, groups[1][1])),
                threading.Thread(
                    target=send_hook, args=(f"http://127.0.0.1:{hooks}/orders", groups[2][1])
                ),
            ]
            for sender in senders:
                sender.start()
            for _ in range(KILLS):
                time.sleep(random.uniform(0.3, 2.5))
                daemon.kill()
                daemon.start()
            for sender in senders:
                sender.join()

            def all_told() -> bool:
                return wanted <= set(receiver.ids)

            until(all_told, 120, f"every completion is notified\n{daemon.tail()}")
            assert daemon.stop() == 0
        found = statuses(tmp_path / "ledger.db")
    moto.stop()
    assert set(found) == wanted
    assert set(found.values()) == {"SUCCEEDED"}
    assert {name for name, ids in receiver.ids.items() if len(set(ids)) != 1} == set()
