"""Pass, Succeed and Fail: the states that are through as soon as they are entered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from gateway.asl import flow
from gateway.asl.errors import StateError
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame
    from gateway.asl.scope import Expression, Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(State):
    """Hands its input, or a fixed Result, on."""

    type: ClassVar[str] = "Pass"
    result: Json = None
    has_result: bool = False

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Through at once."""
        flow.leave(run, frame, self, self.result if self.has_result else input)


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(State):
    """Ends its machine, branch or iteration well."""

    type: ClassVar[str] = "Succeed"

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Through at once."""
        flow.leave(run, frame, self, input)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(State):
    """Ends its machine, branch or iteration with an error."""

    type: ClassVar[str] = "Fail"
    error: Expression | None = None
    cause: Expression | None = None

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Fail at once."""
        scope = run.scope(frame, input)
        error = None if self.error is None else self.error(scope)
        cause = None if self.cause is None else self.cause(scope)
        flow.fail(run, frame, StateError(error, cause))
