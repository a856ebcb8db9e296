"""Ten times what it can take: intake slows down at the source, and all else goes on."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from confluent_kafka import Producer

from tests.e2e.flood import Flooding
from tests.e2e.process import DaemonProcess, free_port, until
from tests.e2e.receiver import Receiver

pytestmark = pytest.mark.slow

FLOOD_SECONDS = 3
API_CLIENTS, HOOK_CLIENTS = 200, 400
RECORDS = 600
MAX_RUNNING, CONCURRENCY = 100, 10
PARTITIONS = 4
ANSWER_SECONDS = 20
"""How long whoever looks at it in the middle of the flood may have to wait, on a machine that has
other things to do as well."""
MEMORY_MIB = 160
"""What the flood may cost: the hot executions, and one request in work for each client."""
TAKE = {
    "StartAt": "Take",
    "States": {
        "Take": {"Type": "Pass", "Next": "Rest"},
        "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
        "Done": {"Type": "Succeed"},
    },
}
PAD = 4_000
CONFIG = """
store: {{ path: overload.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
machines:
  take: {{ definition: take.asl.json }}
triggers:
  hook:
    source: {{ type: webhook, path: /in }}
    start: take
    name: $.body.id
    concurrency: {concurrency}
  topic:
    source: {{ type: kafka, brokers: ["{broker}"], topics: [orders], group: g, start: earliest }}
    start: take
    name: $.body.id
    concurrency: {concurrency}
    max_running: {max_running}
sinks:
  ended:
    to: {{ type: webhook, url: "{receiver}", allow_private: true }}
"""


class SlowReceiver(Receiver):
    """Takes its time while the flood lasts."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.3

    def _take(self, webhook_id, body, refuse):
        time.sleep(self.seconds)
        return super()._take(webhook_id, body, refuse)


@pytest.fixture
def producer():
    """A broker in this process, as long as its producer lives."""
    return Producer({"test.mock.num.brokers": 1, "log_level": 0})


def backlog(producer) -> set[str]:
    """Records that wait before the daemon starts; their ids."""
    ids = {str(uuid4()) for _ in range(RECORDS)}
    for each in ids:
        producer.produce("orders", json.dumps({"id": each, "pad": "x" * PAD}).encode())
        producer.poll(0)
    assert producer.flush(60) == 0
    return ids


def memory_mib(pid: int) -> float:
    """Resident memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


class Onlooker:
    """Looks at the daemon while it is flooded."""

    def __init__(self, daemon: DaemonProcess, known: str) -> None:
        self._daemon = daemon
        self._known = known
        self.memory: list[float] = []
        self.running: list[int] = []
        """Executions that the topic's trigger has started and that run."""

    def look(self, client: httpx.Client) -> None:
        """Health, an execution and the metrics; each has to be answered in time."""
        client.get("/healthz").raise_for_status()
        target = {"x-amz-target": "AWSStepFunctions.DescribeExecution"}
        client.post("/", json={"executionArn": self._known}, headers=target).raise_for_status()
        page = client.get("/metrics").raise_for_status().text
        self.memory.append(memory_mib(self._daemon.pid))
        self.running += [
            int(float(line.split()[-1]))
            for line in page.splitlines()
            if line.startswith('stategate_trigger_executions_running{trigger="topic"}')
        ]


def flood(daemon: DaemonProcess, hooks_port: int, known: str):
    """All of it, looked at all the time."""
    onlooker = Onlooker(daemon, known)
    api_port, folder = int(daemon.url.rpartition(":")[2]), daemon.config.parent
    with (
        Flooding(folder / "api", "api", api_port, API_CLIENTS, FLOOD_SECONDS, PAD) as api,
        Flooding(folder / "hook", "hook", hooks_port, HOOK_CLIENTS, FLOOD_SECONDS, PAD) as hook,
        httpx.Client(base_url=daemon.url, timeout=ANSWER_SECONDS) as client,
    ):
        while api.lasts or hook.lasts:
            onlooker.look(client)
            time.sleep(0.2)
        return onlooker, api.result(), hook.result()


def ends(database: Path) -> dict[str, str]:
    """Name and status of every execution."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        rows = connection.execute("SELECT name, status FROM executions").fetchall()
    connection.close()
    assert len(rows) == len({name for name, _ in rows})
    return dict(rows)


def test_an_overload_is_slowed_down_at_its_sources(tmp_path, producer):
    """600 clients that never let go, a backlog on a topic and a sink that is slow: who looks is
    answered, memory stays within bounds, the webhook sends away with a time to come again, the
    topic is read no faster than its executions end; then everything that was accepted has ended
    once and is told once, and nothing that was refused has begun."""
    records = backlog(producer)
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    api_port, hooks_port = free_port(), free_port()
    (tmp_path / "take.asl.json").write_text(json.dumps(TAKE))
    config = tmp_path / "overload.yaml"
    with SlowReceiver() as receiver:
        config.write_text(
            CONFIG.format(
                api=api_port,
                hooks=hooks_port,
                broker=f"{broker.host}:{broker.port}",
                receiver=receiver.url,
                concurrency=CONCURRENCY,
                max_running=MAX_RUNNING,
            )
        )
        with DaemonProcess(config, api_port) as daemon:
            first = httpx.post(f"http://127.0.0.1:{hooks_port}/in", json={"id": "first"})
            until(lambda: daemon.health()["sources"]["topic"].get("partitions"), 30, "it reads")
            before = memory_mib(daemon.pid)
            onlooker, api, hook = flood(daemon, hooks_port, first.json()["executionArn"])
            receiver.seconds = 0
            wanted = {"first"} | api.accepted | hook.accepted | records

            def all_told() -> bool:
                return wanted <= set(receiver.ids)

            until(all_told, 120, f"every end is told\n{daemon.tail()}")
            assert daemon.stop() == 0
    assert max(onlooker.memory) < before + MEMORY_MIB
    assert set(api.answers) == {"200"}
    assert set(hook.answers) == {"202", "429", "later"}
    assert hook.answers["429"] == hook.answers["later"]
    # What had been received of each partition when there was no more room is still started.
    assert 0 < max(onlooker.running) <= MAX_RUNNING + PARTITIONS * CONCURRENCY
    found = ends(tmp_path / "overload.db")
    # Who was cut off at the end of the flood does not know whether it was accepted.
    assert wanted <= set(found) <= wanted | api.unanswered | hook.unanswered
    assert set(found.values()) == {"SUCCEEDED"}
    told = {name: ids for name, ids in receiver.ids.items() if len(set(ids)) != 1}
    assert told == {}
