"""Parallel: several branches at once, each with the same input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from gateway.asl import flow
from gateway.asl import records as r
from gateway.asl.records import SAME
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame
    from gateway.asl.scope import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(State):
    """Its programs are the branches; its result is the list of their outputs."""

    type: ClassVar[str] = "Parallel"

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Begin every branch."""
        given = SAME if input is frame.data else run.checked(input, "Parallel state has an input")
        run.emit(r.ParallelStarted(frame.id, run.number(), len(self.programs), given))

    def joined(self, run: Run, frame: Frame) -> None:
        """All branches have ended."""
        assert frame.join is not None, "only a frame that joins is joined"
        results = frame.join.results
        run.emit(r.ParallelSucceeded(frame.id))
        flow.leave(run, frame, self, results)
