"""Wait: until a moment, or for a number of seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from gateway.asl import flow
from gateway.asl import records as r
from gateway.asl.errors import StateError
from gateway.asl.scope import Json, Scope
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame

MAX_SECONDS = 99_999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """Parks its frame until a timer is due."""

    type: ClassVar[str] = "Wait"
    until: Callable[[Scope, int], int]
    """When it is over, from the moment it was entered; both in milliseconds since the epoch."""

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Wait, unless the moment has passed."""
        due = self.until(run.scope(frame, input), run.at)
        if due <= run.at:
            flow.leave(run, frame, self, input, self.next)
        else:
            run.emit(r.WaitStarted(frame.id, run.number(), due, due - run.at))

    def timer_fired(self, run: Run, frame: Frame) -> None:
        """The wait is over."""
        flow.leave(run, frame, self, flow.effective_input(run, frame, self), self.next)


def seconds_after(value: Json, field: str, at: int) -> int:
    """The moment ``value`` seconds after ``at``. Raises StateError where it is no number of
    seconds."""
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if not whole or not 0 <= value <= MAX_SECONDS:
        raise StateError(
            "States.Runtime",
            f"The {field} parameter references an invalid number of seconds: {value}",
            located=True,
        )
    return at + int(value) * 1000


def moment_of(value: Json, field: str) -> int:
    """An RFC 3339 timestamp in milliseconds since the epoch. Raises StateError where it is none."""
    at = parse_timestamp(value)
    if at is None:
        raise StateError(
            "States.Runtime",
            f"The {field} parameter does not reference a valid ISO-8601 extended offset date-time "
            f"format string: {field} == {value}",
            located=True,
        )
    return at


def parse_timestamp(value: Json) -> int | None:
    """Milliseconds since the epoch of an RFC 3339 timestamp with ``T`` and an offset, else None."""
    if not isinstance(value, str) or "T" not in value or len(value) < len("2016-03-14T01:59Z"):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1000)
