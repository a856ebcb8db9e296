"""The configuration file: what it says now, how it is edited, and what is in force.

Settings are built by hand, for reading YAML is not what this world tries; they are the product's
own classes, and so are the mappings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Any

import orjson
import trio

from gateway.config.listen import Address
from gateway.config.load import Config
from gateway.config.settings import (
    ActivitySettings,
    ApiSettings,
    HooksSettings,
    MachineSettings,
    Settings,
    SinkSettings,
    StoreSettings,
    TriggerSettings,
)
from gateway.errors import ConfigError, Problem
from gateway.sinks.retry import RetrySettings
from gateway.sources.kafka import KafkaSource
from gateway.sources.sqs import SqsSource
from gateway.sources.webhook import WebhookSource
from gateway.triggers.mapping import Mapping, compile_mapping
from gateway.workers.settings import WorkerSettings
from tests.simulation.cluster import GROUP, TOPIC
from tests.simulation.far_sides import Receiver
from tests.simulation.machines import random_machine
from tests.simulation.trace import Trace

PATH = Path("stategate.yaml")
HOUR, DAY = 3600.0, 86_400.0
FINAL = ("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
STILL_SECONDS = 20.0
"""So long after a reload a unit may be of the time before it."""

_FILTER = {"body": {"kind": [{"anything-but": "ignored"}]}}
_NAME = "States.Format('order-{}', $.body.id)"
"""Queue and topic name alike: an order is started once, whichever brings it."""
_QUEUES = tuple(
    SqsSource(type="sqs", queue_url="https://far.example/1/orders", receivers=n, batch_size=4)
    for n in (1, 2)
)
_TOPICS = tuple(
    KafkaSource(type="kafka", brokers=("kafka-1:9092",), topics=(TOPIC,), group=GROUP, **more)
    for more in (
        {"batch_size": 3},
        {"batch_size": 1},
        {"start": datetime(2020, 1, 1, tzinfo=UTC), "batch_size": 50},
    )
)
_HOOK = WebhookSource(type="webhook", path="/hook")
_FOREVER = {
    "StartAt": "W",
    "States": {"W": {"Type": "Wait", "Seconds": 10_000_000, "End": True}},
}
_RETRY = RetrySettings(first="1s", max="60s")


@cache
def _mappings() -> dict[str, Mapping]:
    return {
        "queue": compile_mapping("queue", "sqs", filter=_FILTER, name=_NAME),
        "topic": compile_mapping("topic", "kafka", filter=_FILTER, name=_NAME),
        "hook": compile_mapping("hook", "webhook"),
    }


@dataclass(frozen=True, slots=True)
class Text:
    """What the file says."""

    machines: dict[str, str]
    triggers: tuple[str, ...] = ("hook", "queue", "topic")
    sinks: tuple[str, ...] = ("all", "ends")
    all_when: tuple[str, ...] = ("RUNNING", *FINAL)
    queue: SqsSource = _QUEUES[1]
    topic: KafkaSource = _TOPICS[0]
    max_running: int | None = None
    processes: int = 1
    keep: float = 90 * DAY
    port: int = 8080
    region: str = "us-east-1"
    broken: bool = False


class File:
    """The file, and the daemon's reading of it."""

    def __init__(self, dice: Random, trace: Trace, sinks: dict[str, Receiver]) -> None:
        self.dice = dice
        self.keeps = dice.random() < 0.6
        """Executions outlive this world."""
        keep = 90 * DAY if self.keeps else dice.choice((1.0, 60.0, 300.0))
        self.text = Text(
            {
                **{name: _definition(dice, name) for name in ("m0", "m1", "c0")},
                "c1": orjson.dumps(_FOREVER).decode(),
            },
            max_running=dice.choice((None, None, 2)),
            processes=dice.choice((0, 1, 2)),
            keep=keep,
        )
        self.refused = 0
        self._sinks = sinks
        self._trace = trace
        self._in_force: list[tuple[Config, float]] = []
        """Each with the time until which units of it may be written."""

    def config(self) -> Config:
        """The configuration. Raises ConfigError."""
        text = self.text
        if text.broken:
            raise ConfigError([Problem("sinks.all.when", "is no status", str(PATH))])
        settings = Settings.model_construct(
            region=text.region,
            account="123456789012",
            grace=10.0,
            store=StoreSettings.model_construct(path=Path("s.db"), keep=text.keep),
            api=ApiSettings(),
            hooks=HooksSettings.model_construct(listen=Address("127.0.0.1", text.port)),
            machines={name: MachineSettings(definition="m.json") for name in text.machines},
            activities={"work": ActivitySettings()},
            triggers=dict(self._triggers(text)),
            sinks=dict(self._told(text)),
            workers=_workers(text),
        )
        messages = dict.fromkeys(text.sinks)
        return Config(PATH, settings, text.machines, _mappings(), messages, ())

    def _triggers(self, text: Text) -> Iterator[tuple[str, TriggerSettings]]:
        sources = {"queue": text.queue, "topic": text.topic, "hook": _HOOK}
        for name in text.triggers:
            yield (
                name,
                TriggerSettings.model_construct(
                    source=sources[name],
                    start="m1" if name == "hook" else "m0",
                    concurrency=8,
                    max_running=None if name == "queue" else text.max_running,
                    dead_letter=self._sinks["dead-letter:topic"] if name == "topic" else None,
                ),
            )

    def _told(self, text: Text) -> Iterator[tuple[str, SinkSettings]]:
        for name in text.sinks:
            yield (
                name,
                SinkSettings.model_construct(
                    to=self._sinks[name],
                    when=text.all_when if name == "all" else FINAL,
                    machines=None,
                    message=None,
                    retry=_RETRY,
                    give_up_after=HOUR,
                ),
            )

    # ----------------------------------------------------------------------------- edits
    def edit(self) -> None:
        """Somebody writes it anew."""
        for _ in range(self.dice.choice((1, 1, 2, 3))):
            self.text = replace(self.text, **self._change(self.dice))
        self._trace.say("person", "edits the file", self.text)

    def _change(self, dice: Random) -> dict[str, Any]:
        name, whole = dice.choice(("m0", "m1", "c0")), Text({})
        mistake = dice.choice(({"broken": True}, {"region": "eu-west-1"}, {"port": 1}))
        machine = {"machines": {**self.text.machines, name: _definition(dice, name)}}
        changes: tuple[dict[str, Any], ...] = (
            machine,
            machine,
            machine,
            {"triggers": tuple(n for n in whole.triggers if dice.random() < 0.7)},
            {"queue": dice.choice(_QUEUES)},
            {"topic": dice.choice(_TOPICS)},
            {"sinks": tuple(n for n in whole.sinks if dice.random() < 0.6)},
            {"all_when": dice.choice((FINAL, ("RUNNING",), ("RUNNING", *FINAL)))},
            {"processes": dice.choice((0, 1, 2))},
            {"max_running": dice.choice((None, 2, 3))},
            {"port": dice.choice((8080, 8081))},
            mistake,
        )
        return dice.choice(changes)

    def mend(self) -> None:
        """It can be used."""
        port = 8080 if self.text.port == 1 else self.text.port
        self.text = replace(self.text, broken=False, region="us-east-1", port=port)

    def complete(self) -> None:
        """In the end all sources and sinks are there."""
        self.mend()
        self.text = replace(self.text, triggers=Text({}).triggers, sinks=Text({}).sinks)

    # --------------------------------------------------------------------- what is in force
    def start(self) -> Config:
        """A daemon begins with it. Raises ConfigError."""
        self._in_force = []
        usable = self.text.region == "us-east-1" and self.text.port != 1
        if not usable:
            raise ConfigError([Problem("region", "somebody puts back what cannot be", str(PATH))])
        return self.load()

    def load(self, _path: Path | None = None) -> Config:
        """The daemon reads it."""
        config = self.config()
        now = trio.current_time()
        self._in_force = [each for each in self._in_force if each[1] >= now]
        if self._in_force:
            last, until = self._in_force[-1]
            self._in_force[-1] = (last, min(until, now + STILL_SECONDS))
        self._in_force.append((config, float("inf")))
        return config

    def took(self, config: Config) -> None:
        """What the daemon goes by, after a reload that it has taken or refused."""
        if self._in_force[-1][0] is not config:
            # The one before may still be in force for what is just being written.
            former = takewhile(lambda each: each[0] is not config, self._in_force)
            self._in_force = [*former, (config, float("inf"))]

    def sinks_of(self, status: str) -> set[frozenset[str]]:
        """Who may have to hear of the status, as of now."""
        now = trio.current_time()
        return {
            frozenset(n for n, sink in config.settings.sinks.items() if status in sink.when)
            for config, until in self._in_force
            if until >= now
        }


def _definition(dice: Random, name: str) -> str:
    return orjson.dumps(random_machine(dice, nests=name != "c0")).decode()


def _workers(text: Text) -> dict[str, Any]:
    if not text.processes:
        return {}
    return {"w": WorkerSettings(activity="work", command=("w",), processes=text.processes)}
