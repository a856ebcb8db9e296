"""The whole API as boto3 sees it: real HTTP on a free port, a real engine, a store in memory."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
import structlog
import trio

from gateway.api.constraints import violations
from gateway.api.health import Health, HealthPage
from gateway.api.metrics import MetricsPage
from gateway.api.model import Response
from gateway.api.operations import step_functions
from gateway.api.operations.executions import Executions
from gateway.api.operations.operation import Service
from gateway.api.operations.stategate import stategate
from gateway.api.protocol import Protocol
from gateway.api.server import Server, listen
from gateway.api.shapes import Shape
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.letters import Letters
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.store.memory import MemoryStore, open_memory

ROLE = "arn:aws:iam::123456789012:role/tests"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
WAIT = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "End": True}}})


def unknown_members(shape: Shape | None, value: Any, path: str = "") -> list[str]:
    """Members that the model does not have: botocore would throw them away in silence."""
    found = []
    match shape and shape.type_name:
        case "structure":
            found += [f"{path}.{name}" for name in value.keys() - shape.members.keys()]
            for name in value.keys() & shape.members.keys():
                found += unknown_members(shape.members[name], value[name], f"{path}.{name}")
        case "list":
            for item in value:
                found += unknown_members(shape.member, item, f"{path}[]")
        case _:
            pass
    return found


def strict(service: Service) -> Service:
    """The service with every answer checked against its shape; a wrong one becomes a 500."""
    # A copy: the process has one model of Step Functions.
    model = copy(service.model)
    serialise = model.serialise

    def checked(operation: str, response: Response) -> Response:
        wire = serialise(operation, response)
        shape = model.operation(operation).output_shape
        wrong = [*violations(shape, wire, ""), *unknown_members(shape, wire)]
        assert not wrong, wrong
        return wire

    model.serialise = checked  # type: ignore[method-assign]
    return replace(service, model=model)


@dataclass
class Api:
    """A running API and what it stands on."""

    url: str
    store: MemoryStore
    engine: Engine
    stopping: trio.Event
    stopped: trio.Event
    health: Health = field(default_factory=lambda: Health(ready=True, details={}))
    redelivered: list[Any] = field(default_factory=list)
    _client: Any = None

    async def call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        """Call the method of a plain boto3 client."""
        answer = await trio.to_thread.run_sync(partial(self._call, method, **parameters))
        answer.pop("ResponseMetadata", None)
        return answer

    def _call(self, method: str, **parameters: Any) -> Any:
        return getattr(self.client(), method)(**parameters)

    def client(self) -> Any:
        """A plain boto3 client; made by one thread at a time."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            self._client = boto3.client(
                "stepfunctions",
                endpoint_url=self.url,
                region_name="us-east-1",
                aws_access_key_id="any",
                aws_secret_access_key="thing",
                config=Config(
                    retries={"max_attempts": 0},
                    max_pool_connections=50,
                    inject_host_prefix=False,
                ),
            )
        return self._client

    async def machine(self, name: str = "m", definition: str = PASS) -> str:
        """The ARN of a new state machine."""
        made = await self.call(
            "create_state_machine", name=name, definition=definition, roleArn=ROLE
        )
        return made["stateMachineArn"]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds."""
        with trio.fail_after(10):
            while not condition():  # noqa: ASYNC110 - nothing in there tells when it changes
                await trio.sleep(0.005)

    async def until_ended(self, arn: str) -> dict[str, Any]:
        """DescribeExecution of the execution once it has ended."""
        ended = trio.Event()
        self.engine.on_end.append(lambda row: ended.set() if row.arn == arn else None)
        described = await self.call("describe_execution", executionArn=arn)
        if described["status"] == "RUNNING":
            with trio.fail_after(10):
                await ended.wait()
            described = await self.call("describe_execution", executionArn=arn)
        return described


@pytest.fixture
async def api(nursery):
    """A running API."""

    def clock():
        return int(time.time() * 1000)  # noqa: TID251 - real sockets go with a real clock

    async with open_memory() as store:
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _: None, clock, metrics)
        engine = Engine(store, catalog, outbox, clock, metrics)
        await nursery.start(engine.run)
        running = Api("", store, engine, trio.Event(), trio.Event())

        async def redeliver(letter):
            running.redelivered.append(letter)

        async def health():
            return running.health

        letters = Letters(
            store, clock, has_sink=lambda _: False, wake=lambda: None, redeliver=redeliver
        )
        services = [step_functions(engine), stategate(store, Executions(engine), letters, health)]
        protocol = Protocol(map(strict, services), structlog.get_logger())
        pages = HealthPage(health), MetricsPage(metrics, store, clock)
        server = Server(protocol, *pages, idle_seconds=1.0)

        async def serve(task_status):
            await server.serve(
                listen("127.0.0.1:0"), running.stopping, grace_seconds=5, task_status=task_status
            )
            running.stopped.set()

        running.url = await nursery.start(serve)
        yield running
        if running._client is not None:
            running._client.close()
        nursery.cancel_scope.cancel()
