"""Choice: the first rule that matches says where to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from gateway.asl import flow
from gateway.asl.errors import StateError
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.choice import ChoiceRule
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame
    from gateway.asl.scope import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(State):
    """Rules in order, and a default, whose way out is the state's own."""

    type: ClassVar[str] = "Choice"
    rules: tuple[ChoiceRule, ...]
    default: str | None = None

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Leave towards the first match."""
        scope = run.scope(frame, input)
        rule = next((each for each in self.rules if each.matches(scope)), None)
        target, way = (self.default, self.exit) if rule is None else (rule.next, rule.exit)
        if target is None:
            raise StateError(
                "States.NoChoiceMatched",
                f"State '{self.name}' does not match any choice and has no Default",
                located=True,
            )
        flow.exit_to(run, frame, self, way.outcome(run, frame, input), target)
