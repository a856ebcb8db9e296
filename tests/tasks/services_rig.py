"""An engine whose AWS is a server on loopback: moto's, or one that fails as a test wishes."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from gateway.daemon.own_api import serve_tasks
from gateway.daemon.tools import open_tools
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.store.memory import open_memory
from gateway.tasks.integrations import runners
from gateway.tasks.optimised import OptimisedServices
from tests.engine.rig import machine
from tests.stand_ins.server import Answer, PartOf, Refusal, Request, Service
from tests.stand_ins.sns import Sns

KEYS = {
    "AWS_ACCESS_KEY_ID": "any",
    "AWS_SECRET_ACCESS_KEY": "thing",
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
}


def clock() -> int:
    """Real sockets go with a real clock."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def engine_at(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    """An engine that finds every service of AWS at the URL, and itself as Step Functions."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": url}.items():
        monkeypatch.setenv(name, value)
    async with open_memory() as store, open_tools("us-east-1") as tools:
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _: None, clock, metrics)
        engine = Engine(store, catalog, outbox, clock, metrics, runners(tools))
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            with serve_tasks(engine, tools):
                yield engine
            nursery.cancel_scope.cancel()


def task(resource: str, parameters: Any = None, **more: Any) -> dict[str, Any]:
    """A Task state that ends its machine."""
    given = {} if parameters is None else {"Parameters": parameters}
    full = resource if resource.startswith("arn:") else f"arn:aws:states:::{resource}"
    return {"Type": "Task", "Resource": full, **given, "End": True, **more}


class Ended:
    """An execution that has ended."""

    def __init__(self, row: Any, events: list[dict[str, Any]]) -> None:
        self.row = row
        self.events = events

    @property
    def output(self) -> Any:
        """The document that it ended with; fails where it did not succeed."""
        assert self.row.status == "SUCCEEDED", (self.row.error, self.row.cause)
        return json.loads(self.row.output)

    @property
    def types(self) -> list[str]:
        """The types of its events."""
        return [event["type"] for event in self.events]


async def run(engine: Engine, *states: dict[str, Any], given: Any = None) -> Ended:
    """An execution of the states, one after the other."""
    names = [f"S{number}" for number in range(len(states))]
    linked = {
        name: {**{k: v for k, v in state.items() if k != "End"}, "Next": following}
        for name, state, following in zip(names, states, names[1:], strict=False)
    }
    text = machine(**linked, **{names[-1]: states[-1]})
    row, _ = await engine.catalog.create_machine(f"m{clock()}", text)
    done = trio.Event()
    engine.on_end.append(lambda ended: done.set() if ended.machine_arn == row.arn else None)
    started = await engine.start_execution(row.arn, "n", json.dumps(given or {}))
    with trio.fail_after(20):
        await done.wait()
    arn = started.row.arn
    return Ended(await engine.execution(arn), await engine.history(arn))


async def failure(engine: Engine, state: dict[str, Any], given: Any = None) -> tuple[str, str]:
    """Error and cause of a state, as a Catch for that very error is told."""
    ended = await run(engine, state, given=given)
    assert ended.row.status == "FAILED", ended.row.output
    error = str(ended.row.error)
    if error != "States.Runtime":
        catch = [{"ErrorEquals": [error], "Next": "S1"}]
        caught = await run(
            engine, {**state, "Catch": catch}, {"Type": "Pass", "End": True}, given=given
        )
        assert caught.output["Error"] == error
    return error, str(ended.row.cause)


class JsonService(Service):
    """A service of AWS's JSON protocol: every operation is answered with what the test says."""

    def __init__(self, reply: Callable[[Request], Any]) -> None:
        self._reply = reply
        self.requests: list[Request] = []

    def operation(self, request: Request) -> str:
        """As the header names it."""
        return request.headers.get("x-amz-target", "").rpartition(".")[2]

    def answer(self, operation: str, request: Request) -> Answer:
        """The document of the test."""
        self.requests.append(request)
        body = json.dumps(self._reply(request)).encode()
        return Answer(200, body, (("x-amzn-RequestId", "r-1"),))

    def refuse(self, refusal: Refusal) -> Answer:
        """An error of the service."""
        body = json.dumps({"__type": refusal.code, "message": "as wished"}).encode()
        return Answer(refusal.status, body, (("x-amzn-RequestId", "r-2"),))

    def answer_in_part(self, operation: str, request: Request, part: PartOf) -> Answer:
        """There are no batches here."""
        raise NotImplementedError


class AllServices(JsonService):
    """Every service at once; SNS has a protocol of its own."""

    def __init__(self, reply: Callable[[Request], Any]) -> None:
        super().__init__(reply)
        self._sns = Sns(lambda _topic, _message: None)

    def operation(self, request: Request) -> str:
        """As the header or the form names it."""
        return super().operation(request) or self._sns.operation(request)

    def answer(self, operation: str, request: Request) -> Answer:
        """The document of the test, or what SNS says to each message."""
        answer = super().answer(operation, request)
        return self._sns.answer(operation, request) if operation == "Publish" else answer


def optimised_calls(url: str) -> dict[str, dict[str, Any]]:
    """Parameters for each action that AWS integrates by itself, by Resource."""
    item = {"TableName": "scores", "Key": {"id": {"S": "o1"}}}
    entry = {"Detail": {"a": 1}, "DetailType": "t", "Source": "shop"}
    calls: dict[str, dict[str, Any]] = {
        "sqs:sendMessage": {"QueueUrl": f"{url}/1/inbox", "MessageBody": "hello"},
        "sns:publish": {"TopicArn": "arn:aws:sns:us-east-1:123456789012:news", "Message": "x"},
        "dynamodb:getItem": item,
        "dynamodb:putItem": {"TableName": "scores", "Item": item["Key"]},
        "dynamodb:updateItem": {**item, "UpdateExpression": "SET n = 1"},
        "dynamodb:deleteItem": item,
        "events:putEvents": {"Entries": [entry]},
    }
    assert calls.keys() == set(OptimisedServices.resources)
    return calls
