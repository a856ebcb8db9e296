"""Records of tasks that are not over with the answer to their call; see ``gateway.asl.records``."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

Document: TypeAlias = Any


class TaskTokenMade(NamedTuple):
    """Internal: whoever has this token may answer the task that the frame is about to ask for."""

    frame: int
    token: str


class TaskSubmitted(NamedTuple):
    """The call has been answered; the task goes on until its end is told."""

    frame: int
    number: int
    output: Document
