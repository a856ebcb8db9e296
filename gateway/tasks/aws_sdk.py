"""Every action of every AWS service: ``arn:aws:states:::aws-sdk:<service>:<action>``, as botocore's
models describe them, with the names of the SDK for Java's version 2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from gateway.asl.resources import parts
from gateway.aws.failures import NoAws
from gateway.tasks.protocol import Json, Place, TaskFailure, TaskRequest, Tools

if TYPE_CHECKING:
    from gateway.aws.catalogue import Catalogue, Entry
    from gateway.aws.operations import AwsClient

_PREFIX = "aws-sdk:"


_CONCURRENCY: Final = 200


class AwsSdk:
    """Calls them."""

    name: ClassVar[str] = "aws-sdk"
    resources: ClassVar[tuple[str, ...]] = ()

    def __init__(self, tools: Tools) -> None:
        self._aws = tools.aws

    @staticmethod
    def takes(resource: str) -> bool:
        """Whatever the service; that it exists is for the call to see."""
        service, action = parts(resource)
        return service.startswith(_PREFIX) and action.isalnum()

    @staticmethod
    def doubts(resource: str, given: Iterable[str] | None) -> Iterator[str]:
        """Why it would fail: for its service, its action or the names of its parameters."""
        from gateway.aws.catalogue import read_actions, read_catalogue
        from gateway.tasks.sdk import VERSION_2, unfit_names

        service, action = parts(resource)
        catalogue = read_catalogue()
        entry = catalogue.get(service.removeprefix(_PREFIX))
        there = {} if entry is None else read_actions(entry.botocore)
        if entry is None or action not in there:
            yield _unknown(service, action, catalogue, there)
        elif given is not None:
            yield from unfit_names(entry.botocore, there[action], given, VERSION_2)

    def place(self, resource: str, _given: str | None) -> Place:
        """The service."""
        return Place(parts(resource)[0], _CONCURRENCY)

    async def call(self, request: TaskRequest) -> Json:
        """What the service answered."""
        from gateway.aws.catalogue import actions
        from gateway.tasks.sdk import call_service, version_2

        service, action = parts(request.resource)
        catalogue = await self._aws.catalogue()
        entry = catalogue.get(service.removeprefix(_PREFIX))
        if entry is None:
            raise TaskFailure("States.Runtime", _unknown(service, action, catalogue, ()))
        client = await self._client(entry, request.role)
        there = actions(client.model)
        operation = there.get(action)
        if operation is None:
            raise TaskFailure("States.Runtime", _unknown(service, action, catalogue, there))
        if client.streams(operation):
            raise TaskFailure("States.Runtime", f"{action} is a stream of events, and no task")
        result, _ = await call_service(client, operation, request, version_2(entry.java))
        return result

    async def _client(self, entry: Entry, role: str | None) -> AwsClient:
        try:
            return await self._aws.client(entry.botocore, role=role)
        except NoAws as failure:
            raise TaskFailure(f"{entry.java}.SdkClientException", str(failure)) from None


def _unknown(service: str, action: str, catalogue: Catalogue, there: Iterable[str]) -> str:
    from gateway.aws.catalogue import near, service_near

    name = service.removeprefix(_PREFIX)
    if name not in catalogue:
        return (
            f"there is no service {name} for {_PREFIX.rstrip(':')}{service_near(name, catalogue)}"
        )
    return f"there is no action {action} of {service}{near(action, there)}"
