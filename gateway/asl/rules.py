"""What a definition may not say, although every state of it compiles: one function for each rule,
over the definition as it is written.

These hold at the door only. A revision that was stored before a rule came is never refused later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from gateway.asl.errors import Diagnostic
from gateway.asl.fields import SCHEMA
from gateway.asl.outline import Outlined, outline
from gateway.asl.scope import Json

Rule: TypeAlias = Callable[[Outlined], Iterator[Diagnostic]]
_ARN: Final = re.compile(r"arn:[\w-]+:[\w-]+:.+", re.DOTALL)


def refusals(document: Json) -> Iterator[Diagnostic]:
    """What is to be refused, state by state."""
    seen: set[str] = set()
    for state in outline(document):
        if state.name in seen:
            message = f"Duplicate State name: {state.name}"
            yield Diagnostic("DUPLICATE_STATE_NAME", state.location, message)
        seen.add(state.name)
        if state.members.get("Type") == "Task":
            for rule in _OF_TASKS:
                yield from rule(state)


def _resource(state: Outlined) -> Iterator[Diagnostic]:
    """A task names what does it by an ARN."""
    resource = state.members.get("Resource")
    if isinstance(resource, str) and not _ARN.fullmatch(resource):
        place = f"{state.location}/Resource"
        yield Diagnostic(SCHEMA, place, "Value is not a valid resource ARN")


def _credentials(state: Outlined) -> Iterator[Diagnostic]:
    """They are a role, given or looked up."""
    credentials = state.members.get("Credentials")
    if isinstance(credentials, dict) and not credentials.keys() & {"RoleArn", "RoleArn.$"}:
        message = "The field 'RoleArn' is required but was missing"
        yield Diagnostic(SCHEMA, f"{state.location}/Credentials", message)


def _heartbeat(state: Outlined) -> Iterator[Diagnostic]:
    """A heartbeat that is due after the timeout is none."""
    heartbeat, timeout = (state.members.get(f"{name}Seconds") for name in ("Heartbeat", "Timeout"))
    if isinstance(heartbeat, int) and isinstance(timeout, int) and heartbeat >= timeout:
        message = "The value for the field 'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'"
        yield Diagnostic(SCHEMA, f"{state.location}/HeartbeatSeconds", message)


_OF_TASKS: Final[tuple[Rule, ...]] = (_resource, _credentials, _heartbeat)
