"""``stategate demo``: the main job before your eyes, on stand-ins, in about ten seconds."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from gateway.cli.demo.stand_ins import Cloud
    from gateway.cli.demo.story import Story

READY_SECONDS: Final = 30
LIMIT_SECONDS: Final = 120
FILES: Final = ("demo.yaml", "demo.asl.json", "picker.py")


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running afterwards, to play with.")
    ] = False,
) -> None:
    """Show the main job, on stand-ins of its own.

    Orders come in through a queue, a topic and a webhook, durable executions run, a worker is
    killed in the middle of a task, and completions go out. Takes about ten seconds and nothing but
    free ports of this machine.
    """
    from gateway.cli.demo.orders import send_orders
    from gateway.cli.demo.stand_ins import broker, cloud, receiver
    from gateway.cli.demo.story import Story

    # As Ctrl-C does: what it has started ends with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    story = Story()
    with (
        tempfile.TemporaryDirectory(prefix="stategate-demo-") as folder,
        cloud() as aws,
        broker() as (brokers, producer),
        receiver(story.arrived.put) as receiver_url,
    ):
        ports = _free_port(), _free_port()
        environment = _environment(aws, brokers, receiver_url, ports)
        with _daemon(Path(folder), environment, story) as url:
            story.open(url)
            wanted = send_orders(story, aws, producer, f"http://127.0.0.1:{ports[1]}/orders")
            problem = _watch(story, aws, wanted)
            story.close(problem, folder)
            if problem is None and keep:
                _play(story, aws, url, ports[1], environment)
    raise typer.Exit(0 if problem is None else 1)


def _environment(
    aws: Cloud, brokers: str, receiver_url: str, ports: tuple[int, int]
) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.endpoint,
        "ORDERS_QUEUE_URL": aws.orders_url,
        "COMPLETED_TOPIC_ARN": aws.topic_arn,
        "KAFKA_BROKERS": brokers,
        "RECEIVER_URL": receiver_url,
        "API_LISTEN": f"127.0.0.1:{ports[0]}",
        "HOOKS_LISTEN": f"127.0.0.1:{ports[1]}",
        # The workers are started as `python`: the one that runs this.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _daemon(folder: Path, environment: dict[str, str], story: Story) -> Iterator[str]:
    """The daemon as a process of its own, ready; stopped gracefully afterwards."""
    for name in FILES:
        shutil.copy(Path(__file__).parent / name, folder / name)
    log = folder / "daemon.log"
    command = [sys.executable, "-m", "gateway", "run", str(folder / "demo.yaml")]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    url = f"http://{environment['API_LISTEN']}"
    try:
        if not _ready(process, url):
            story.say("demo", "", f"the daemon did not get ready:\n{log.read_text()}")
            raise typer.Exit(1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _ready(process: subprocess.Popen[bytes], url: str) -> bool:
    import httpx

    deadline = time.monotonic() + READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/healthz").is_success:
                return True
        except httpx.TransportError:
            time.sleep(0.1)
    return False


def _watch(story: Story, aws: Cloud, wanted: set[str]) -> str | None:
    """Tell what happens until every order is through; the reason if one is not in time."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while missing := wanted - story.through():
        if time.monotonic() > deadline:
            return f"after {LIMIT_SECONDS} s nothing was heard of {', '.join(sorted(missing))}"
        _look(story, aws)
        time.sleep(0.1)
    return None


def _look(story: Story, aws: Cloud) -> None:
    # What is heard of an execution is told after what has happened to it, so it is taken first.
    heard = [*story.take_arrived(), *(("sns", event) for event in aws.heard())]
    story.look()
    for each in heard:
        story.hear(each)


def _play(story: Story, aws: Cloud, url: str, hooks_port: int, environment: dict[str, str]) -> None:
    story.invite(url, hooks_port, environment)
    try:
        while True:
            _look(story, aws)
            time.sleep(0.5)
    except KeyboardInterrupt:
        story.say("demo", "", "stopping")
