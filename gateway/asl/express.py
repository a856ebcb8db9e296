"""What a definition must do without for Express executions to run it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.asl.errors import Diagnostic
from gateway.asl.fields import SCHEMA
from gateway.asl.outline import Outlined, outline, programs
from gateway.asl.resources import ACTIVITY, family
from gateway.asl.scope import Json

_PATTERNS: Final = {".sync": ".sync", ".sync:2": ".sync", ".waitForTaskToken": ".waitForTaskToken"}
"""How a Resource ends that waits for more than its answer, and what AWS calls that."""


def unsupported(program: Json, place: str = "") -> Iterator[Diagnostic]:
    """All that Express machines do not support; the program is one that compiles."""
    for state in outline(program, place):
        if state.members["Type"] == "Task":
            yield from _task(state.members["Resource"], f"{state.location}/Resource")
        for config, path, _ in _configured(state):
            if config.get("Mode") == "DISTRIBUTED":
                message = "Express state machine does not support Map state in 'DISTRIBUTED' Mode"
                yield Diagnostic(SCHEMA, f"{path}/ProcessorConfig/Mode", message)


def unsupported_children(definition: Json) -> Iterator[Diagnostic]:
    """The same of the children of Distributed Maps that are to be Express executions."""
    for state in outline(definition):
        for config, path, processor in _configured(state):
            if config.get("ExecutionType") == "EXPRESS":
                yield from unsupported(processor, path)


def _configured(state: Outlined) -> Iterator[tuple[dict[str, Json], str, Json]]:
    """What a Map says of how its iterations run, where it says so, and the iterations."""
    if state.members["Type"] == "Map":
        for processor, path in programs(state.members, state.location):
            yield processor.get("ProcessorConfig", {}), path, processor


def _task(resource: str, path: str) -> Iterator[Diagnostic]:
    if family(resource) == ACTIVITY:
        message = "Express state machine does not support Activity tasks"
        yield Diagnostic(SCHEMA, path, message)
    for end, pattern in _PATTERNS.items():
        if resource.endswith(end):
            message = f"Express state machine does not support '{pattern}' service integration"
            yield Diagnostic(SCHEMA, path, message)
