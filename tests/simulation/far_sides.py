"""The far sides of sources and sinks: they outlive the daemon, and do what real ones do.

A queue hands a message out again and again until it is deleted, in any order, sometimes twice at a
time; a receiver fails, hangs, refuses, or accepts and says that it did not.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson
import trio

from gateway.errors import Gone, Rejected, Unavailable
from gateway.sinks.protocol import Notification, Outlet
from tests.simulation.disks import Disk
from tests.simulation.trace import Trace

Json = Any


@dataclass(slots=True)
class _Queued:
    id: str
    body: str
    visible_at: float = 0.0
    receives: int = 0


class Queue:
    """SQS as ``gateway.sources.sqs_queue.SqsQueue`` shows it."""

    name, fifo, visibility_seconds, lag = "orders", False, 10, 0
    MOST_RECEIVES = 6

    def __init__(self, dice: Random, trace: Trace) -> None:
        self.trouble = 0.0
        self.redrives = dice.random() < 0.3
        self.left: dict[str, _Queued] = {}
        self.dead: list[Json] = []
        """Bodies that nobody deleted, parked by the queue itself."""
        self._deleted: list[_Queued] = []
        self._news = trio.Event()
        self._dice = dice
        self._trace = trace

    def connect(self, *_: object) -> Queue:
        """As ``SqsQueue``."""
        return self

    def close(self) -> None:
        """The connections go."""

    def send(self, body: Json) -> None:
        """A message arrives."""
        identifier = f"m-{len(self.left) + len(self._deleted) + len(self.dead)}"
        self.left[identifier] = _Queued(identifier, orjson.dumps(body).decode())
        self._news.set()
        self._news = trio.Event()

    async def refresh(self) -> None:
        """Its settings have not changed."""
        await self._call()

    async def _call(self) -> None:
        await trio.sleep(self._dice.choice((0, 0, 0.05)))
        if self._dice.random() < self.trouble:
            self._trace.seen("SQS: a call fails")
            if self._dice.random() < 0.3:
                self._trace.seen("SQS: a call hangs")
                await trio.sleep(20)
            raise Unavailable("the queue is away")

    async def receive(self, most: int) -> list[dict[str, Any]]:
        """Some of what is visible, and at times something that is not."""
        await self._call()
        now = trio.current_time()
        visible = [each for each in self.left.values() if each.visible_at <= now]
        if not visible:
            await self._long_poll()
        self._dice.shuffle(visible)
        if self.trouble and self._deleted and self._dice.random() < 0.2:
            visible.insert(0, self._dice.choice(self._deleted))
            self._trace.seen("SQS: a deleted message comes again")
        taken = [each for each in visible[:most] if not self._is_spent(each)]
        self._count(taken)
        for each in taken:
            each.receives += 1
            stays_visible = self.trouble and self._dice.random() < 0.1
            each.visible_at = 0 if stays_visible else now + self.visibility_seconds
        self._trace.say("queue", "hands out", [each.id for each in taken])
        return [{"MessageId": m.id, "ReceiptHandle": m.id, "Body": m.body} for m in taken]

    def _count(self, taken: list[_Queued]) -> None:
        if any(each.receives for each in taken):
            self._trace.seen("SQS: a message comes again")
        numbers = [int(each.id.removeprefix("m-")) for each in taken]
        if numbers != sorted(numbers):
            self._trace.seen("SQS: messages out of order")

    async def _long_poll(self) -> None:
        """Until a message arrives or is visible again, or the call is over."""
        hidden = [each.visible_at for each in self.left.values()]
        soonest = min(hidden, default=float("inf")) - trio.current_time()
        with trio.move_on_after(min(max(soonest, 0.1), 20)):
            await self._news.wait()

    def _is_spent(self, message: _Queued) -> bool:
        spent = self.redrives and message.receives >= self.MOST_RECEIVES and message.id in self.left
        if spent:
            self._trace.seen("SQS: the queue parks a message itself")
            self.dead.append(orjson.loads(self.left.pop(message.id).body))
        return spent

    async def delete(self, records: list[Json]) -> list[Json]:
        """Some may stay; all may be gone although the call failed."""
        if self._dice.random() > self.trouble:
            await self._call()
        again = [each for each in records if self._dice.random() < self.trouble]
        gone = [each["MessageId"] for each in records if each not in again]
        self._trace.say("queue", "deletes", gone)
        for identifier in gone:
            if identifier in self.left:
                self._deleted.append(self.left.pop(identifier))
        if self._dice.random() < self.trouble:
            self._trace.seen("SQS: the answer to a delete is lost")
            raise Unavailable("the connection broke")
        return again

    async def extend(self, records: list[Json]) -> None:
        """Hide them for longer."""
        await self._call()
        for record in records:
            if (message := self.left.get(record["MessageId"])) is not None:
                message.visible_at = trio.current_time() + self.visibility_seconds


def _timeless(event: Json) -> Json:
    """A record that is read again, its letter sent, has the same letter of another time."""
    if "letter" not in event:
        return event
    message = {name: each for name, each in event["message"].items() if name != "received_at"}
    return {"trigger": event["trigger"], "message": message}


@dataclass(eq=False, repr=False, slots=True)
class Receiver:
    """A sink's far side, and its adapter."""

    name: str
    dice: Random
    trace: Trace
    disk: Disk
    trouble: float = 0.0
    type: str = "virtual"
    accepted: Counter[str] = field(default_factory=Counter)
    events: dict[str, Json] = field(default_factory=dict)
    """By id of the notification, what was accepted."""
    wrong: list[str] = field(default_factory=list)
    """Breaches of the order, in words."""

    async def send(self, notification: Notification, _outlet: Outlet) -> None:
        """One attempt."""
        self._look(notification)
        await trio.sleep(self.dice.choice((0, 0, 0.1)))
        fate = self.dice.random() if self.dice.random() < self.trouble else 1.0
        if fate < 0.75:
            self.trace.seen("sink: a call fails")
        if fate < 0.2:
            self.trace.seen("sink: a call hangs")
            await trio.sleep(30)
            raise Unavailable("timeout")
        if fate < 0.6:
            raise Unavailable("503", self.dice.choice((None, 7.0)))
        if fate < 0.7:
            self.trace.seen("sink: refuses for good")
            raise Rejected("400")
        if fate < 0.72:
            self.trace.seen("sink: is gone")
            raise Gone("410")
        if fate < 0.75:
            raise RuntimeError("a bug of the adapter")
        if self.accepted[notification.id]:
            self.trace.seen("sink: a notification comes again")
        self.accepted[notification.id] += 1
        first = self.events.setdefault(notification.id, notification.event)
        self.trace.say(self.name, "accepts", notification.id)
        if _timeless(first) != _timeless(notification.event):
            self.wrong.append(f"{notification.id} came with two contents")
        if fate < 1.0:
            self.trace.seen("sink: an acknowledgement is lost")
            await trio.sleep(self.dice.choice((0, 30)))
            raise Unavailable("the acknowledgement was lost")

    def _look(self, notification: Notification) -> None:
        """The one before it has been accepted or is a letter; what is sent late has no order."""
        rows = self.disk.tables().notifications
        row = rows.get(notification.id)
        if row is None:
            self.wrong.append(f"{notification.id} is sent without a row")
        elif row.execution:
            for other in rows.values():
                same = (other.sink, other.execution) == (row.sink, row.execution)
                if same and other.sequence < row.sequence and not (row.late or other.late):
                    self.wrong.append(f"{row.id} is sent before {other.id}")
