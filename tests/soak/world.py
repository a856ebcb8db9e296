"""The configuration of a soak, and all that is outside the daemon: broker and receiver."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import Producer

from tests.e2e.process import DaemonProcess, free_port
from tests.e2e.receiver import Receiver

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:"
ROOT = Path(__file__).parents[2]

CONFIG = """
store: {{ path: soak.db, keep: {keep:g}s }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
machines:
  chain: {{ definition: chain.asl.json }}
  rest: {{ definition: rest.asl.json }}
  items: {{ definition: items.asl.json }}
  work: {{ definition: work.asl.json }}
activities: {{ work: {{}} }}
workers:
  work:
    activity: work
    command: ["{python}", -m, tests.soak.worker]
    cwd: "{root}"
    processes: 2
triggers:
  hook:
    source: {{ type: webhook, path: /in }}
    start: rest
    name: $.body.id
  topic:
    source: {{ type: kafka, brokers: ["{broker}"], topics: [soak], group: soak, start: earliest }}
    start: chain
    name: $.body.id
sinks:
  told:
    to: {{ type: webhook, url: "{receiver}", allow_private: true }}
    retry: {{ first: 200ms, factor: 2, max: 2s }}
"""

_TASK = {
    "Type": "Task",
    "Resource": ACTIVITY,
    "Parameters": {
        "id.$": "$.id",
        "fail_until.$": "$.fail_until",
        "retries.$": "$$.State.RetryCount",
    },
    # Nobody answers for a task whose poller hung up in the very moment of the hand-out.
    "HeartbeatSeconds": 10,
    "Retry": [
        {"ErrorEquals": ["Moody"], "IntervalSeconds": 1, "MaxAttempts": 2},
        {"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 10},
    ],
    "End": True,
}
MACHINES = {
    "chain": {
        "StartAt": "S0",
        "States": {
            f"S{n}": {"Type": "Pass", **({"Next": f"S{n + 1}"} if n < 9 else {"End": True})}
            for n in range(10)
        },
    },
    "rest": {
        "StartAt": "Rest",
        "States": {
            "Rest": {"Type": "Wait", "SecondsPath": "$.rest", "Next": "Done"},
            "Done": {"Type": "Succeed"},
        },
    },
    "items": {
        "StartAt": "Each",
        "States": {
            "Each": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "MaxConcurrency": 5,
                "ItemProcessor": {
                    "StartAt": "Note",
                    "States": {
                        "Note": {
                            "Type": "Pass",
                            "Result": "noted",
                            "ResultPath": "$.noted",
                            "End": True,
                        }
                    },
                },
                "End": True,
            }
        },
    },
    "work": {"StartAt": "Work", "States": {"Work": _TASK}},
}


class Told(Receiver):
    """Remembers which end of which execution was told under which ids, and nothing else."""

    def __init__(self) -> None:
        super().__init__(lambda count: 503 if count % 7 == 0 else None)
        self.statuses: dict[str, str] = {}

    def _take(self, webhook_id, body, refuse):
        answer = super()._take(webhook_id, body, refuse)
        while self.events:
            detail = self.events.pop()["detail"]
            self.statuses[detail["name"]] = detail["status"]
        return answer


@dataclass
class World:
    """A daemon that is up, and its surroundings."""

    daemon: DaemonProcess
    hook: str
    producer: Producer
    told: Told

    @property
    def database(self) -> Path:
        """The file."""
        return self.daemon.config.with_name("soak.db")


@contextmanager
def world(folder: Path, keep_seconds: float) -> Iterator[World]:
    """Start all of it, and stop it again."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    for name, definition in MACHINES.items():
        (folder / f"{name}.asl.json").write_text(json.dumps(definition))
    api, hooks = free_port(), free_port()
    config = folder / "soak.yaml"
    with Told() as told:
        config.write_text(
            CONFIG.format(
                keep=keep_seconds,
                api=api,
                hooks=hooks,
                broker=f"{broker.host}:{broker.port}",
                receiver=told.url,
                python=sys.executable,
                root=ROOT,
            )
        )
        with DaemonProcess(config, api) as daemon:
            yield World(daemon, f"http://127.0.0.1:{hooks}/in", producer, told)
