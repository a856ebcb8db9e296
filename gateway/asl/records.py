"""What the engine writes: every kind of record, and nothing that interprets one.

A record belongs to a *frame* (one line of control: the execution itself, a branch of a Parallel, an
iteration of a Map) and carries each value that an expression produced. A document is written once:
where a record's document is the one that its frame has in hand already, it is ``SAME``.

``CODES`` is the on-disk numbering: a number is never given to another kind, a member is only ever
added at the end (with a new ``FORMAT`` in ``gateway.asl.codec``).
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple, TypeAlias

from gateway.asl.map_run_records import (
    DistributedMapStarted,
    DistributedMapSucceeded,
    MapRunAborted,
    MapRunFailed,
    MapRunRedriven,
    MapRunStarted,
    MapRunSucceeded,
)
from gateway.asl.pattern_records import TaskSubmitted, TaskTokenMade
from gateway.asl.redrive_records import ExecutionRedriven, RedriveNamed


class _Same(Enum):
    SAME = "SAME"


SAME: Final = _Same.SAME
Document: TypeAlias = Any
"""A JSON value or ``SAME``. The codec finds document members by this name."""


class ExecutionStarted(NamedTuple):
    """The execution begins; its input stands in its row. With a machine timeout, ``due`` says
    when."""

    frame: int
    number: int | None
    due: int | None
    interval: int


class StateEntered(NamedTuple):
    """The frame enters a state; the state's input is the document in hand."""

    frame: int
    type: str
    name: str


class StateExited(NamedTuple):
    """The frame leaves its state for ``next``, or ends (None)."""

    frame: int
    output: Document
    next: str | None


class VariablesAssigned(NamedTuple):
    """Internal: the state that the frame is about to leave has given these variables values."""

    frame: int
    variables: Document


class EvaluationFailed(NamedTuple):
    """A JSONata expression of the state failed, in the field ``location``."""

    frame: int
    error: str | None
    cause: str | None
    location: str | None


class StateAborted(NamedTuple):
    """The state is given up because a frame around it ends."""

    frame: int


class WaitStarted(NamedTuple):
    """Internal: a Wait state is over at ``due``."""

    frame: int
    number: int
    due: int
    interval: int


class RetryScheduled(NamedTuple):
    """Internal: retrier ``retrier`` of the state runs it again at ``due``."""

    frame: int
    number: int
    retrier: int
    due: int
    interval: int


class TaskScheduled(NamedTuple):
    """A task is asked for. Timeouts are in seconds."""

    frame: int
    number: int
    resource: str
    input: Document
    timeout_seconds: int | None
    heartbeat_seconds: int | None
    role: str | None = None
    """ARN of the role that it is called as."""


class TaskStarted(NamedTuple):
    """The task has been handed to its worker; its clocks run from here."""

    frame: int
    number: int
    worker: str | None
    token_hash: str | None


class TaskReturned(NamedTuple):
    """Internal: the worker had gone before the hand-out reached it; the task waits again."""

    frame: int
    number: int


class TaskResumed(NamedTuple):
    """Internal: a returned task is handed out again, under a new token, its clocks restarted."""

    frame: int
    number: int
    worker: str | None
    token_hash: str | None


class TaskAnswered(NamedTuple):
    """Internal: what follows, the end of the task, is what somebody answered by a link."""

    frame: int
    label: str
    address: str


class TaskSucceeded(NamedTuple):
    """The task's result."""

    frame: int
    number: int
    output: Document


class TaskFailed(NamedTuple):
    """The task's error."""

    frame: int
    number: int
    error: str | None
    cause: str | None


class TaskTimedOut(NamedTuple):
    """The task's time (or the time between two heartbeats) is over."""

    frame: int
    number: int
    error: str | None
    cause: str | None


class ParallelStarted(NamedTuple):
    """Frames ``first`` … ``first + branches - 1`` begin, each with ``input`` in hand."""

    frame: int
    first: int
    branches: int
    input: Document


class BranchSucceeded(NamedTuple):
    """Internal: the frame of a branch has come to its end."""

    frame: int


class BranchFailed(NamedTuple):
    """Internal: the frame of a branch failed."""

    frame: int


class ParallelSucceeded(NamedTuple):
    """All branches have ended."""

    frame: int


class ParallelFailed(NamedTuple):
    """One branch failed; the others are given up."""

    frame: int


class MapStarted(NamedTuple):
    """A Map has its items (SAME: the document in hand is the list); at most ``concurrency``
    iterations run at a time."""

    frame: int
    items: Document
    length: int
    concurrency: int


class MapIterationStarted(NamedTuple):
    """Frame ``child`` begins for item number ``item``, with ``input`` in hand (SAME: the item
    itself)."""

    frame: int
    child: int
    item: int
    input: Document


class MapIterationSucceeded(NamedTuple):
    """The frame of an iteration has come to its end."""

    frame: int


class MapIterationFailed(NamedTuple):
    """The frame of an iteration failed."""

    frame: int


class MapIterationAborted(NamedTuple):
    """The frame of an iteration is given up because another one failed."""

    frame: int


class MapSucceeded(NamedTuple):
    """All iterations have ended."""

    frame: int


class MapFailed(NamedTuple):
    """One iteration failed; the others are given up."""

    frame: int


class ExecutionSucceeded(NamedTuple):
    """The execution ends; its output is the document in hand."""

    frame: int


class ExecutionFailed(NamedTuple):
    """The execution ends with an error; ``frame`` is the one that it came from."""

    frame: int
    error: str | None
    cause: str | None


class ExecutionAborted(NamedTuple):
    """The execution was stopped from outside."""

    frame: int
    error: str | None
    cause: str | None


class ExecutionTimedOut(NamedTuple):
    """The machine's TimeoutSeconds are over."""

    frame: int
    error: str | None
    cause: str | None


Record: TypeAlias = (
    ExecutionStarted
    | ExecutionRedriven
    | RedriveNamed
    | StateEntered
    | StateExited
    | VariablesAssigned
    | EvaluationFailed
    | StateAborted
    | WaitStarted
    | RetryScheduled
    | TaskScheduled
    | TaskStarted
    | TaskTokenMade
    | TaskSubmitted
    | TaskReturned
    | TaskResumed
    | TaskAnswered
    | TaskSucceeded
    | TaskFailed
    | TaskTimedOut
    | ParallelStarted
    | BranchSucceeded
    | BranchFailed
    | ParallelSucceeded
    | ParallelFailed
    | MapStarted
    | MapIterationStarted
    | MapIterationSucceeded
    | MapIterationFailed
    | MapIterationAborted
    | MapSucceeded
    | MapFailed
    | ExecutionSucceeded
    | ExecutionFailed
    | ExecutionAborted
    | ExecutionTimedOut
    | DistributedMapStarted
    | MapRunStarted
    | MapRunRedriven
    | MapRunSucceeded
    | MapRunFailed
    | MapRunAborted
    | DistributedMapSucceeded
)

INTERNAL: Final[frozenset[type[Record]]] = frozenset(
    {
        RedriveNamed,
        VariablesAssigned,
        WaitStarted,
        RetryScheduled,
        TaskTokenMade,
        TaskReturned,
        TaskResumed,
        TaskAnswered,
        BranchSucceeded,
        BranchFailed,
    }
)
"""Never shown: outside AWS's event ids and outside the limit of 25,000."""

CODES: Final[dict[type[Record], int]] = {
    ExecutionStarted: 1,
    StateEntered: 2,
    StateExited: 3,
    StateAborted: 4,
    WaitStarted: 5,
    RetryScheduled: 6,
    TaskScheduled: 7,
    TaskStarted: 8,
    TaskReturned: 9,
    TaskResumed: 10,
    TaskSucceeded: 11,
    TaskFailed: 12,
    TaskTimedOut: 13,
    ParallelStarted: 14,
    BranchSucceeded: 15,
    ParallelSucceeded: 16,
    ParallelFailed: 17,
    MapStarted: 18,
    MapIterationStarted: 19,
    MapIterationSucceeded: 20,
    MapIterationFailed: 21,
    MapIterationAborted: 22,
    MapSucceeded: 23,
    MapFailed: 24,
    ExecutionSucceeded: 25,
    ExecutionFailed: 26,
    ExecutionAborted: 27,
    ExecutionTimedOut: 28,
    BranchFailed: 29,
    VariablesAssigned: 40,
    EvaluationFailed: 41,
    TaskSubmitted: 50,
    TaskTokenMade: 51,
    DistributedMapStarted: 60,
    MapRunStarted: 61,
    MapRunSucceeded: 62,
    MapRunFailed: 63,
    MapRunAborted: 64,
    DistributedMapSucceeded: 65,
    ExecutionRedriven: 80,
    MapRunRedriven: 81,
    RedriveNamed: 82,
    TaskAnswered: 90,
}
