"""Wait: until a moment, or for a number of seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from gateway.asl import flow
from gateway.asl import records as r
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame
    from gateway.asl.languages.language import Moment
    from gateway.asl.scope import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """Parks its frame until a timer is due."""

    type: ClassVar[str] = "Wait"
    until: Moment

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Wait, unless the moment has passed."""
        due = self.until(run.scope(frame, input), run.at)
        if due <= run.at:
            flow.leave(run, frame, self, input)
        else:
            run.emit(r.WaitStarted(frame.id, run.number(), due, due - run.at))

    def timer_fired(self, run: Run, frame: Frame) -> None:
        """The wait is over."""
        flow.leave(run, frame, self, flow.effective_input(run, frame, self))
