"""One run: sources under full load into one daemon, which is killed over and over, into sinks."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.e2e.clients import ARN, pages, step_functions
from tests.e2e.process import DaemonProcess, free_port, until
from tests.kafka_broker import RealKafka
from tests.kills import ledger
from tests.kills.far_sides import Told, open_sinks
from tests.kills.producers import Feeder, Messages, Send, to_hook, to_queue, to_topic
from tests.kills.worker import HEARTBEAT_SECONDS
from tests.kills.workers import Workers
from tests.simulation.grammar import check_history
from tests.stand_ins.sqs import SqsStandIn

SOURCES = ("sqs", "kafka", "webhook")
SINKS = ("webhook", "sns", "sqs")
WINDOW = 1000
"""Executions that are on their way at a time."""
PARTITIONS = 4
SETTLE_SECONDS = 120
LEAST_KILLS = 4
"""However slow the machine is."""
_HIDDEN_SECONDS = 4
_HISTORIES = 20
TOPIC, QUEUE = "orders", "orders"
ACTIVITY = f"{ARN}:activity:work"
_RETRY = [
    {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 999, "BackoffRate": 1}
]
DEFINITION = {
    "StartAt": "Sort",
    "States": {
        "Sort": {
            "Type": "Choice",
            "Choices": [
                {"Variable": "$.kind", "StringEquals": "wait", "Next": "Rest"},
                {"Variable": "$.kind", "StringEquals": "work", "Next": "Work"},
            ],
            "Default": "Done",
        },
        "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Done"},
        "Work": {
            "Type": "Task",
            "Resource": ACTIVITY,
            "HeartbeatSeconds": HEARTBEAT_SECONDS,
            "Retry": _RETRY,
            "Next": "Done",
        },
        "Done": {"Type": "Succeed"},
    },
}
CONFIG = """
store: {{ path: kills.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
activities: {{ work: {{}} }}
machines: {{ take: {{ definition: take.asl.json }} }}
triggers:
"""
TRIGGER = """
  {name}:
    source: {source}
    start: take
    name: $.body.id
    concurrency: 256
"""
SINK = """
  {name}:
    to: {to}
    when: [RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED]
    retry: {{ first: 200ms, factor: 2, max: 2s }}
"""


@dataclass(frozen=True)
class Plan:
    """What to play."""

    seconds: float
    seed: int
    directory: Path
    sources: tuple[str, ...] = SOURCES
    sinks: tuple[str, ...] = SINKS
    kafka: RealKafka | None = None
    """Else the mock cluster, which cannot be restarted."""


@dataclass
class Figures:
    """What was played."""

    kills: Counter[str] = field(default_factory=Counter)
    executions: int = 0
    notifications: int = 0
    answers: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {what}" for what, count in sorted(self.kills.items()))
        return (
            f"{self.executions} executions, {self.notifications} notifications and "
            f"{self.answers} answers of workers in {self.seconds:.0f} s; killed or restarted: "
            f"{kills}"
        )


class Run:
    """The daemon and all that is around it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.told = Told()
        self.figures = Figures()
        self._dice = Random(plan.seed)
        self._api, self._hooks = free_port(), free_port()
        self._messages = {
            source: Messages(Random(f"{plan.seed} {source}")) for source in plan.sources
        }
        self._over = threading.Event()
        self._stack = ExitStack()
        self._queue = SqsStandIn(visibility_seconds=_HIDDEN_SECONDS)
        self._cluster: Producer | None = None
        """The mock cluster lives as long as this does."""
        self._brokers = ""
        config = plan.directory / "kills.yaml"
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        self.daemon = DaemonProcess(config, self._api, keys)
        self.database = plan.directory / "kills.db"

    # ------------------------------------------------------------------------- the story
    def play(self) -> Figures:
        """All of it. AssertionError says everything that is wrong in the end."""
        began = time.monotonic()
        with self._stack:
            self._stack.callback(self._over.set)
            feeders = [self._feeder(source) for source in self.plan.sources]
            self._configure()
            journal = self.plan.directory / "workers.jsonl"
            workers = self._stack.enter_context(
                Workers(self._api, ACTIVITY, journal, Random(self._dice.random()))
            )
            self._stack.enter_context(self.daemon)
            for feeder in feeders:
                feeder.start()
            self._kill_on(workers)
            for feeder in feeders:
                feeder.finish(SETTLE_SECONDS)
            self._settle()
            workers.check()
            wrong = list(self._wrong_histories())
            assert self.daemon.stop() == 0, self.daemon.tail()
            wrong += self._wrong(workers)
        self.figures.seconds = time.monotonic() - began
        assert not wrong, f"seed {self.plan.seed}: {self.figures}\n" + "\n".join(wrong)
        return self.figures

    def _kill_on(self, workers: Workers) -> None:
        deadline = time.monotonic() + self.plan.seconds
        middle = time.monotonic() + self.plan.seconds / 2
        restarting: list[threading.Thread] = []
        while (now := time.monotonic()) < deadline or self.figures.kills.total() < LEAST_KILLS:
            if now > middle and not restarting:
                restarting = self._restart_far_sides()
            self._kill_once()
            if self._dice.random() < 0.5:
                workers.kill_one()
                self.figures.kills["workers"] += 1
        self.daemon.start()
        for thread in restarting:
            thread.join()

    def _kill_once(self) -> None:
        """The daemon runs when this is called for the first time, and is dead afterwards."""
        drawn = self._dice.random()
        if not self.daemon.runs:
            self.daemon.start(wait=False)
        if drawn < 0.2:
            what = "daemons as they started"
            time.sleep(self._dice.uniform(0, 1.2))
        else:
            self.daemon.wait_until_ready()
            what = "daemons as they recovered" if drawn < 0.35 else "daemons at work"
            time.sleep(self._dice.uniform(0, 0.1) if drawn < 0.35 else self._dice.uniform(0.3, 4))
        self.daemon.kill()
        self.figures.kills[what] += 1

    def _restart_far_sides(self) -> list[threading.Thread]:
        """In threads of their own: the daemon may be killed meanwhile."""
        stories: list[Callable[[], None]] = []
        if "sqs" in self.plan.sources:
            stories.append(self._restart_queue)
        if "kafka" in self.plan.sources and self.plan.kafka is not None:
            stories.append(partial(self._restart_broker, self.plan.kafka))
        threads = [threading.Thread(target=story) for story in stories]
        for thread in threads:
            thread.start()
        return threads

    def _restart_queue(self) -> None:
        self._queue.stop()
        time.sleep(1)
        self._queue.start()
        self.figures.kills["queue servers"] += 1

    def _restart_broker(self, kafka: RealKafka) -> None:
        kafka.stop(kill=True)
        kafka.start()
        self.figures.kills["brokers"] += 1

    def _settle(self) -> None:
        wanted = self._wanted()

        def all_told() -> bool:
            return not any(self.told.untold(sink, wanted) for sink in self.plan.sinks)

        def quiet() -> bool:
            return not list(self._unsettled())

        def state() -> str:
            untold = {sink: len(self.told.untold(sink, wanted)) for sink in self.plan.sinks}
            left = "\n".join(self._unsettled())
            return f"untold: {untold}\n{left}\n{self.daemon.health()}\n{self.daemon.tail(20)}"

        for condition, what in ((all_told, "all is told"), (quiet, "all is quiet")):
            try:
                until(condition, SETTLE_SECONDS, what)
            except AssertionError as late:
                late.add_note(f"seed {self.plan.seed}\n{state()}")
                raise

    def _unsettled(self) -> Iterator[str]:
        """What is still to be done, in the database and at the sources."""
        yield from ledger.check_leftovers(self.database)
        yield from self._wrong_sources()

    # ------------------------------------------------------------------------ what is there
    def _feeder(self, source: str) -> Feeder:
        messages = self._messages[source]
        return Feeder(source, messages, self._sender(source), self._behind)

    def _behind(self) -> int:
        return sum(len(each.wanted) for each in self._messages.values()) - (
            self.told.ended() + WINDOW
        )

    def _sender(self, source: str) -> Send:
        if source == "sqs":
            self._stack.enter_context(self._queue)
            return to_queue(self._queue, QUEUE)
        if source == "webhook":
            return to_hook(self._hooks, "/orders", self._over)
        if self.plan.kafka is None:
            self._cluster = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "unused"})
            (broker,) = self._cluster.list_topics(timeout=10).brokers.values()
            self._brokers = f"{broker.host}:{broker.port}"
        else:
            self._brokers = self.plan.kafka.brokers
        self._topic = f"{TOPIC}-{self.plan.directory.name}"
        admin = AdminClient({"bootstrap.servers": self._brokers, "log_level": 0})
        admin.create_topics([NewTopic(self._topic, PARTITIONS)])[self._topic].result(20)
        return to_topic(self._brokers, self._topic, self._cluster)

    def _configure(self) -> None:
        sources = {
            "sqs": f'{{ type: sqs, queue_url: "{self._queue.queue_url(QUEUE)}", '
            f'endpoint_url: "{self._queue.url}", wait_seconds: 1, receivers: 4 }}',
            "webhook": "{ type: webhook, path: /orders }",
        }
        if self._brokers:
            sources["kafka"] = (
                f'{{ type: kafka, brokers: ["{self._brokers}"], topics: ["{self._topic}"], '
                "group: kills, start: earliest }"
            )
        text = CONFIG.format(api=self._api, hooks=self._hooks)
        for source in self.plan.sources:
            text += TRIGGER.format(name=f"from-{source}", source=sources[source])
        sinks = open_sinks(
            list(self.plan.sinks), self.told, Random(self._dice.random()), self._stack
        )
        text += "sinks:\n" + "".join(
            SINK.format(name=f"to-{name}", to=to) for name, to in sinks.items()
        )
        self.daemon.config.write_text(text)
        (self.plan.directory / "take.asl.json").write_text(json.dumps(DEFINITION))

    def _wanted(self) -> set[str]:
        return {name for each in self._messages.values() for name in each.wanted}

    # ------------------------------------------------------------------------- the ledger
    def _wrong(self, workers: Workers) -> Iterator[str]:
        wanted, lines = self._wanted(), workers.lines()
        of_workers = {
            name
            for each in self._messages.values()
            for name, kind in each.wanted.items()
            if kind == "work"
        }
        broken = {
            name: source != "webhook"
            for source, each in self._messages.items()
            for name in each.broken
        }
        self.figures.executions = len(wanted)
        self.figures.answers = sum(line["what"] in {"succeeded", "failed"} for line in lines)
        yield from ledger.check_executions(self.database, wanted)
        yield from ledger.check_letters(self.database, broken)
        yield from ledger.check_leftovers(self.database)
        for sink in self.plan.sinks:
            told = self.told.arrivals.get(sink, {})
            self.figures.notifications += sum(map(len, told.values()))
            yield from ledger.check_told(sink, told, wanted)
        yield from ledger.check_tasks(self.database, lines, of_workers)
        yield from self._wrong_sources()
        yield from ledger.check_log(self.daemon.log)
        yield from ledger.check_verify(self.database)

    def _wrong_histories(self) -> Iterator[str]:
        """Histories of some executions of every kind, by the grammar of AWS's."""
        some: list[str] = []
        for kind in ("pass", "wait", "work"):
            names = [
                n for each in self._messages.values() for n, k in each.wanted.items() if k == kind
            ]
            some += self._dice.sample(names, min(len(names), _HISTORIES))
        with step_functions(self.daemon.url) as client:
            for name in some:
                arn = f"{ARN}:execution:take:{name}"
                found = pages(client.get_execution_history, "events", executionArn=arn)
                try:
                    check_history(DEFINITION, [one for page in found for one in page], "SUCCEEDED")
                except AssertionError as wrong:
                    yield f"the history of {name}: {wrong}"

    def _wrong_sources(self) -> Iterator[str]:
        if "sqs" in self.plan.sources and (left := self._queue.queue(QUEUE).counts()) != (0, 0):
            yield f"the queue is not empty (waiting, hidden): {left}"
        if "kafka" in self.plan.sources:
            rows = ledger.read(self.database, 'SELECT partition, "offset" FROM positions')
            ends = self._ends()
            if dict(rows) != ends:
                yield f"positions are {dict(rows)}, the partitions end at {ends}"

    def _ends(self) -> dict[int, int]:
        """The end of each partition that has records."""
        consumer = Consumer(
            {"bootstrap.servers": self._brokers, "group.id": "looks", "log_level": 0}
        )
        try:
            ends = {
                number: consumer.get_watermark_offsets(TopicPartition(self._topic, number), 20)[1]
                for number in range(PARTITIONS)
            }
        finally:
            consumer.close()
        return {number: end for number, end in ends.items() if end}
