"""The integrations that there are. A new one is a file and a line here."""

from __future__ import annotations

from typing import Final

from gateway.tasks.aws_sdk import AwsSdk
from gateway.tasks.lambda_function import LambdaFunctions
from gateway.tasks.optimised import OptimisedServices
from gateway.tasks.protocol import Integration, Runner, Tools

_INTEGRATIONS: Final[tuple[Integration, ...]] = (
    LambdaFunctions,
    OptimisedServices,
    AwsSdk,
)
"""The first that takes a Resource calls it."""


def is_called(resource: str) -> bool:
    """Whether an integration takes this Resource."""
    return any(integration.takes(resource) for integration in _INTEGRATIONS)


def runners(tools: Tools) -> list[Runner]:
    """One runner for each integration."""
    return [integration(tools) for integration in _INTEGRATIONS]
