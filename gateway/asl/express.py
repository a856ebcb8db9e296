"""What a definition must do without for an Express machine to run it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from gateway.asl.errors import Diagnostic
from gateway.asl.fields import SCHEMA
from gateway.asl.outline import outline
from gateway.asl.resources import ACTIVITY, CALLBACK, SYNC, SYNC_PARSED, family, pattern

Json: TypeAlias = Any
_SAID: Final = {SYNC: SYNC, SYNC_PARSED: SYNC, CALLBACK: CALLBACK}
"""What AWS calls each pattern here."""


def unsupported(definition: Json) -> Iterator[Diagnostic]:
    """All that Express machines do not support; the definition is one that compiles."""
    return _unsupported(definition, "")


def unsupported_children(definition: Json) -> Iterator[Diagnostic]:
    """The same of the children of Distributed Maps that are to be Express executions."""
    for state in outline(definition):
        processor = state.members.get("ItemProcessor", {})
        if processor.get("ProcessorConfig", {}).get("ExecutionType") == "EXPRESS":
            yield from _unsupported(processor, f"{state.location}/ItemProcessor")


def _unsupported(program: Json, path: str) -> Iterator[Diagnostic]:
    for name, state in program.get("States", {}).items():
        place = f"{path}/States/{name}"
        if state["Type"] == "Task":
            yield from _task(state["Resource"], f"{place}/Resource")
        for number, branch in enumerate(state.get("Branches", ())):
            yield from _unsupported(branch, f"{place}/Branches[{number}]")
        for member in ("ItemProcessor", "Iterator"):
            if member in state:
                yield from _processor(state[member], f"{place}/{member}")


def _task(resource: str, path: str) -> Iterator[Diagnostic]:
    if family(resource) == ACTIVITY:
        yield _diagnostic("Express state machine does not support Activity tasks", path)
    if (waits := pattern(resource)) != "":
        message = f"Express state machine does not support '{_SAID[waits]}' service integration"
        yield _diagnostic(message, path)


def _processor(processor: Json, path: str) -> Iterator[Diagnostic]:
    if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
        message = "Express state machine does not support Map state in 'DISTRIBUTED' Mode"
        yield _diagnostic(message, f"{path}/ProcessorConfig/Mode")
    yield from _unsupported(processor, path)


def _diagnostic(message: str, path: str) -> Diagnostic:
    return Diagnostic(SCHEMA, path, message)
