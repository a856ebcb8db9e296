"""Many clients at once on bare connections, each of which asks again as soon as it has its answer.

A process of its own, ``python -m tests.e2e.flood``, lest those who look at the daemon meanwhile
wait for the flood instead of the daemon.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import trio

from tests.e2e.clients import ARN


class Connection:
    """One keep-alive connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._read = b""

    async def ask(self, request: bytes) -> tuple[int, dict[bytes, bytes]]:
        """Send a request; status and headers of its answer. Raises trio.BrokenResourceError where
        the connection is closed before."""
        await self._stream.send_all(request)
        while b"\r\n\r\n" not in self._read:
            await self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        status, *lines = head.lower().split(b"\r\n")
        headers = {name: value.strip() for name, _, value in (x.partition(b":") for x in lines)}
        length = int(headers.get(b"content-length", b"0"))
        while len(self._read) < length:
            await self._more()
        self._read = self._read[length:]
        return int(status.split()[1]), headers

    async def _more(self) -> None:
        data = await self._stream.receive_some(65_536)
        if not data:
            raise trio.BrokenResourceError("the daemon has closed the connection")
        self._read += data


class Flood:
    """Clients of one port; what they were answered."""

    def __init__(self, port: int, kind: str, pad: str) -> None:
        self._port = port
        self._make = {"api": self._start, "hook": self._hook}[kind]
        self._pad = pad
        self.accepted: list[str] = []
        """Names of the executions that are started."""
        self.connected = 0
        """Connections so far."""
        self.asked: set[str] = set()
        """Names of which it is not known yet."""
        self.answers: Counter[str] = Counter()
        """By status; ``later``: those that said when to come again."""

    async def client(self) -> None:
        """Ask until cancelled, on a new connection where the old one was closed."""
        while True:
            stream = await trio.open_tcp_stream("127.0.0.1", self._port)
            async with stream:
                self.connected += 1
                connection = Connection(stream)
                while await self._ask(connection):
                    pass

    async def _ask(self, connection: Connection) -> bool:
        """One start; whether the connection stays."""
        name = str(uuid4())
        self.asked.add(name)
        status, headers = await connection.ask(self._make(name))
        self.asked.discard(name)
        self.answers[str(status)] += 1
        if status in {200, 202}:
            self.accepted.append(name)
        else:
            self.answers["later"] += b"retry-after" in headers
            # A sender that obeyed would stay away for a second: this one is ten times as bad.
            await trio.sleep(0.1)
        return headers.get(b"connection") != b"close"

    def _start(self, name: str) -> bytes:
        members = {
            "stateMachineArn": f"{ARN}:stateMachine:take",
            "name": name,
            "input": json.dumps({"pad": self._pad}),
        }
        target = "X-Amz-Target: AWSStepFunctions.StartExecution\r\n"
        return _post("/", target, json.dumps(members).encode())

    def _hook(self, name: str) -> bytes:
        return _post("/in", "", json.dumps({"id": name, "pad": self._pad}).encode())


def _post(path: str, lines: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: flood\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Flooded(NamedTuple):
    """What clients were answered."""

    accepted: set[str]
    """Names of the executions that are started."""
    unanswered: set[str]
    """Names that were asked for when the flood ended."""
    answers: dict[str, int]
    """By status; ``later``: those that said when to come again."""


class Flooding:
    """The process, from its beginning to its end."""

    def __init__(self, said: Path, kind: str, port: int, clients: int, seconds: float, pad: int):
        """What the process has to say goes to the file ``said``."""
        self._said = said
        numbers = map(str, (port, clients, seconds, pad))
        with said.open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.e2e.flood", kind, *numbers], stdout=output
            )

    def __enter__(self) -> Flooding:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def lasts(self) -> bool:
        """Whether it goes on."""
        return self._process.poll() is None

    def result(self) -> Flooded:
        """What came of it."""
        assert self._process.wait() == 0
        accepted, unanswered, answers = json.loads(self._said.read_text())
        return Flooded(set(accepted), set(unanswered), answers)


async def _main(kind: str, port: str, clients: str, seconds: str, pad: str) -> None:
    flood = Flood(int(port), kind, "x" * int(pad))
    async with trio.open_nursery() as nursery:
        for _ in range(int(clients)):
            nursery.start_soon(flood.client)
        while flood.connected < int(clients):  # noqa: ASYNC110 - the time begins with the last one
            await trio.sleep(0.01)
        await trio.sleep(float(seconds))
        nursery.cancel_scope.cancel()
    sys.stdout.write(json.dumps([flood.accepted, list(flood.asked), flood.answers]))


if __name__ == "__main__":
    trio.run(_main, *sys.argv[1:])
