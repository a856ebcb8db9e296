"""The mixed load: who starts what, at which pace, and how each of them is to end."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from uuid import uuid4

import httpx

from tests.benchmarks.load import Connection
from tests.soak.world import ACTIVITY, MACHINE, World

PAD = "x" * 200
LARGE = "y" * 20_000
"""A document that gets a row of its own."""
LISTED = 100


class Load:
    """Threads that keep a pace until they are told to stop; what each was promised is kept."""

    def __init__(self, world: World, rate: float) -> None:
        """``rate``: starts per second, of all kinds together."""
        self._world = world
        self._stop = threading.Event()
        self._rate = rate
        self.expected: dict[str, str] = {}
        """The status with which everything that was accepted is to end, by name."""
        self.failures: list[str] = []
        """What a client could not do."""
        self.calls = 0
        kinds = (self._start_chain, self._start_items, self._start_work, self._hook, self._topic)
        self._threads = [
            *(threading.Thread(target=self._pace, args=(k, rate / len(kinds))) for k in kinds),
            threading.Thread(target=self._pace, args=(self._look, 2.0)),
            threading.Thread(target=self._pace, args=(self._poll_in_vain, 1.0)),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what has begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        left = self._world.producer.flush(30)
        if left:
            self.failures.append(f"{left} records were not written to the topic")

    def _pace(self, act: Callable[[Connection], None], rate: float) -> None:
        client, due = Connection(self._world.daemon.url), time.monotonic()
        while not self._stop.is_set():
            try:
                act(client)
                self.calls += 1
            except Exception as error:
                self.failures.append(f"{act.__name__}: {type(error).__name__} {error}")
                client.close()
            if random.random() < 0.01:
                client.close()  # Connections come and go.
            due = max(due + random.expovariate(rate), time.monotonic() - 1)
            self._stop.wait(max(due - time.monotonic(), 0))
        client.close()

    def _started(self, client: Connection, machine: str, document: dict, status: str) -> None:
        name = str(uuid4())
        document = {"id": name, "pad": PAD, **document}
        client.call(
            "StartExecution",
            stateMachineArn=MACHINE + machine,
            name=name,
            input=json.dumps(document),
        )
        self.expected[name] = status

    def _start_chain(self, client: Connection) -> None:
        large = {"large": LARGE} if random.random() < 0.1 else {}
        self._started(client, "chain", large, "SUCCEEDED")

    def _start_items(self, client: Connection) -> None:
        items = [{"n": n} for n in range(random.randrange(30))]
        self._started(client, "items", {"items": items}, "SUCCEEDED")

    def _start_work(self, client: Connection) -> None:
        """One in three is retried, one in nine fails in the end."""
        fail_until = random.choice((0, 0, 0, 0, 0, 0, 1, 2, 99))
        status = "FAILED" if fail_until > 2 else "SUCCEEDED"
        self._started(client, "work", {"fail_until": fail_until}, status)

    def _hook(self, _client: Connection) -> None:
        name = str(uuid4())
        body = {"id": name, "rest": random.randrange(3), "pad": PAD}
        httpx.post(self._world.hook, json=body, timeout=30).raise_for_status()
        self.expected[name] = "SUCCEEDED"

    def _topic(self, _client: Connection) -> None:
        name = str(uuid4())
        self._world.producer.produce("soak", json.dumps({"id": name, "pad": PAD}).encode())
        self._world.producer.poll(0)
        self.expected[name] = "SUCCEEDED"

    def _look(self, client: Connection) -> None:
        """What people and their monitors look at."""
        listed = client.call("ListExecutions", stateMachineArn=MACHINE + "work", maxResults=LISTED)[
            "executions"
        ]
        for row in random.sample(listed, min(3, len(listed))):
            try:
                client.call("DescribeExecution", executionArn=row["executionArn"])
                client.call("GetExecutionHistory", executionArn=row["executionArn"])
            except RuntimeError as error:
                if "ExecutionDoesNotExist" not in str(error):
                    raise
        for page in ("healthz", "metrics"):
            httpx.get(f"{self._world.daemon.url}/{page}", timeout=30).raise_for_status()

    def _poll_in_vain(self, _client: Connection) -> None:
        """A poller that hangs up before it is given anything (or with a task on its way)."""
        poll = httpx.Timeout(30, read=0.2)
        with httpx.Client(timeout=poll) as client:
            try:
                answer = client.post(
                    f"{self._world.daemon.url}/",
                    json={"activityArn": ACTIVITY},
                    headers={
                        "x-amz-target": "AWSStepFunctions.GetActivityTask",
                        "content-type": "application/x-amz-json-1.0",
                    },
                )
            except httpx.ReadTimeout:
                return
        task = answer.raise_for_status().json()
        if "taskToken" in task:
            self._answer(task)

    def _answer(self, task: dict[str, str]) -> None:
        asked = json.loads(task["input"])
        own = Connection(self._world.daemon.url)
        if asked["retries"] < asked["fail_until"]:
            own.call("SendTaskFailure", taskToken=task["taskToken"], error="Moody", cause="x")
        else:
            own.call("SendTaskSuccess", taskToken=task["taskToken"], output=task["input"])
        own.close()
