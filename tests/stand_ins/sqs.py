"""An SQS that is fast and may be restarted: ``python -m tests.stand_ins.sqs --port N``, or inside a
test ``with SqsStandIn() as sqs``.

Standard queues with long polling, visibility timeouts and receipt handles as at SQS: a message
comes again when its time is over, and only its latest receipt deletes it. A queue is there as soon
as somebody names it. Messages are in memory; they outlive ``stop`` and ``start``.
"""

from __future__ import annotations

import argparse
import hashlib
import heapq
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import orjson

from tests.stand_ins.server import Answer, PartOf, Refusal, Request, Service, StandIn

ACCOUNT = "123456789012"
_JSON = (("Content-Type", "application/x-amz-json-1.0"),)


class Message:
    """One message of a queue."""

    __slots__ = ("attributes", "body", "hidden_until", "id", "md5", "receives", "sent_at")

    def __init__(self, body: str, attributes: dict[str, Any] | None = None) -> None:
        self.id = str(uuid4())
        self.body = body
        self.md5 = hashlib.md5(body.encode(), usedforsecurity=False).hexdigest()
        self.attributes = attributes
        self.receives = 0
        self.sent_at = str(time.time_ns() // 1_000_000)
        self.hidden_until = 0.0
        """0 while it waits."""

    @property
    def receipt(self) -> str:
        """The handle that its latest receiver has."""
        return f"{self.id}/{self.receives}"

    def shown(self) -> dict[str, Any]:
        """As ReceiveMessage gives it."""
        document: dict[str, Any] = {
            "MessageId": self.id,
            "ReceiptHandle": self.receipt,
            "MD5OfBody": self.md5,
            "Body": self.body,
            "Attributes": {
                "SentTimestamp": self.sent_at,
                "ApproximateReceiveCount": str(self.receives),
            },
        }
        if self.attributes:
            document["MessageAttributes"] = self.attributes
        return document


class Queue:
    """The messages of one queue."""

    def __init__(self, visibility_seconds: float) -> None:
        self.visibility_seconds = visibility_seconds
        self.sent = 0
        self.deleted = 0
        self._changed = threading.Condition()
        self._open = True
        self._waiting: deque[Message] = deque()
        self._messages: dict[str, Message] = {}
        self._hidden: list[tuple[float, str]] = []

    def send(self, messages: Iterable[Message]) -> None:
        """Put them behind the others."""
        with self._changed:
            before = len(self._messages)
            for message in messages:
                self._messages[message.id] = message
                self._waiting.append(message)
            self.sent += len(self._messages) - before
            self._changed.notify_all()

    def receive(self, most: int, seconds: float) -> list[dict[str, Any]]:
        """Up to so many, hidden from now on; wait so long for the first."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                now = time.monotonic()
                due = self._show_again(now)
                if self._waiting:
                    return self._take(most, now)
                if now >= deadline or not self._open:
                    return []
                self._changed.wait(min(deadline, due) - now)

    def _show_again(self, now: float) -> float:
        """Bring back what was hidden for long enough; when the next is due."""
        while self._hidden and self._hidden[0][0] <= now:
            until, identity = heapq.heappop(self._hidden)
            message = self._messages.get(identity)
            if message is not None and message.hidden_until == until:
                message.hidden_until = 0.0
                self._waiting.append(message)
        return self._hidden[0][0] if self._hidden else float("inf")

    def _take(self, most: int, now: float) -> list[dict[str, Any]]:
        taken = []
        while self._waiting and len(taken) < most:
            message = self._waiting.popleft()
            if message.id in self._messages:
                message.receives += 1
                self._hide(message, now + self.visibility_seconds)
                taken.append(message.shown())
        return taken

    def _hide(self, message: Message, until: float) -> None:
        message.hidden_until = until
        heapq.heappush(self._hidden, (until, message.id))

    def delete(self, receipt: str) -> None:
        """Delete it, if this is its latest receipt; another one is no error, as at SQS."""
        identity, _, receives = receipt.partition("/")
        with self._changed:
            message = self._messages.get(identity)
            if message is not None and str(message.receives) == receives:
                del self._messages[identity]
                self.deleted += 1

    def hide(self, receipt: str, seconds: float) -> bool:
        """Hide it for so long from now on; False where it is not hidden any more."""
        identity, _, receives = receipt.partition("/")
        with self._changed:
            message = self._messages.get(identity)
            now = time.monotonic()
            if message is None or str(message.receives) != receives or message.hidden_until <= now:
                return False
            self._hide(message, now + seconds)
            self._changed.notify_all()
            return True

    def counts(self) -> tuple[int, int]:
        """Messages that wait, and messages that are hidden."""
        with self._changed:
            self._show_again(time.monotonic())
            hidden = sum(message.hidden_until > 0 for message in self._messages.values())
            return len(self._messages) - hidden, hidden

    def bodies(self) -> list[str]:
        """All that is there, hidden or not, in the order in which it was sent."""
        with self._changed:
            return [message.body for message in self._messages.values()]

    def open(self, *, opened: bool) -> None:
        """Whether a receive call may wait."""
        with self._changed:
            self._open = opened
            self._changed.notify_all()


class Refused(Exception):
    """SQS says no."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.refusal = Refusal(code)


class Sqs(Service):
    """The operations, each from its JSON document to the answer's."""

    def __init__(self, visibility_seconds: float) -> None:
        self.visibility_seconds = visibility_seconds
        self.queues: dict[str, Queue] = {}
        self._lock = threading.Lock()
        self._operations = {
            "CreateQueue": self._create,
            "GetQueueUrl": self._create,
            "GetQueueAttributes": self._attributes,
            "SendMessage": self._send,
            "SendMessageBatch": self._send_batch,
            "ReceiveMessage": self._receive,
            "DeleteMessage": self._delete,
            "DeleteMessageBatch": self._delete_batch,
            "ChangeMessageVisibility": self._hide,
            "ChangeMessageVisibilityBatch": self._hide_batch,
        }
        self.url = ""

    def queue(self, name: str) -> Queue:
        """The queue of that name, made if there was none."""
        found = self.queues.get(name)
        if found is None:
            with self._lock:
                found = self.queues.setdefault(name, Queue(self.visibility_seconds))
        return found

    def operation(self, request: Request) -> str:
        """From the header that says it."""
        return request.headers.get("x-amz-target", "").rpartition(".")[2]

    def answer(self, operation: str, request: Request) -> Answer:
        """Do it."""
        try:
            document = self._operations[operation](orjson.loads(request.body or b"{}"))
        except Refused as refused:
            return self.refuse(refused.refusal)
        except KeyError as missing:
            return self.refuse(Refusal(f"MissingParameter.{missing.args[0]}"))
        return Answer(200, orjson.dumps(document), _JSON)

    def refuse(self, refusal: Refusal) -> Answer:
        """An error in AWS's JSON."""
        document = {"__type": f"com.amazonaws.sqs#{refusal.code}", "message": "as the test wants"}
        side = "Sender" if refusal.status < 500 else "Receiver"
        query = ("x-amzn-query-error", f"{refusal.code};{side}")
        return Answer(refusal.status, orjson.dumps(document), (*_JSON, query))

    def answer_in_part(self, operation: str, request: Request, part: PartOf) -> Answer:
        """All but the first entry of a batch."""
        asked = orjson.loads(request.body)
        first, *others = asked["Entries"]
        document = self._operations[operation]({**asked, "Entries": others})
        document["Failed"].append(_failed(first, part.code, sender=part.sender))
        return Answer(200, orjson.dumps(document), _JSON)

    def closing(self) -> None:
        """Long polls end."""
        self.open(opened=False)

    def open(self, *, opened: bool) -> None:
        """Whether a receive call may wait."""
        for queue in list(self.queues.values()):
            queue.open(opened=opened)

    def _queue(self, asked: dict[str, Any]) -> Queue:
        return self.queue(asked["QueueUrl"].rpartition("/")[2])

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        queue = self.queue(asked["QueueName"])
        if "VisibilityTimeout" in asked.get("Attributes", {}):
            queue.visibility_seconds = float(asked["Attributes"]["VisibilityTimeout"])
        return {"QueueUrl": f"{self.url}/{ACCOUNT}/{asked['QueueName']}"}

    def _attributes(self, asked: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(asked)
        waiting, hidden = queue.counts()
        attributes = {
            "VisibilityTimeout": str(round(queue.visibility_seconds)),
            "ApproximateNumberOfMessages": str(waiting),
            "ApproximateNumberOfMessagesNotVisible": str(hidden),
        }
        names = asked.get("AttributeNames", [])
        return {"Attributes": {k: v for k, v in attributes.items() if k in names or "All" in names}}

    def _send(self, asked: dict[str, Any]) -> dict[str, Any]:
        message = Message(asked["MessageBody"], asked.get("MessageAttributes"))
        self._queue(asked).send([message])
        return {"MessageId": message.id, "MD5OfMessageBody": message.md5}

    def _send_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        entries = asked["Entries"]
        messages = [Message(one["MessageBody"], one.get("MessageAttributes")) for one in entries]
        self._queue(asked).send(messages)
        sent = [
            {"Id": entry["Id"], "MessageId": message.id, "MD5OfMessageBody": message.md5}
            for entry, message in zip(entries, messages, strict=True)
        ]
        return {"Successful": sent, "Failed": []}

    def _receive(self, asked: dict[str, Any]) -> dict[str, Any]:
        most, seconds = asked.get("MaxNumberOfMessages", 1), asked.get("WaitTimeSeconds", 0)
        found = self._queue(asked).receive(most, seconds)
        return {"Messages": found} if found else {}

    def _delete(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._queue(asked).delete(asked["ReceiptHandle"])
        return {}

    def _delete_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(asked)
        for entry in asked["Entries"]:
            queue.delete(entry["ReceiptHandle"])
        return {"Successful": [{"Id": entry["Id"]} for entry in asked["Entries"]], "Failed": []}

    def _hide(self, asked: dict[str, Any]) -> dict[str, Any]:
        if not self._queue(asked).hide(asked["ReceiptHandle"], asked["VisibilityTimeout"]):
            raise Refused("MessageNotInflight")
        return {}

    def _hide_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        queue, done, failed = self._queue(asked), [], []
        for entry in asked["Entries"]:
            if queue.hide(entry["ReceiptHandle"], entry["VisibilityTimeout"]):
                done.append({"Id": entry["Id"]})
            else:
                failed.append(_failed(entry, "MessageNotInflight", sender=True))
        return {"Successful": done, "Failed": failed}


def _failed(entry: dict[str, Any], code: str, *, sender: bool) -> dict[str, Any]:
    return {"Id": entry["Id"], "Code": code, "SenderFault": sender, "Message": "not this one"}


class SqsStandIn(StandIn):
    """The service on a port, and its queues as the test sees them."""

    def __init__(self, port: int = 0, visibility_seconds: float = 30) -> None:
        self.sqs = Sqs(visibility_seconds)
        super().__init__(self.sqs, port)

    def start(self) -> None:
        """Listen; long polls wait again."""
        self.sqs.open(opened=True)
        super().start()
        self.sqs.url = self.url

    def queue(self, name: str) -> Queue:
        """The queue itself."""
        return self.sqs.queue(name)

    def queue_url(self, name: str) -> str:
        """As GetQueueUrl gives it; the queue is there from now on."""
        self.sqs.queue(name)
        return f"{self.url}/{ACCOUNT}/{name}"

    def fill(self, name: str, bodies: Iterable[str]) -> None:
        """Send messages without the way over HTTP."""
        self.sqs.queue(name).send([Message(body) for body in bodies])

    def count(self, name: str) -> int:
        """Messages that are not deleted, hidden or not."""
        return sum(self.sqs.queue(name).counts())


def main() -> None:
    """Serve until SIGTERM or SIGINT; says on stdout where."""
    parser = argparse.ArgumentParser(prog="python -m tests.stand_ins.sqs")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--visibility", type=float, default=30, help="seconds of every queue")
    given = parser.parse_args()
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    with SqsStandIn(given.port, given.visibility) as stand_in:
        sys.stdout.write(f"{stand_in.url}\n")
        sys.stdout.flush()
        signal.sigwait(signals)


if __name__ == "__main__":
    main()
