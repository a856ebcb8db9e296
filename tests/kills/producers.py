"""Those who send, each to one source, as fast as it is taken and as long as they are let."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from uuid import UUID

from confluent_kafka import Producer

from tests.stand_ins.sqs import SqsStandIn

KINDS = {"pass": 0.80, "wait": 0.15, "work": 0.05}
"""What an execution does, and how often."""
BROKEN = 0.01
"""Share of the messages that name no execution: a letter each."""
TWICE = 0.1
PORTION = 50
_SENDERS = 16


class Messages:
    """What one source is to get: ids made by the dice, one in ten of them twice, out of order."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._again: list[dict[str, str]] = []
        self.wanted: dict[str, str] = {}
        """Name of the execution that has to be -> its kind."""
        self.broken: set[str] = set()
        """What has to be in one letter at least."""

    def portion(self) -> list[dict[str, str]]:
        """Some more, shuffled."""
        made = [self._one() for _ in range(PORTION)]
        self._dice.shuffle(made)
        return made

    def rest(self) -> list[dict[str, str]]:
        """What has not been sent for its second time."""
        rest, self._again = self._again, []
        return rest

    def _one(self) -> dict[str, str]:
        if self._again and self._dice.random() < TWICE:
            return self._again.pop(self._dice.randrange(len(self._again)))
        identity = str(UUID(int=self._dice.getrandbits(128), version=4))
        if self._dice.random() < BROKEN:
            self.broken.add(identity)
            return {"broken": identity}
        (kind,) = self._dice.choices(list(KINDS), list(KINDS.values()))
        self.wanted[identity] = kind
        message = {"id": identity, "kind": kind}
        if self._dice.random() < TWICE:
            self._again.append(message)
        return message


Send = Callable[[list[dict[str, str]]], None]
"""Returns when the source's far side, or the daemon, has taken them all."""


class Feeder:
    """Sends in a thread of its own: more whenever fewer than ``window`` are on their way."""

    def __init__(self, source: str, messages: Messages, send: Send, behind: Callable[[], int]):
        self.source = source
        self.messages = messages
        self._send = send
        self._behind = behind
        """How many executions are wanted and have not been told of."""
        self._done = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def finish(self, seconds: float) -> None:
        """Send what is to be sent a second time, and end."""
        self._done.set()
        self._thread.join(seconds)
        if self._failed is not None:
            raise self._failed
        assert not self._thread.is_alive(), f"{self.source} does not take all that is sent to it"

    def _run(self) -> None:
        try:
            while not self._done.is_set():
                if self._behind() > 0:
                    self._done.wait(0.02)
                else:
                    self._send(self.messages.portion())
            self._send(self.messages.rest())
        except BaseException as failure:
            self._failed = failure


def to_queue(stand_in: SqsStandIn, name: str) -> Send:
    """Into the queue itself, whether it can be reached over HTTP or not."""
    return lambda messages: stand_in.fill(name, map(json.dumps, messages))


def to_topic(brokers: str, topic: str, producer: Producer | None = None) -> Send:
    """To the brokers; what they have not confirmed is sent until they do (perhaps twice)."""
    producer = producer or Producer({"bootstrap.servers": brokers, "log_level": 0})

    def send(messages: list[dict[str, str]]) -> None:
        for message in messages:
            producer.produce(topic, json.dumps(message).encode(), on_delivery=_delivered)
            producer.poll(0)
        assert producer.flush(120) == 0, "the brokers do not take records"

    return send


def _delivered(error: object, _message: object) -> None:
    assert error is None, error


def to_hook(port: int, path: str, ended: threading.Event) -> Send:
    """As webhook senders do: again until it is answered with 202, or with the letter's 422."""

    def post_all(messages: Iterator[dict[str, str]], lock: threading.Lock) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        while not ended.is_set():
            with lock:
                message = next(messages, None)
            if message is None:
                break
            body = json.dumps(message)
            while not ended.is_set() and not _posted(connection, path, body):
                connection.close()
                time.sleep(0.05)
        connection.close()

    def send(messages: list[dict[str, str]]) -> None:
        lock, left = threading.Lock(), iter(messages)
        senders = [
            threading.Thread(target=post_all, args=(left, lock), daemon=True)
            for _ in range(_SENDERS)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

    return send


def _posted(connection: http.client.HTTPConnection, path: str, body: str) -> bool:
    try:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return False
    return answer.status in {202, 422}
