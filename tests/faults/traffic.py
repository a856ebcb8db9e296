"""Work for the daemon, with a ledger of what it promised: orders that come in by webhook and by
StartExecution, one worker, one sink. Everybody tries again until they are answered."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.clients import ARN, machine
from tests.e2e.process import DaemonProcess, free_port
from tests.e2e.receiver import Receiver

CONFIG = """
store: {{ path: disk/faults.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
grace: 5s
activities: {{ work: {{}} }}
machines: {{ order: {{ definition: order.asl.json }} }}
triggers:
  hook: {{ source: {{ type: webhook, path: /in }}, start: order, name: $.body.id }}
sinks:
  told:
    to: {{ type: webhook, url: "{sink}", allow_private: true }}
    retry: {{ first: 50ms, factor: 1, max: 50ms }}
"""
# The wait is a row that outlives the daemon; the input is a document of its own.
NAMED = {"Parameters": {"name.$": "$$.Execution.Name"}}
AGAIN = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 99, "BackoffRate": 1}]
# A hand-out that a kill cuts off stays with a worker that knows nothing of it until its time is up.
LIMITS = {"TimeoutSeconds": 3, "Retry": AGAIN}
TASK = {"Type": "Task", "Resource": f"{ARN}:activity:work", **NAMED, **LIMITS}
# The wait is a row that outlives the daemon.
ORDER = machine(
    Work={**TASK, "Next": "Rest"},
    Rest={"Type": "Wait", "Seconds": 1, "Next": "Done"},
    Done={"Type": "Succeed"},
)
MACHINE = f"{ARN}:stateMachine:order"
ACTIVITY = f"{ARN}:activity:work"
FILLING = "x" * 5_000
"""Enough for a document of its own."""
PAUSE_SECONDS = 0.02
ANSWERED = {200, 202}
OVER = {"TaskTimedOut", "InvalidToken", "TaskDoesNotExist"}
"""What the API says of a task that is over: by its timeout, or by an earlier try of ours."""


class Traffic:
    """Runs in threads of its own until its end; ``flowing`` clear = nothing new comes in."""

    def __init__(self, daemon: DaemonProcess, hooks: str, receiver: Receiver) -> None:
        self.daemon = daemon
        self.receiver = receiver
        self.started: dict[str, int] = {}
        """Names whose start was acknowledged, with how often it was sent."""
        self.answered: set[str] = set()
        """Those whose worker's answer was acknowledged."""
        self.asked_again: list[str] = []
        """Those of which a worker was asked again after that."""
        self.flowing = threading.Event()
        self.filling = FILLING
        self._sent = 0
        self._hooks = hooks
        self._ended = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._guarded, args=(target,))
            for target in (self._send_webhooks, self._send_starts, self._work)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def promises(self) -> int:
        """How much was acknowledged up to now. AssertionError where the traffic itself broke."""
        assert not self._errors, self._errors
        return len(self.started)

    @property
    def idle(self) -> bool:
        """Whether nobody waits for a start to be acknowledged."""
        return self.promises == self._sent

    def end(self) -> None:
        """Nothing new is sent."""
        self._ended.set()
        self.flowing.set()

    def join(self) -> None:
        """Wait for the threads; a poll of theirs ends with the daemon."""
        for thread in self._threads:
            thread.join(90)
        assert not self._errors, self._errors

    # ------------------------------------------------------------------------ in the threads

    def _guarded(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as error:
            self._errors.append(error)

    def _names(self, prefix: str) -> Iterator[str]:
        while not self._ended.is_set():
            self.flowing.wait()
            if not self._ended.is_set():
                self._sent += 1
                yield f"{prefix}-{self._sent}"

    def _send_webhooks(self) -> None:
        for name in self._names("hook"):
            self._promised(name, partial(self._post, {"id": name, "filling": self.filling}))

    def _send_starts(self) -> None:
        for name in self._names("start"):
            request = {"stateMachineArn": MACHINE, "name": name, "input": json.dumps(self.filling)}
            self._promised(name, partial(self._call, "StartExecution", request))

    def _post(self, body: dict[str, str], client: httpx.Client) -> httpx.Response:
        return client.post(self._hooks, json=body)

    def _call(
        self, operation: str, request: dict[str, Any], client: httpx.Client
    ) -> httpx.Response:
        return call(client, self.daemon.url, operation, request)

    def _promised(self, name: str, send: Callable[[httpx.Client], httpx.Response]) -> None:
        tries = 0
        with httpx.Client(timeout=60) as client:
            while not self._ended.is_set():
                tries += 1
                answer = attempt(client, send)
                exists = answer is not None and error_code(answer) == "ExecutionAlreadyExists"
                if answer is not None and (answer.status_code in ANSWERED or exists):
                    self.started[name] = tries
                    return
                assert answer is None or answer.status_code >= 500, answer.text
                self._ended.wait(PAUSE_SECONDS)

    def _work(self) -> None:
        with httpx.Client(timeout=90) as client:
            while not self._ended.is_set():
                asked = {"activityArn": ACTIVITY, "workerName": "only"}
                got = attempt(client, partial(self._call, "GetActivityTask", asked))
                if got is not None and got.status_code == 200 and got.json().get("taskToken"):
                    self._answer(client, got.json())
                elif got is None or got.status_code != 200:
                    self._ended.wait(PAUSE_SECONDS)

    def _answer(self, client: httpx.Client, task: dict[str, Any]) -> None:
        name = json.loads(task["input"])["name"]
        if name in self.answered:
            self.asked_again.append(name)
        success = {"taskToken": task["taskToken"], "output": json.dumps(name)}
        while not self._ended.is_set():
            told = attempt(client, partial(self._call, "SendTaskSuccess", success))
            if told is not None and told.status_code == 200:
                self.answered.add(name)
                return
            if told is not None and error_code(told) in OVER:
                return
            assert told is None or told.status_code >= 500, told.text
            self._ended.wait(PAUSE_SECONDS)


def call(client: httpx.Client, url: str, operation: str, request: dict[str, Any]) -> httpx.Response:
    """One operation of Step Functions, unsigned."""
    headers = {
        "X-Amz-Target": f"AWSStepFunctions.{operation}",
        "Content-Type": "application/x-amz-json-1.0",
    }
    return client.post(url, content=json.dumps(request), headers=headers)


def attempt(
    client: httpx.Client, send: Callable[[httpx.Client], httpx.Response]
) -> httpx.Response | None:
    """The answer, or None where none came."""
    try:
        return send(client)
    except httpx.TransportError:
        return None


def error_code(answer: httpx.Response) -> str:
    """AWS's code of a refusal, "" where it is none."""
    if answer.status_code == 200:
        return ""
    found = answer.json()
    return str(found.get("__type", "")).rpartition("#")[2] if isinstance(found, dict) else ""


@contextmanager
def traffic(directory: Path, environment: dict[str, str]) -> Iterator[Traffic]:
    """A daemon whose database is ``disk/faults.db``, not started yet, and its traffic."""
    (directory / "order.asl.json").write_text(ORDER)
    (directory / "disk").mkdir()
    api, hooks = free_port(), free_port()
    config = directory / "faults.yaml"
    with Receiver() as receiver:
        config.write_text(CONFIG.format(api=api, hooks=hooks, sink=receiver.url))
        daemon = DaemonProcess(config, api, environment)
        running = Traffic(daemon, f"http://127.0.0.1:{hooks}/in", receiver)
        try:
            yield running
        finally:
            running.end()
            daemon.__exit__()
            running.join()
