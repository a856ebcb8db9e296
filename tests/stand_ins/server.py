"""A small HTTP/1.1 server with a thread for each connection, whose every call may be made to fail.

Threads rather than trio, so that a test of any kind can hold it, and because a long poll is then a
plain wait. ``stop`` cuts every connection, as the end of a process would; ``start`` listens on the
same port again.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import NamedTuple, Self

_MOST_HANGING_SECONDS = 120.0


class Request(NamedTuple):
    """What came: the names of the headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What goes back; Content-Length is added."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        more = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        head = f"HTTP/1.1 {self.status} Any\r\n{more}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode() + self.body


class Fault(Enum):
    """Ways in which one call fails on the wire. The first four have no effect on the service."""

    RESET = "the connection is reset before anything is done"
    HANG = "nothing is done and no answer comes"
    GARBAGE = "nothing is done, and the answer of 200 is no document of this protocol"
    NO_HTTP = "nothing is done, and the answer is no HTTP"
    LOST = "the call has its effect, the connection is reset instead of an answer"
    LATE = "the call has its effect, no answer comes"
    HALF = "the call has its effect, the answer breaks off"
    DOUBLED = "the call has its effect, the answer comes twice"


class Refusal(NamedTuple):
    """Or the service itself says no; how that looks on the wire is the service's affair."""

    code: str
    status: int = 400


class PartOf(NamedTuple):
    """Or the first entry of a batch fails, with this code."""

    code: str
    sender: bool = False


Plan = Callable[[str, int], "Fault | Refusal | PartOf | None"]
"""Operation and the number of its call, from 1 on -> what is to go wrong with it."""


class Service:
    """What a stand-in knows of its protocol; the server asks it, from many threads."""

    def operation(self, request: Request) -> str:
        """The name of the operation that is asked for."""
        raise NotImplementedError

    def answer(self, operation: str, request: Request) -> Answer:
        """Do it."""
        raise NotImplementedError

    def refuse(self, refusal: Refusal) -> Answer:
        """The answer of the service that says no."""
        raise NotImplementedError

    def answer_in_part(self, operation: str, request: Request, part: PartOf) -> Answer:
        """Do it for all entries of a batch but the first."""
        raise NotImplementedError

    def closing(self) -> None:
        """Nobody is to wait any more."""


class StandIn:
    """Serves one service on a port of the loopback."""

    def __init__(self, service: Service, port: int = 0) -> None:
        self.service = service
        self.port = port
        self.plan: Plan = lambda _operation, _number: None
        self.calls: Counter[str] = Counter()
        """How often each operation was asked for, failures included."""
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stopped = threading.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        listener = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.port = listener.getsockname()[1]
        self._stopped = threading.Event()
        self._listener = listener
        self._spawn(self._accept, listener, self._stopped)

    def stop(self) -> None:
        """Cut all connections, also those that have a call in work; what was done is kept."""
        self._stopped.set()
        self.service.closing()
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            threads, self._threads = self._threads, []
            for connection in self._connections:
                _cut(connection)
        for thread in threads:
            thread.join(10)

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with self._lock:
            self._threads = [each for each in self._threads if each.is_alive()]
            thread.start()
            self._threads.append(thread)

    def _accept(self, listener: socket.socket, stopped: threading.Event) -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._serve, connection, stopped)

    def _serve(self, connection: socket.socket, stopped: threading.Event) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            rest = b""
            while not stopped.is_set():
                request, rest = _read(connection, rest)
                if request is None or not self._take(connection, request, stopped):
                    return
        except OSError:
            pass
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _take(self, connection: socket.socket, request: Request, stopped: threading.Event) -> bool:
        """Answer one request, or do not; whether the connection goes on."""
        operation = self.service.operation(request)
        with self._lock:
            self.calls[operation] += 1
            number = self.calls[operation]
        wrong = self.plan(operation, number)
        if isinstance(wrong, Fault):
            return self._fail(wrong, connection, operation, request, stopped)
        match wrong:
            case None:
                answer = self.service.answer(operation, request)
            case Refusal():
                answer = self.service.refuse(wrong)
            case PartOf():
                answer = self.service.answer_in_part(operation, request, wrong)
        if stopped.is_set():
            return False
        connection.sendall(answer.encoded())
        return request.headers.get("connection", "").lower() != "close"

    def _fail(
        self,
        fault: Fault,
        connection: socket.socket,
        operation: str,
        request: Request,
        stopped: threading.Event,
    ) -> bool:
        answer = Answer(200)
        if fault in {Fault.LOST, Fault.LATE, Fault.HALF, Fault.DOUBLED}:
            answer = self.service.answer(operation, request)
        match fault:
            case Fault.RESET | Fault.LOST:
                _cut(connection)
            case Fault.HANG | Fault.LATE:
                self._hang(connection, stopped)
            case Fault.GARBAGE:
                connection.sendall(Answer(200, b"<html>It works!</html>").encoded())
                return True
            case Fault.NO_HTTP:
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
            case Fault.HALF:
                encoded = answer.encoded()
                connection.sendall(encoded[: max(1, len(encoded) - 2)])
            case Fault.DOUBLED:
                connection.sendall(answer.encoded() * 2)
                return True
        return False

    def _hang(self, connection: socket.socket, stopped: threading.Event) -> None:
        """Until the other side gives up, or this one stops."""
        connection.settimeout(0.1)
        for _ in range(int(_MOST_HANGING_SECONDS / 0.1)):
            if stopped.is_set():
                return
            with suppress(TimeoutError):
                if not connection.recv(1):
                    return


def _read(connection: socket.socket, rest: bytes) -> tuple[Request | None, bytes]:
    """The next request, and what came after it; None where the other side has gone."""
    while (end := rest.find(b"\r\n\r\n")) < 0:
        chunk = connection.recv(65_536)
        if not chunk:
            return None, b""
        rest += chunk
    first, *lines = rest[:end].decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    length = int(headers.get("content-length", 0))
    body = rest[end + 4 :]
    if len(body) < length:
        parts, missing = [body], length - len(body)
        while missing > 0:
            chunk = connection.recv(max(65_536, missing))
            if not chunk:
                return None, b""
            parts.append(chunk)
            missing -= len(chunk)
        body = b"".join(parts)
    return Request(method, path, headers, body[:length]), body[length:]


def _cut(connection: socket.socket) -> None:
    """A reset rather than an end. Waking whoever reads it needs the shutdown."""
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RD)
