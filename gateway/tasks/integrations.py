"""The integrations that there are. A new one is a file and a line here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from gateway.asl.resources import called, parts
from gateway.aws.catalogue import near, read_actions, read_catalogue
from gateway.tasks.aws_sdk import AwsSdk
from gateway.tasks.http_invoke import HttpTasks
from gateway.tasks.lambda_function import LambdaFunctions
from gateway.tasks.nested import NestedExecutions
from gateway.tasks.optimised import OptimisedServices
from gateway.tasks.protocol import Integration, Kind, Runner, Tools

_INTEGRATIONS: Final[tuple[Integration, ...]] = (
    LambdaFunctions,
    HttpTasks,
    OptimisedServices,
    AwsSdk,
)
"""The first that takes a Resource calls it."""
_KINDS: Final[tuple[Kind, ...]] = (NestedExecutions, *_INTEGRATIONS)
"""With that which the engine builds for itself."""


def doubts(resource: str, given: Iterable[str] | None) -> Iterator[str]:
    """Why a task with this Resource would fail whenever it is called; ``given`` are the names of
    its parameters, where they are known. Blocks: it may read the model of a service."""
    asked = called(resource)
    taking = next((each for each in _KINDS if each.takes(asked)), None)
    if taking is None:
        said = f"this version of Stategate has no integration for {resource}: the task fails"
        yield said + near(_short(asked), _everything(asked))
    elif (doubt := getattr(taking, "doubts", None)) is not None:
        yield from doubt(asked, given)


def _short(resource: str) -> str:
    return ":".join(parts(resource))


def _everything(resource: str) -> list[str]:
    """What there is instead, as far as it can be listed."""
    service, action = parts(resource)
    every = [name for kind in _KINDS for name in kind.resources]
    there = read_catalogue().get(service)
    if there is not None and action in read_actions(there.botocore):
        return [f"aws-sdk:{service}:{action}"]
    return every


def runners(tools: Tools) -> list[Runner]:
    """One runner for each integration."""
    return [integration(tools) for integration in _INTEGRATIONS]
