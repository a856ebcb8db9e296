"""The examples under config/ with a real daemon and real workers, and the README's tour, typed."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import boto3
import httpx
import pytest
from confluent_kafka import Producer
from moto.server import ThreadedMotoServer

from tests.e2e.process import DaemonProcess, free_port, until
from tests.e2e.receiver import Receiver
from tests.e2e.shell import Shell

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECONDS = 30.0
KEYS = {
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "region_name": "us-east-1",
}


class Example(NamedTuple):
    """An example of config/ that runs, in a copy of its directory."""

    daemon: DaemonProcess
    directory: Path
    hooks: str

    def call(self, target: str, **members: object) -> dict:
        """An operation of the daemon's API."""
        headers = {"X-Amz-Target": target}
        return httpx.post(self.daemon.url, json=members, headers=headers).json()

    def outcome(self, machine: str, name: str) -> dict:
        """The execution as DescribeExecution gives it, its output parsed."""
        arn = f"arn:aws:states:us-east-1:123456789012:execution:{machine}:{name}"
        found = self.call("AWSStepFunctions.DescribeExecution", executionArn=arn)
        return {**found, "output": json.loads(found["output"])} if "output" in found else found


@contextmanager
def example(name: str, directory: Path, **environment: str) -> Iterator[Example]:
    """The daemon on a copy of config/, with free ports and everything else as it stands there."""
    shutil.copytree(ROOT / "config", directory / "config")
    api, hooks = free_port(), free_port()
    listening = {
        "API_LISTEN": f"127.0.0.1:{api}",
        "HOOKS_LISTEN": f"127.0.0.1:{hooks}",
        "NOTIFY_URL": f"http://127.0.0.1:{hooks}/inbox",
        "SITE": f"http://127.0.0.1:{hooks}",
        "STATE_DIRECTORY": str(directory),
    }
    path = directory / "config" / name
    with DaemonProcess(path, api, {**listening, **environment}) as daemon:
        yield Example(daemon, directory, f"http://127.0.0.1:{hooks}")


# ------------------------------------------------------------------------------- quickstart


def test_a_coffee_outlives_a_kill(tmp_path):
    """An order through the quickstart's webhook is brewed and told of, even though the daemon is
    killed while it brews; the same order a second time is the same coffee."""
    order = {"id": 17, "drink": "latte", "cups": 2, "for": "Ada"}
    with Receiver() as receiver:
        with example("quickstart.yaml", tmp_path, NOTIFY_URL=receiver.url) as running:
            first = httpx.post(f"{running.hooks}/orders", json=order)
            assert (first.status_code, first.json()["duplicate"]) == (202, False)
            running.daemon.kill()
            running.daemon.start()
            again = httpx.post(f"{running.hooks}/orders", json=order)
            assert again.json() == {**first.json(), "duplicate": True}
            until(lambda: receiver.ids["coffee-17"], SECONDS, "the coffee's notification")
            assert running.daemon.stop() == 0
        [event] = receiver.events
    assert event["detail"]["status"] == "SUCCEEDED"
    assert json.loads(event["detail"]["output"])["served"] == "2 x latte for Ada"


# ------------------------------------------------------------------------------- fulfilment


class Cloud:
    """SQS and SNS by moto, a Kafka broker by librdkafka's mock cluster, as fulfilment.yaml wants
    them; what the topics tell arrives in queues."""

    def __init__(self, endpoint: str) -> None:
        self._sqs = boto3.client("sqs", endpoint_url=endpoint, **KEYS)
        self._sns = boto3.client("sns", endpoint_url=endpoint, **KEYS)
        self._producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        self._producer.list_topics("shop.orders", timeout=10)  # makes it
        broker = next(iter(self._producer.list_topics(timeout=10).brokers.values()))
        self._orders = self._queue("orders")
        self._heard = {name: self._queue(f"heard-{name}") for name in ("completed", "failed")}
        self.environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "ORDERS_QUEUE_URL": self._orders,
            "KAFKA_BROKERS": f"{broker.host}:{broker.port}",
            "ORDERS_TOPIC_ARN": self._topic("completed"),
            "FAILURES_TOPIC_ARN": self._topic("failed"),
        }

    def _queue(self, name: str) -> str:
        return self._sqs.create_queue(QueueName=name)["QueueUrl"]

    def _topic(self, name: str) -> str:
        topic = self._sns.create_topic(Name=name)["TopicArn"]
        wanted = {"QueueUrl": self._heard[name], "AttributeNames": ["QueueArn"]}
        arn = self._sqs.get_queue_attributes(**wanted)["Attributes"]["QueueArn"]
        self._sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic

    def queue(self, body: object) -> None:
        """A message to the queue."""
        self._sqs.send_message(QueueUrl=self._orders, MessageBody=json.dumps(body))

    def record(self, body: object) -> None:
        """A record to the topic."""
        self._producer.produce("shop.orders", json.dumps(body).encode())
        assert self._producer.flush(10) == 0

    def orders(self) -> list[dict]:
        """What waits in the queue."""
        return self._sqs.receive_message(QueueUrl=self._orders).get("Messages", [])

    def heard(self, name: str) -> list[dict]:
        """What the SNS topic has told since the last time."""
        wanted = {"QueueUrl": self._heard[name], "MaxNumberOfMessages": 10}
        messages = self._sqs.receive_message(**wanted).get("Messages", [])
        for message in messages:
            handle = message["ReceiptHandle"]
            self._sqs.delete_message(QueueUrl=self._heard[name], ReceiptHandle=handle)
        return [json.loads(json.loads(message["Body"])["Message"]) for message in messages]


@pytest.fixture
def cloud():
    """The stand-ins, for one test."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    try:
        # What other servers of this process were told, it knows, too.
        httpx.post(f"{url}/moto-api/reset")
        yield Cloud(url)
    finally:
        server.stop()


def test_fulfilment_from_both_sources_to_both_topics(tmp_path, cloud):
    """Orders from SQS and Kafka are done by the example's own worker processes: one that comes both
    ways starts once, an ordinary one and one that is sold out are told as completed, an empty one
    as failed, an event that is no order is filtered, and an order without an id is a letter."""
    whole = {"id": 1, "items": ["pen", "book"]}
    with example("fulfilment.yaml", tmp_path, **cloud.environment) as running:
        cloud.queue({"detail-type": "OrderPlaced", "detail": whole})
        cloud.record(whole)
        cloud.record({"id": 2, "items": ["pen", "unicorn"]})
        cloud.queue({"detail-type": "OrderPlaced", "detail": {"id": 3, "items": []}})
        cloud.queue({"detail-type": "OrderWithdrawn", "detail": {"id": 4}})
        cloud.record({"items": ["a thing of nobody"]})
        completed: list[dict] = []
        failed: list[dict] = []

        def all_told() -> bool:
            completed.extend(cloud.heard("completed"))
            failed.extend(cloud.heard("failed"))
            return len(completed) >= 2 and bool(failed)

        until(all_told, SECONDS, f"every order is told of\n{running.daemon.tail()}")
        outputs = {each["detail"]["name"]: each["detail"]["output"] for each in completed}
        assert {name: json.loads(output)["sent"] for name, output in outputs.items()} == {
            "order-1": True,
            "order-2": False,
        }
        assert failed == [{"text": "order-3 FAILED"}]
        assert running.outcome("fulfil", "order-1")["output"]["items"] == ["pen", "book"]
        listed = running.call("Stategate.ListExecutions")["executions"]
        assert {each["name"] for each in listed} == {"order-1", "order-2", "order-3"}
        until(lambda: running.call("Stategate.ListLetters")["letters"], SECONDS, "the letter")
        [letter] = running.call("Stategate.ListLetters")["letters"]
        assert (letter["origin"], letter["kind"]) == ("orders-topic", "message")
        workers = running.daemon.health()["workers"]
        assert {name: group["state"] for name, group in workers.items()} == {
            "picker": "running",
            "packer": "running",
        }
        assert running.daemon.stop() == 0


# ------------------------------------------------------------------------------- walk-throughs


def walk_through(heading: str) -> list[tuple[str, str]]:
    """Language and text of each block of a chapter of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    chapter = text.partition(f"# {heading}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    return re.findall(r"^```(\w+)\n(.*?)^```$", chapter, re.DOTALL | re.MULTILINE)


def type_out(shell: Shell, blocks: list[tuple[str, str]], ports: dict[str, str]) -> None:
    """Type a walk-through, whose commands print what stands below them."""
    typed = ""
    for language, written in blocks:
        block = re.sub("|".join(ports), lambda found: ports[found[0]], written)
        match language:
            case "python":
                name = block.splitlines()[0].removeprefix("# ")
                (shell.directory / name).write_text(block)
            case "sh":
                typed, printed = block, shell.run(block)
            case _:
                # A person takes longer than a test: looking again is part of the tour.
                until(partial(says, shell, typed, block, [printed]), SECONDS, f"{typed}{block}")


def shows(printed: str, expected: str) -> bool:
    """Whether it was printed as the README shows it: ``…`` stands for anything, alone on its line
    for any lines; how wide columns are does not matter."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    skipping = True
    for wanted in expected.splitlines():
        if wanted == "…":
            skipping = True
            continue
        pattern = ".*".join(map(re.escape, " ".join(wanted.split()).split("…")))
        found = any(re.fullmatch(pattern, line) for line in (lines if skipping else _next(lines)))
        if not found:
            return False
        skipping = False
    return True


def says(shell: Shell, command: str, expected: str, printed: list[str]) -> bool:
    """Whether the command has printed what is expected, or else does so by now."""
    return shows(printed.pop() if printed else shell.run(command), expected)


def _next(lines: Iterator[str]) -> list[str]:
    return [next(lines, "")]


def test_what_is_shown():
    """The comparison with the README takes dots for anything, and nothing else for it."""
    printed = "ID   EVENT\n1    Started  a=1   \n2    Ended\n"
    assert shows(printed, "ID EVENT\n1 Started …\n2 Ended\n")
    assert shows(printed, "1   Started a=1\n…\n2 Ended\n")
    assert not shows(printed, "ID EVENT\n2 Ended\n")
    assert not shows(printed, "1 Started a=2\n")


def test_the_tour_as_it_is_written(tmp_path):
    """Every block of the README's tour, typed one after the other, prints what stands below it."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    with example("quickstart.yaml", tmp_path) as running, Shell(tmp_path) as shell:
        ports = {"127.0.0.1:8083": running.daemon.url[7:], "127.0.0.1:8080": running.hooks[7:]}
        installed, started, *blocks = walk_through("A tour of five minutes")
        assert installed == ("sh", "make install\n")
        assert started[1].endswith("stategate run config/quickstart.yaml\n")
        shell.run(f"export STATEGATE_ENDPOINT={running.daemon.url}")
        type_out(shell, blocks, ports)
        assert running.outcome("inbox", "heard-coffee-17")["output"]["status"] == "SUCCEEDED"


def test_the_game_as_it_is_written(tmp_path, cloud):
    """Every block of the game's chapter, typed one after the other, prints what stands below it."""
    (tmp_path / ".venv").symlink_to(sys.prefix)
    queue = f"{cloud.environment['AWS_ENDPOINT_URL']}/123456789012/game-results"
    environment = {**cloud.environment, "RESULTS_QUEUE_URL": queue}
    with example("game.yaml", tmp_path, **environment) as running, Shell(tmp_path) as shell:
        ports = {
            "http://127.0.0.1:5000": cloud.environment["AWS_ENDPOINT_URL"],
            "127.0.0.1:8080": running.hooks[7:],
        }
        cloud_started, (language, started), *blocks = walk_through("An example: a game")
        assert cloud_started == ("sh", "moto_server -p 5000\n")
        prepared, command, _ = started.rpartition("stategate run config/game.yaml\n")
        assert command
        shell.run(". .venv/bin/activate")
        shell.run(f"export STATEGATE_ENDPOINT={running.daemon.url}")
        type_out(shell, [(language, prepared), *blocks], ports)
        failed = running.outcome("finish-level", "ada-level-4-7f3b")
        assert failed["output"]["report"] == "failed"


def test_points_that_cannot_be_noted_fail_the_game(tmp_path, cloud):
    """Without the tables the execution fails and is told of, whatever else was done."""
    environment = {**cloud.environment, "RESULTS_QUEUE_URL": cloud.environment["ORDERS_QUEUE_URL"]}
    level = {"run": "1", "player": "eve", "level": 1, "points": 5, "seconds": 9}
    with example("game.yaml", tmp_path, **environment) as running:
        httpx.post(f"{running.hooks}/levels", json=level).raise_for_status()
        until(cloud.orders, SECONDS, "the result")
        outcome = running.outcome("finish-level", "eve-level-1-1")
        assert (outcome["status"], outcome["error"]) == ("FAILED", "NoPoints")
        assert outcome["cause"] == "DynamoDb.ResourceNotFoundException"


def test_the_library_as_it_is_written(tmp_path):
    """The README's loan, typed: mails go out as files, buttons are pressed by the links in them,
    and the staff hears through its queue that the book is lost."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    address = f"127.0.0.1:{server.get_host_and_port()[1]}"
    (tmp_path / ".venv").symlink_to(sys.prefix)
    outbox = tmp_path / "config" / "outbox"
    moto, started, *blocks = walk_through("An example: a library")
    assert moto == ("sh", "moto_server -p 5000\n")
    exports, run = started[1].removesuffix("\n").rsplit("\n", 1)
    assert run == "LOAN_SECONDS=5 stategate run config/library.yaml"
    try:
        with Shell(tmp_path) as shell:
            shell.run(exports.replace("127.0.0.1:5000", address))
            names = ("DESK_QUEUE_URL", "STAFF_QUEUE_URL")
            there = {name: shell.run(f'printf %s "${name}"').strip() for name in names}
            there |= {"AWS_ENDPOINT_URL": f"http://{address}", "AWS_REGION": "us-east-1"}
            there |= {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
            there |= {"LOAN_SECONDS": "1", "STATE_DIRECTORY": "."}
            with example("library.yaml", tmp_path, **there) as running:
                shell.run(f"export STATEGATE_ENDPOINT={running.daemon.url}")
                mails = 0
                for group in _commands(blocks):
                    if "press " in group[0][1]:
                        mails += 1
                        wanted = f"mail {mails}\n{running.daemon.tail()}"
                        until(partial(_has_mails, outbox, mails), SECONDS, wanted)
                    type_out(shell, group, {"127.0.0.1:5000": address})
                assert running.daemon.stop() == 0
    finally:
        server.stop()


def _has_mails(outbox: Path, count: int) -> bool:
    return len(list(outbox.glob("*.eml"))) >= count


def _commands(blocks: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Each block of commands with what it prints."""
    starts = [place for place, (language, _) in enumerate(blocks) if language == "sh"]
    return [blocks[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]
