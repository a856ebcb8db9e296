"""Every action of every AWS service: ``arn:aws:states:::aws-sdk:<service>:<action>``, as botocore's
models describe them, with the names of the SDK for Java's version 2."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

from gateway.asl.resources import parts
from gateway.aws.failures import NoAws
from gateway.tasks.protocol import Json, TaskFailure, TaskRequest, Tools

if TYPE_CHECKING:
    from gateway.aws.catalogue import Entry
    from gateway.aws.operations import AwsClient

_PREFIX = "aws-sdk:"


class AwsSdk:
    """Calls them."""

    name: ClassVar[str] = "aws-sdk"
    concurrency: ClassVar[int] = 200

    def __init__(self, tools: Tools) -> None:
        self._aws = tools.aws

    @staticmethod
    def takes(resource: str) -> bool:
        """Whatever the service; that it exists is for the call to see."""
        service, action = parts(resource)
        return service.startswith(_PREFIX) and action.isalnum()

    def place(self, resource: str) -> str:
        """The service."""
        return parts(resource)[0]

    async def call(self, request: TaskRequest) -> Json:
        """What the service answered."""
        from gateway.aws.catalogue import actions
        from gateway.tasks.sdk import call_service, version_2

        service, action = parts(request.resource)
        entry = await self._entry(service.removeprefix(_PREFIX))
        client = await self._client(entry, request.role)
        operation = actions(client.model).get(action)
        if operation is None:
            raise _unknown(f"no action {action} of {service}", action, actions(client.model))
        if client.streams(operation):
            raise TaskFailure("States.Runtime", f"{action} is a stream of events, and no task")
        result, _ = await call_service(client, operation, request, version_2(entry.java))
        return result

    async def _entry(self, service: str) -> Entry:
        catalogue = await self._aws.catalogue()
        if service not in catalogue:
            raise _unknown(f"no service {service}", service, catalogue)
        return catalogue[service]

    async def _client(self, entry: Entry, role: str | None) -> AwsClient:
        try:
            return await self._aws.client(entry.botocore, role=role)
        except NoAws as failure:
            raise TaskFailure(f"{entry.java}.SdkClientException", str(failure)) from None


def _unknown(said: str, wanted: str, there: Any) -> TaskFailure:
    near = get_close_matches(wanted, list(there), n=1)
    return TaskFailure("States.Runtime", f"There is {said}" + "".join(f": {n}?" for n in near))
