"""What the demo shows: one line for each thing that happens, in the order in which it is seen."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import httpx
from rich.console import Console
from rich.text import Text

from gateway.cli.demo.stand_ins import KEYS

if TYPE_CHECKING:
    from gateway.cli.demo.stand_ins import Heard

MACHINE: Final = "arn:aws:states:us-east-1:123456789012:stateMachine:fulfil"
STYLES: Final = {
    "sqs": "magenta",
    "kafka": "magenta",
    "webhook": "magenta",
    "execution": "cyan",
    "worker": "yellow",
    "killed": "bold red",
    "told": "green",
    "demo": "bold",
}
_SHOWN: Final = {
    "ActivityStarted": "worker",
    "ActivityTimedOut": "worker",
    "ActivitySucceeded": "worker",
    "ExecutionStarted": "execution",
    "ExecutionSucceeded": "execution",
    "ExecutionFailed": "execution",
}


class Story:
    """Looks at the executions, hears the notifications, kills a worker, and tells all of it."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._url = ""
        self._api: Any = None
        self._seen: dict[str, int] = {}
        self._told: dict[str, set[str]] = {}
        self._killed = False
        self.arrived: SimpleQueue[Heard] = SimpleQueue()
        """What the webhook's stand-in has heard and nobody has told yet."""

    # --------------------------------------------------------------------- telling
    def say(self, channel: str, order: str, text: str) -> None:
        """One line."""
        at = time.monotonic() - self._began
        line = Text.assemble(
            (f"{at:6.2f} s  ", "dim"), (f"{channel:<10}", STYLES.get(channel, "")),
            (f"{order:<12}", "bold"), text,
        )  # fmt: skip
        with self._lock:
            self._console.print(line, soft_wrap=True)

    def open(self, url: str) -> None:
        """The daemon is there."""
        import boto3

        self._url = url
        self._api = boto3.client("stepfunctions", endpoint_url=url, **KEYS)
        self.say("demo", "", f"the daemon is ready at {url}: SQS, Kafka and webhook -> machine")
        self.say("demo", "", "  `fulfil` with two activity workers -> SNS and webhook")

    def close(self, problem: str | None, folder: str) -> None:
        """How it ended."""
        if problem is not None:
            self.say("demo", "", f"FAILED: {problem}")
            with open(f"{folder}/daemon.log") as log:  # noqa: PTH123 - the folder is a string
                self._console.print(log.read(), markup=False)
            return
        told = sum(map(len, self._told.values()))
        self.say(
            "demo", "",
            f"done: 7 messages, {len(self._told)} executions, {told} notifications, "
            "one worker killed, nothing lost",
        )  # fmt: skip

    # -------------------------------------------------------------------- watching
    def take_arrived(self) -> Iterator[Heard]:
        """What has arrived since this was asked last."""
        with suppress(Empty):
            while True:
                yield self.arrived.get_nowait()

    def hear(self, heard: Heard) -> None:
        """A notification has arrived at a stand-in."""
        sink, event = heard
        name = event["detail"]["name"]
        self._told.setdefault(name, set()).add(sink)
        self.say("told", name, f"{sink} heard {event['detail']['status']}")

    def through(self) -> set[str]:
        """The executions of which both sinks have heard."""
        return {name for name, sinks in list(self._told.items()) if len(sinks) == 2}

    def look(self) -> None:
        """Tell what has happened to the executions since the last look."""
        listed = self._api.list_executions(stateMachineArn=MACHINE)["executions"]
        for execution in reversed(listed):
            arn, name = execution["executionArn"], execution["name"]
            events = self._api.get_execution_history(executionArn=arn)["events"]
            for event in events[self._seen.get(arn, 0) :]:
                self._tell(name, event)
            self._seen[arn] = len(events)

    def _tell(self, name: str, event: dict[str, Any]) -> None:
        kind = event["type"]
        if kind.endswith("StateEntered"):
            self.say("execution", name, f"-> {event['stateEnteredEventDetails']['name']}")
        elif kind in _SHOWN:
            self.say(_SHOWN[kind], name, _words(event))
        if kind == "ActivityStarted" and not self._killed:
            self._kill(name, event["activityStartedEventDetails"].get("workerName", ""))

    def _kill(self, name: str, worker: str) -> None:
        """The first worker that has a task in hand dies in the middle of it."""
        groups = httpx.get(f"{self._url}/healthz").json()["workers"].values()
        processes = {each["name"]: each["pid"] for group in groups for each in group["processes"]}
        if processes.get(worker) is not None:
            self._killed = True
            os.kill(processes[worker], signal.SIGKILL)
            self.say("killed", name, f"kill -9 of {worker} in the middle of its task")

    def invite(self, url: str, hooks_port: int, environment: dict[str, str]) -> None:
        """What to try while it keeps running."""
        order = '\'{"id": 2001, "items": ["kite"]}\''
        for line in (
            "",
            "It keeps running; Ctrl-C ends it. To try, in another terminal:",
            "",
            f"  export PATH={Path(sys.executable).parent}:$PATH",
            f"  curl --json {order} http://127.0.0.1:{hooks_port}/orders",
            f"  curl {url}/healthz",
            f"  stategate executions --endpoint {url}",
            f"  aws stepfunctions list-state-machines --endpoint-url {url} --no-sign-request "
            "--region us-east-1",
            f"  aws sqs send-message --endpoint-url {environment['AWS_ENDPOINT_URL']} "
            f"--no-sign-request --region us-east-1 \\\n"
            f"      --queue-url {environment['ORDERS_QUEUE_URL']} --message-body {order}",
            f"  python -c \"import boto3; print(boto3.client('stepfunctions', "
            f"endpoint_url='{url}', region_name='us-east-1', aws_access_key_id='x', "
            f"aws_secret_access_key='x').list_executions(stateMachineArn='{MACHINE}'))\"",
        ):
            self._console.print(line, markup=False, soft_wrap=True)


def _words(event: dict[str, Any]) -> str:
    match event["type"]:
        case "ActivityStarted":
            worker = event["activityStartedEventDetails"].get("workerName", "a worker")
            return f"handed to {worker}"
        case "ActivityTimedOut":
            return "no heartbeat any more: the task times out, Retry hands it on"
        case "ActivitySucceeded":
            return "the worker has answered"
        case "ExecutionFailed":
            details = event["executionFailedEventDetails"]
            return f"failed: {details.get('error')}: {details.get('cause')}"
        case "ExecutionStarted":
            return "started"
        case _:
            return "succeeded"
