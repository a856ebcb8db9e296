"""What drives an execution: the only things that can happen to it from outside.

Each rides with ``at`` (milliseconds since the epoch) and ``seed`` (16 bytes from the operating
system), which the caller of ``advance`` gives beside it; a stimulus for something that no longer
waits changes nothing.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from gateway.asl.scope import Json


class Start(NamedTuple):
    """Begin the execution."""


class Continue(NamedTuple):
    """Go on where the last step stopped because its budget was spent."""


class TimerFired(NamedTuple):
    """A timer of the execution is due: kind wait, retry, execution, timeout or heartbeat.

    One that was due before ``due`` belongs to an earlier hand-out of the task and ends nothing.
    """

    number: int
    kind: str
    due: int
    """When it was due as its row said."""


class HandOut(NamedTuple):
    """A queued task goes to a worker (the first time or again after a return)."""

    number: int
    worker: str | None
    token_hash: str | None


class Return(NamedTuple):
    """The worker had gone before the hand-out with this token reached it."""

    number: int
    token_hash: str


class Submit(NamedTuple):
    """The call of a task that is not over with it has been answered."""

    number: int
    output: Json


class Answered(NamedTuple):
    """Somebody answered by a link; it is for people to read."""

    label: str
    """Of the button."""
    address: str


class Succeed(NamedTuple):
    """The task's result. With a ``token_hash`` it counts only for the hand-out that it names."""

    number: int
    output: Json
    token_hash: str | None = None
    answered: Answered | None = None


class Fail(NamedTuple):
    """The task's error. With a ``token_hash`` it counts only for the hand-out that it names."""

    number: int
    error: str | None
    cause: str | None
    token_hash: str | None = None
    answered: Answered | None = None


class Stop(NamedTuple):
    """StopExecution."""

    error: str | None
    cause: str | None


class Redrive(NamedTuple):
    """RedriveExecution, of an execution that has ended without success."""

    redrives: int
    """How often it will have been redriven then."""
    token: str | None = None
    """The caller's clientToken."""


class Expire(NamedTuple):
    """The execution has run for as long as any may."""


Stimulus: TypeAlias = (
    Start
    | Continue
    | TimerFired
    | HandOut
    | Return
    | Submit
    | Succeed
    | Fail
    | Stop
    | Expire
    | Redrive
)
