"""From the acceptance of a webhook to its notification at the sink, as somebody outside sees it.

The sender posts on a kept connection; the clock of a message runs from the moment it is sent until
the receiver has read the notification of its execution's end.
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.benchmarks.load import PASS_CHAIN
from tests.benchmarks.report import Line
from tests.e2e.process import DaemonProcess, free_port, until

WORK = "accept -> notification, webhook to webhook"
IDLE_MESSAGES, LOADED_MESSAGES = 200, 2_000
_LOAD_SENDERS = 4


class Receiver:
    """A sink that answers 204 at once, and remembers when it heard of which execution."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            while reader.readline():
                length = 0
                while (line := reader.readline().lower()) not in {b"\r\n", b""}:
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                event = json.loads(reader.read(length))
                self.heard[event["detail"]["name"]] = time.perf_counter()
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def notification(folder: Path) -> list[Line]:
    """Idle: one message at a time. At half load: paced at half of what the same path can take."""
    receiver = Receiver()
    with _daemon(folder, receiver.port) as port:
        _send(port, "warm", 50, 0.0)
        idle = _times(receiver, _send(port, "idle", IDLE_MESSAGES, 0.02))
        began = time.perf_counter()
        _times(receiver, _send_together(port, "full", 0.0))
        rate = LOADED_MESSAGES / (time.perf_counter() - began)
        pace = _LOAD_SENDERS / (rate / 2)
        loaded = _times(receiver, _send_together(port, "half", pace))
    receiver.close()
    return [
        *_lines("idle", idle, ""),
        *_lines("half load", loaded, f"{rate / 2:,.0f} messages/s"),
        Line(WORK, "as much as it takes", rate, "messages/s"),
    ]


def _lines(when: str, times: list[float], beside: str) -> list[Line]:
    times.sort()
    middle, late = times[len(times) // 2], times[-max(1, len(times) // 100)]
    return [
        Line(WORK, f"{when}, p50", middle * 1000, "ms", beside),
        Line(WORK, f"{when}, p99", late * 1000, "ms", beside),
    ]


def _send_together(port: int, prefix: str, pace_seconds: float) -> dict[str, float]:
    """The load from several senders; when each message was sent, by the execution's name."""
    sent: dict[str, float] = {}
    each = LOADED_MESSAGES // _LOAD_SENDERS
    threads = [
        threading.Thread(
            target=lambda n=n: sent.update(_send(port, f"{prefix}{n}", each, pace_seconds))
        )
        for n in range(_LOAD_SENDERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sent


def _send(port: int, prefix: str, messages: int, pace_seconds: float) -> dict[str, float]:
    """One sender, a message each ``pace_seconds``; when each was sent, by the execution's name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent: dict[str, float] = {}
    due = time.perf_counter()
    for number in range(messages):
        due += pace_seconds
        time.sleep(max(0.0, due - time.perf_counter()))
        name = f"{prefix}-{number}"
        sent[name] = time.perf_counter()
        body = json.dumps({"id": name})
        connection.request("POST", "/in", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 202:
            raise RuntimeError(f"the webhook answered {answer.status} {answer.read()!r}")
        answer.read()
    connection.close()
    return sent


def _times(receiver: Receiver, sent: dict[str, float]) -> list[float]:
    """Seconds from the sending until the receiver heard, for each."""
    until(lambda: sent.keys() <= receiver.heard.keys(), 60, "all notifications have come")
    return [receiver.heard[name] - at for name, at in sent.items()]


@contextmanager
def _daemon(folder: Path, sink_port: int) -> Iterator[int]:
    """The daemon on an empty database; the port of its webhooks."""
    folder.mkdir(exist_ok=True)
    port, hooks = free_port(), free_port()
    (folder / "chain.asl.json").write_text(json.dumps(PASS_CHAIN))
    config = folder / "latency.yaml"
    sink = f'to: {{ type: webhook, url: "http://127.0.0.1:{sink_port}/out", allow_private: true }}'
    config.write_text(
        f'store: {{ path: latency.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n'
        f'hooks: {{ listen: "127.0.0.1:{hooks}" }}\n'
        "machines: { chain: { definition: chain.asl.json } }\n"
        "triggers:\n  in: { source: { type: webhook, path: /in }, start: chain, name: $.body.id }\n"
        f"sinks: {{ out: {{ {sink} }} }}\n"
    )
    with DaemonProcess(config, port):
        yield hooks
