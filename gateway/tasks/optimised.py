"""The services that AWS integrates by themselves: ``arn:aws:states:::sqs:sendMessage`` and its
like, with the SDK's version 1 behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple
from urllib.parse import urlsplit

import orjson

from gateway.asl.resources import parts
from gateway.aws.java_names import action_name
from gateway.tasks.protocol import Json, Place, TaskFailure, TaskRequest, Tools

if TYPE_CHECKING:
    from gateway.tasks.sdk import Sdk


async def _as_given(_request: TaskRequest, _parameters: dict[str, Json]) -> None:
    """AWS adds nothing."""


class Optimised(NamedTuple):
    """What is particular to one of them."""

    name: str
    """In the names of its errors."""
    label: str
    """In causes."""
    operations: tuple[str, ...]
    endpoint: Callable[[Json], str | None] = lambda _given: None
    """Where to ask, by what is given, if not at the service's own endpoint."""
    complete: Callable[[TaskRequest, dict[str, Json]], Awaitable[None]] = _as_given
    """Adds to the parameters what AWS adds to them."""
    check: Callable[[dict[str, Json]], None] = lambda _result: None
    """Raises TaskFailure where an answer says that it failed."""

    @property
    def actions(self) -> dict[str, str]:
        """The operations by their names in Resources."""
        return {action_name(operation): operation for operation in self.operations}


def _queue(given: Json) -> str | None:
    """A queue's URL says where it is, whatever the endpoint of the service."""
    url = given.get("QueueUrl") if isinstance(given, dict) else None
    place = urlsplit(url) if isinstance(url, str) else None
    if place is None or place.scheme not in ("http", "https") or not place.netloc:
        return None
    return f"{place.scheme}://{place.netloc}"


async def _say_whose(request: TaskRequest, parameters: dict[str, Json]) -> None:
    """Each event tells which execution has put it."""
    origin = await request.origin()
    for entry in parameters.get("Entries", ()) if origin else ():
        entry["Resources"] = [*entry.get("Resources", ()), *origin]


def _all_entries(result: dict[str, Json]) -> None:
    """An event that the bus did not take fails the task, although the others were taken."""
    if result.get("FailedEntryCount"):
        said = {name: result.get(name) for name in ("Entries", "FailedEntryCount")}
        raise TaskFailure("EventBridge.FailedEntry", orjson.dumps(said).decode())


SERVICES: Final[dict[str, Optimised]] = {
    "sqs": Optimised("SQS", "AmazonSQS", ("SendMessage",), endpoint=_queue),
    "sns": Optimised("SNS", "AmazonSNS", ("Publish",)),
    "dynamodb": Optimised(
        "DynamoDB", "AmazonDynamoDBv2", ("GetItem", "PutItem", "UpdateItem", "DeleteItem")
    ),
    "events": Optimised(
        "EventBridge",
        "AmazonEventBridge",
        ("PutEvents",),
        complete=_say_whose,
        check=_all_entries,
    ),
}


_CONCURRENCY: Final = 200


class OptimisedServices:
    """Calls them."""

    name: ClassVar[str] = "optimised"
    resources: ClassVar[tuple[str, ...]] = tuple(
        f"{name}:{action}" for name, service in SERVICES.items() for action in service.actions
    )

    def __init__(self, tools: Tools) -> None:
        self._aws = tools.aws

    @staticmethod
    def takes(resource: str) -> bool:
        """An action of one of them."""
        return ":".join(parts(resource)) in OptimisedServices.resources

    @staticmethod
    def doubts(resource: str, given: Iterable[str] | None) -> Iterator[str]:
        """Why it would fail for the names of its parameters."""
        from gateway.tasks.sdk import VERSION_1, unfit_names

        service, action = parts(resource)
        if given is not None:
            operation = SERVICES[service].actions[action]
            yield from unfit_names(service, operation, given, VERSION_1)

    def place(self, resource: str, _given: str | None) -> Place:
        """The service."""
        return Place(parts(resource)[0], _CONCURRENCY)

    async def call(self, request: TaskRequest) -> Json:
        """What the service answered, and how."""
        from gateway.tasks.sdk import call_service, http_metadata

        service, action = parts(request.resource)
        own = SERVICES[service]
        client = await self._aws.client(service, role=request.role)
        sdk = _sdk(own)
        endpoint = own.endpoint(request.input)
        operation = own.actions[action]
        complete = partial(own.complete, request)
        result, answer = await call_service(client, operation, request, sdk, endpoint, complete)
        own.check(result)
        return {**result, **http_metadata(answer.reply.status, answer.reply.headers)}


def _sdk(own: Optimised) -> Sdk:
    from gateway.tasks.sdk import version_1

    return version_1(own.name, own.label)
