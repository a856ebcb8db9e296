"""The load driver, the same for every endpoint: keep-alive clients that speak AWS's format.

It must not be what is measured: one call costs it about a tenth of a millisecond less than
``http.client`` would, and all clients are one thread.
"""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections.abc import Generator
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import orjson
from httptools import HttpResponseParser

# A made-up signature: moto routes by the service that it names.
_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=x/20261101/us-east-1/states/aws4_request, "
    "SignedHeaders=host, Signature=00"
)
PASS_CHAIN = {
    "StartAt": "S0",
    "States": {
        f"S{n}": {"Type": "Pass", **({"Next": f"S{n + 1}"} if n < 9 else {"End": True})}
        for n in range(10)
    },
}
LIMIT_SECONDS = 60
ROLE = "arn:aws:iam::123456789012:role/bench"


Call: TypeAlias = tuple[str, dict[str, object]]
"""An operation and its parameters."""
Script: TypeAlias = Generator[Call, dict[str, Any], None]
"""What one client does: it yields calls and is sent their answers."""


class _Answer:
    """What the parser of one connection has seen of the answer under way."""

    def __init__(self) -> None:
        self.parser = HttpResponseParser(self)
        self.body: list[bytes] = []
        self.whole = False
        self.stays = True

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        self.body.append(data)

    def on_message_complete(self) -> None:
        """The answer is there; only now the parser knows whether the connection stays."""
        self.whole = True
        self.stays = self.parser.should_keep_alive()


class Connection:
    """One keep-alive connection, opened anew where the server closes it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "", parts.port or 80)
        self._host = f"{parts.hostname}:{parts.port}"
        self._operation = ""
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection(self._address, timeout=LIMIT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answer = _Answer()
        self._closed = False

    def send(self, operation: str, parameters: dict[str, object]) -> None:
        """Ask; after ``close`` over a new connection."""
        if self._closed:
            self._open()
        self._operation = operation
        body = orjson.dumps(parameters)
        head = (
            f"POST / HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"X-Amz-Target: AWSStepFunctions.{operation}\r\nAuthorization: {_SIGNED}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self.socket.sendall(head.encode() + body)

    def receive(self) -> dict[str, Any] | None:
        """Take what has come: the answer, once it is whole. Raises where it is a refusal."""
        answer = self._answer
        data = self.socket.recv(65_536)
        if not data:
            raise RuntimeError(f"{self._operation}: the server hung up")
        answer.parser.feed_data(data)
        if not answer.whole:
            return None
        body, status = b"".join(answer.body), answer.parser.get_status_code()
        if answer.stays:
            answer.body, answer.whole = [], False  # A refusal, too, is followed by other answers.
        else:
            self.close()
            self._open()
        if status != 200:
            raise RuntimeError(f"{self._operation}: {body[:300]!r}")
        found: dict[str, Any] = orjson.loads(body or b"{}")
        return found

    def call(self, operation: str, **parameters: object) -> dict[str, Any]:
        """Ask and wait for the answer."""
        self.send(operation, parameters)
        while (answer := self.receive()) is None:
            pass
        return answer

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        self.socket.close()


def together(url: str, scripts: list[Script]) -> float:
    """Play the scripts side by side, a connection each; the seconds until the last has ended.

    One thread: threads of Python would mostly wait for each other.
    """
    waiting = selectors.DefaultSelector()
    began = time.perf_counter()
    for script in scripts:
        connection = Connection(url)
        connection.send(*next(script))
        waiting.register(connection.socket, selectors.EVENT_READ, (connection, script))
    while waiting.get_map():
        for key, _ in waiting.select():
            connection, script = key.data
            answer = connection.receive()
            if answer is None:
                continue
            waiting.unregister(key.fileobj)
            try:
                connection.send(*script.send(answer))
            except StopIteration:
                connection.close()
            else:
                waiting.register(connection.socket, selectors.EVENT_READ, key.data)
    return time.perf_counter() - began


def machine(url: str, name: str, definition: dict[str, Any]) -> str:
    """Create a machine; its ARN."""
    client = Connection(url)
    created = client.call(
        "CreateStateMachine", name=name, definition=json.dumps(definition), roleArn=ROLE
    )
    client.close()
    arn: str = created["stateMachineArn"]
    return arn


def starts(arn: str, names: list[str]) -> Script:
    """A client that starts an execution of each name."""
    for name in names:
        yield "StartExecution", {"stateMachineArn": arn, "name": name, "input": '{"a": 1}'}


def chain_rate(url: str, executions: int, clients: int = 8) -> float:
    """W1: executions per second from the first start until all have succeeded."""
    arn = machine(url, "chain", PASS_CHAIN)
    each = executions // clients
    began = time.perf_counter()
    together(url, [starts(arn, [f"c{n}-{i}" for i in range(each)]) for n in range(clients)])
    client = Connection(url)
    running: dict[str, Any] = {"stateMachineArn": arn, "statusFilter": "RUNNING"}
    while client.call("ListExecutions", **running)["executions"]:
        time.sleep(0.01)
        if time.perf_counter() - began > LIMIT_SECONDS:
            raise RuntimeError(f"{url} has not ended its executions in {LIMIT_SECONDS} s")
    seconds = time.perf_counter() - began
    client.close()
    return each * clients / seconds
