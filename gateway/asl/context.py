"""The Context Object, what ``$$`` shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from gateway.asl.execution import Execution
from gateway.asl.frame import Frame
from gateway.asl.scope import Json

RETRIABLE: Final = frozenset({"Task", "Parallel", "Map"})


def iso(at: int) -> str:
    """Milliseconds since the epoch as AWS writes a time: ``2024-02-03T04:05:06.007Z``."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def context_object(
    execution: Execution, frame: Frame, item: dict[str, Json] | None = None
) -> dict[str, Json]:
    """What the states of a frame see of their surroundings; ``item`` for an iteration yet to
    begin."""
    identity = execution.identity
    context: dict[str, Json] = {
        "Execution": {
            "Id": identity.arn,
            "Input": execution.input,
            "Name": identity.name,
            "RoleArn": identity.role_arn,
            "StartTime": iso(identity.start_at),
            "RedriveCount": 0,
        },
        "State": {"EnteredTime": iso(frame.entered_at), "Name": frame.state},
        "StateMachine": {
            "Id": identity.machine_arn,
            "Name": identity.machine_arn.rpartition(":")[2],
        },
    }
    if frame.type in RETRIABLE:
        context["State"]["RetryCount"] = sum(frame.retries.values())
    if frame.token:
        context["Task"] = {"Token": frame.token}
    item = item or _map_item(execution, frame)
    if item is not None:
        context["Map"] = {"Item": item}
    return context


def _map_item(execution: Execution, frame: Frame) -> dict[str, Json] | None:
    """Index and value of the item of the nearest Map around the frame."""
    inner = frame
    while inner.parent is not None:
        outer = execution.frames[inner.parent]
        if outer.type == "Map" and outer.join is not None:
            return {"Index": inner.index, "Value": outer.join.items[inner.index]}
        inner = outer
    return None
