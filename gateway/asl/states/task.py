"""Task: something outside does the work; this only asks, and says how long it may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from gateway.asl import causes
from gateway.asl import pattern_records as p
from gateway.asl import records as r
from gateway.asl.languages.language import Entry
from gateway.asl.records import SAME
from gateway.asl.scope import Expression, Json
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """The way into a task with a token: made before the arguments, which may hand it on."""

    entry: Entry | None
    """The way in that the query language knows."""

    def __call__(self, run: Run, frame: Frame) -> Json:
        """The effective input."""
        run.emit(p.TaskTokenMade(frame.id, run.token()))
        return frame.data if self.entry is None else self.entry(run, frame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(State):
    """Asks for ``resource``."""

    type: ClassVar[str] = "Task"
    resource: str
    timeout: Expression
    """TimeoutSeconds: a number of them or None."""
    heartbeat: Expression
    credentials: Expression | None = None
    """An object with the role that the task is called as."""

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Ask; the answer comes as a stimulus. The timeouts read the state's own input."""
        scope = run.scope(frame, frame.data)
        timeouts = (self.timeout(scope), self.heartbeat(scope))
        if input is not frame.data:
            run.checked(input, f"state/task '{self.name}' tried to schedule a task with an input")
        if run.lacks(self.resource):
            raise causes.no_activity(self.resource)
        role = None if self.credentials is None else _role(self.credentials(scope))
        given = SAME if input is frame.data else input
        run.emit(r.TaskScheduled(frame.id, run.number(), self.resource, given, *timeouts, role))


def _role(credentials: Json) -> str:
    role = credentials.get("RoleArn") if isinstance(credentials, dict) else None
    if not isinstance(role, str):
        raise causes.no_role(role)
    return role
