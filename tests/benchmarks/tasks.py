"""Tasks that the daemon calls: a thousand slow ones at once, and what a quick one costs."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.benchmarks.load import Connection
from tests.benchmarks.process_cost import cpu_seconds, memory
from tests.benchmarks.report import Line
from tests.e2e.process import DaemonProcess, free_port, until

TASKS = 1000
ROWS = 40
ROUNDS = 4
BODY = '{"order":"o-1","drink":"mocha","cups":1}'


@contextmanager
def far_side() -> Iterator[int]:
    """The port of a server that answers."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.answering", str(port)]
    process = subprocess.Popen(command)
    try:
        until(lambda: _answers(port), 30, "the far side answers")
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    try:
        return httpx.post(f"http://127.0.0.1:{port}/0", content=b"1").status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def stategate(folder: Path, far: int) -> Iterator[DaemonProcess]:
    """The daemon with two functions there: one takes a second, the other no time."""
    port = free_port()
    config = folder / "tasks.yaml"
    functions = "".join(
        f'  {name}: {{ type: http, url: "http://127.0.0.1:{far}/{seconds}",'
        " allow_private: true }\n"
        for name, seconds in (("slow", 1), ("quick", 0))
    )
    config.write_text(
        f'store: {{ path: bench.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n'
        f"functions:\n{functions}"
    )
    with DaemonProcess(config, port) as daemon:
        yield daemon


def tasks(folder: Path) -> list[Line]:
    """A Map of Maps over 1,000 items, each a call."""
    work = "1,000 tasks of 1 s at once"
    with far_side() as far:
        with stategate(folder, far) as daemon:
            client = Connection(daemon.url)
            _run(client, "quick", ROWS)
            before, highest = memory(daemon.pid)["Rss"], _Highest(daemon.pid)
            with highest:
                seconds = _run(client, "slow", TASKS)
            spent = cpu_seconds(daemon.pid)
            for _ in range(ROUNDS):
                _run(client, "quick", TASKS)
            each = (cpu_seconds(daemon.pid) - spent) / (ROUNDS * TASKS)
            client.close()
        bare = _bare(far)
        through_httpx = _through_httpx(far)
    more = f"{highest.mebibytes - before:.0f} MiB more at the most than at rest"
    cost = "a task over HTTP: the daemon's CPU"
    return [
        Line(work, "Stategate, durable", seconds, "s", more),
        Line(cost, "start, call, result, two commits", each * 1e6, "µs/task"),
        Line(cost, "http.client alone", bare * 1e6, "µs/call", f"{each / bare:.1f} x"),
        Line(cost, "httpx alone", through_httpx * 1e6, "µs/call", f"{each / through_httpx:.1f} x"),
    ]


def _run(client: Connection, function: str, count: int) -> float:
    """Seconds of an execution that calls the function so often at once."""
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}"
    inner = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": arn, "End": True}}}
    # An inline Map runs forty iterations at a time.
    below = {"Type": "Map", "ItemProcessor": inner, "End": True}
    outer = {"StartAt": "I", "States": {"I": below}}
    states = {"M": {"Type": "Map", "ItemProcessor": outer, "End": True}}
    made = client.call(
        "CreateStateMachine",
        name=function,
        roleArn="arn:aws:iam::123456789012:role/bench",
        definition=json.dumps({"StartAt": "M", "States": states}),
    )
    began = time.perf_counter()
    row = f"[{','.join([BODY] * (count // ROWS))}]"
    given = f"[{','.join([row] * ROWS)}]"
    started = client.call("StartExecution", stateMachineArn=made["stateMachineArn"], input=given)
    while True:
        told = client.call("DescribeExecution", executionArn=started["executionArn"])
        if told["status"] != "RUNNING":
            assert told["status"] == "SUCCEEDED", told
            return time.perf_counter() - began
        time.sleep(0.01)


def _bare(far: int) -> float:
    """CPU of a call by the standard library, over one connection."""
    client = http.client.HTTPConnection("127.0.0.1", far)
    began = time.process_time()
    for _ in range(TASKS):
        client.request("POST", "/0", BODY, {"Content-Type": "application/json"})
        client.getresponse().read()
    spent = time.process_time() - began
    client.close()
    return spent / TASKS


def _through_httpx(far: int) -> float:
    with httpx.Client() as client:
        began = time.process_time()
        for _ in range(TASKS):
            client.post(f"http://127.0.0.1:{far}/0", content=BODY)
        return (time.process_time() - began) / TASKS


class _Highest:
    """The most memory that a process has while the block runs, looked at ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.mebibytes = 0.0

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.mebibytes = max(self.mebibytes, memory(self._pid)["Rss"])

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
