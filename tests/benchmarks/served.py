"""Over HTTP, with the same driver: Stategate as a process, and the peers that are at hand."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.benchmarks.load import Connection, Script, chain_rate, machine, together
from tests.benchmarks.process_cost import cpu_seconds, memory
from tests.benchmarks.report import Line
from tests.e2e.process import DaemonProcess, free_port, until

REST_SECONDS = 10.0
ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"


@contextmanager
def stategate(folder: Path) -> Iterator[DaemonProcess]:
    """The daemon on an empty database."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    config = folder / "bench.yaml"
    text = f'store: {{ path: bench.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n'
    config.write_text(text + "activities: { work: {} }\n")
    with DaemonProcess(config, port) as daemon:
        yield daemon


@contextmanager
def moto() -> Iterator[str]:
    """moto's server, its state machines interpreted."""
    port = free_port()
    command = [str(Path(sys.executable).parent / "moto_server"), "-p", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url), 30, "moto answers")
        settings = {"stepfunctions": {"execute_state_machine": True}}
        httpx.post(f"{url}/moto-api/config", json=settings).raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def stepfunctions_local(folder: Path) -> Iterator[str | None]:
    """The npm package of that name, installed for the occasion; None where there is no npm."""
    npm = shutil.which("npm")
    if npm is None:
        yield None
        return
    folder.mkdir(exist_ok=True)
    options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(folder)]
    subprocess.run([npm, "install", *options, "stepfunctions-local"], check=True)
    port = free_port()
    command = [str(folder / "node_modules/.bin/stepfunctions-local"), "start", "--port", str(port)]
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url), 30, "stepfunctions-local answers")
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code < 500
    except httpx.TransportError:
        return False


def chain(folder: Path) -> list[Line]:
    """W1: ten Pass states, eight clients."""
    work = "W1 over HTTP, 8 clients"
    peers = {}
    with stategate(folder / "chain") as daemon:
        spent = cpu_seconds(daemon.pid)
        ours = chain_rate(daemon.url, 8000)
        each = (cpu_seconds(daemon.pid) - spent) / 8000
    with moto() as url:
        peers["moto, in memory"] = chain_rate(url, 200)
    with stepfunctions_local(folder / "npm") as local:
        if local is not None:
            peers["stepfunctions-local, in memory"] = chain_rate(local, 800)
    return [
        Line(work, "Stategate, durable", ours, "executions/s", f"{ours * 10:,.0f} transitions/s"),
        Line(work, "the daemon's CPU", each * 1e6, "µs/execution"),
        *(
            Line(work, who, rate, "executions/s", f"Stategate: {ours / rate:.1f} x")
            for who, rate in peers.items()
        ),
    ]


def big_map(folder: Path) -> list[Line]:
    """W2: an inline Map over 1,000 items."""
    inner = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    definition = {"StartAt": "M", "States": {"M": {"Type": "Map", "Iterator": inner, "End": True}}}
    with stategate(folder / "map") as daemon:
        arn = machine(daemon.url, "map", definition)
        client, best = Connection(daemon.url), float("inf")
        for n in range(3):
            began = time.perf_counter()
            started = client.call(
                "StartExecution", stateMachineArn=arn, name=f"m{n}", input=json.dumps([1] * 1000)
            )["executionArn"]
            while client.call("DescribeExecution", executionArn=started)["status"] == "RUNNING":
                time.sleep(0.002)
            best = min(best, time.perf_counter() - began)
        client.close()
    return [Line("W2: Map over 1,000 items", "Stategate, durable", best * 1000, "ms")]


def activity(folder: Path, rounds: int = 400, workers: int = 4) -> list[Line]:
    """W4: start, GetActivityTask, SendTaskSuccess, by four workers; the time of each round trip."""
    definition = {
        "StartAt": "T",
        "States": {"T": {"Type": "Task", "Resource": ACTIVITY, "End": True}},
    }
    took: list[float] = []

    def work(arn: str, names: list[str]) -> Script:
        for name in names:
            began = time.perf_counter()
            yield "StartExecution", {"stateMachineArn": arn, "name": name, "input": "{}"}
            task = yield "GetActivityTask", {"activityArn": ACTIVITY}
            yield "SendTaskSuccess", {"taskToken": task["taskToken"], "output": "{}"}
            took.append(time.perf_counter() - began)

    with stategate(folder / "activity") as daemon:
        arn = machine(daemon.url, "task", definition)
        names = [[f"{n}-{i}" for i in range(rounds)] for n in range(workers)]
        spent = cpu_seconds(daemon.pid)
        seconds = together(daemon.url, [work(arn, each) for each in names])
        spent = cpu_seconds(daemon.pid) - spent
    took.sort()
    rate = rounds * workers / seconds
    quantiles = (
        f"p50 {took[len(took) // 2] * 1000:.1f} ms, p99 {took[-len(took) // 100] * 1000:.1f} ms"
    )
    each = spent / (rounds * workers)
    return [
        Line("W4: start, poll, answer", "Stategate, durable", rate, "round trips/s", quantiles),
        Line("W4: start, poll, answer", "the daemon's CPU", each * 1e6, "µs/round trip"),
    ]


def idle(folder: Path) -> list[Line]:
    """Start-up and memory of a daemon that does nothing, compiled as an installed one is: the start
    that compiles it is not measured."""
    port = free_port()
    folder.mkdir(exist_ok=True)
    config = folder / "idle.yaml"
    config.write_text(f'store: {{ path: idle.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n')
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    daemon = DaemonProcess(config, port, compiled)
    with daemon:
        pass
    began = time.perf_counter()
    with daemon:
        seconds = time.perf_counter() - began
        spent = cpu_seconds(daemon.pid)
        found = memory(daemon.pid)
        time.sleep(REST_SECONDS)
        at_rest = (cpu_seconds(daemon.pid) - spent) / REST_SECONDS
    return [
        Line("idle: start until ready", "Stategate", seconds, "s", f"{spent:.2f} s of CPU"),
        Line("idle: memory", "Stategate", found["Rss"], "MiB", f"{found['Uss']:.0f} MiB its own"),
        Line("idle: CPU", "Stategate", at_rest * 100, "% of a core"),
    ]
