"""Variables: what their names may be, who may assign them, and how large they may become."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gateway.asl.errors import StateError
from gateway.asl.scope import NOTHING, Json
from gateway.asl.template import SUFFIX

if TYPE_CHECKING:
    from gateway.asl.fields import Fields
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame

MAX_ASSIGN_BYTES: Final = 262_144
"""AWS's limit for a variable, and for all that one Assign gives values to."""
MAX_ALL_BYTES: Final = 10_485_760
"""AWS's limit for the variables of an execution together."""
_NAME: Final = re.compile(r"[^\W\d]\w{0,79}")
RESERVED: Final = "states"
_NEVER: Final = ("Succeed", "Fail")
"""Types that go nowhere, where an assignment could be seen."""


def assigned_names(fields: Fields) -> Iterator[str]:
    """The variables that a state assigns, its choice rules and catchers included; what is wrong
    with them is noted."""
    places = [fields, *fields.objects("Choices"), *fields.objects("Catch")]
    for place in places:
        assign = place.object("Assign")
        if assign is None:
            continue
        if fields.members.get("Type") in _NEVER:
            place.error("A state of this type cannot assign variables", "Assign")
        for member in assign.members:
            name = member.removesuffix(SUFFIX)
            if name == RESERVED or not _NAME.fullmatch(name):
                assign.error(f"'{name}' cannot be the name of a variable", member)
            yield name


def check_variables(run: Run, frame: Frame, state: str, assigned: dict[str, Json]) -> None:
    """Raises StateError States.DataLimitExceeded where the variables become too large."""
    if len(run.dumps(assigned)) > MAX_ASSIGN_BYTES:
        raise _too_large(f"variables assigned by the state '{state}'")
    frames = run.execution.frames
    count = len(assigned) + sum(len(each.variables) for each in frames.values())
    if count * MAX_ASSIGN_BYTES <= MAX_ALL_BYTES:
        return
    total = sum(len(run.dumps(value)) for value in assigned.values())
    for each in frames.values():
        # What stands around a frame is counted where it was assigned.
        around = NOTHING if each.parent is None else frames[each.parent].variables
        again = assigned if each is frame else NOTHING
        for name, value in each.variables.items():
            if name not in around and name not in again:
                total += len(run.dumps(value))
    if total > MAX_ALL_BYTES:
        raise _too_large("variables of the execution")


def _too_large(what: str) -> StateError:
    cause = f"The {what} have a size exceeding the maximum number of bytes service limit."
    return StateError("States.DataLimitExceeded", cause)
