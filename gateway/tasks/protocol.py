"""The seam between the engine and a task integration.

A runner takes some Resources and calls what they name. The engine owns everything else: it writes
the task's start before the call and its outcome after it, bounds how many calls run at a time, ends
those whose time is up, and makes a call again that a crash interrupted.

Of AWS's patterns a runner sees little. ``.waitForTaskToken`` is the engine's: every Resource that a
runner takes has it, is asked for without it, and its answer is TaskSubmitted; whoever holds the
token ends the task. A Resource with ``.sync`` is another one than that without it: a runner that
begins something whose end can be told takes it by its whole name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias

import orjson

if TYPE_CHECKING:
    from gateway.aws.client import Aws
    from gateway.aws.connections import Reply
    from gateway.store.rows import TaskKey
    from gateway.tasks.functions.registry import Functions
    from gateway.tasks.http_invoke import HttpConnections
    from gateway.tasks.http_request import HttpRequest

Json: TypeAlias = Any


class Exchange(NamedTuple):
    """What an HTTP task sent, and what it was answered."""

    sent: HttpRequest
    bare: HttpRequest
    """The same without what is secret: all that its connection added."""
    reply: Reply | None
    """None: it was not answered."""


async def _nobody() -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class TaskRequest:
    """One attempt of a Task state."""

    resource: str
    """As in the definition, without ``.waitForTaskToken``."""
    input: Json
    """What Parameters or Arguments made."""
    key: str
    """The same for every call of this attempt, also after a restart, and for no other: UUID."""
    role: str | None = None
    """ARN of the role to call as."""
    called_at: int | None = field(default=None, compare=False)
    """When it was called first, where a crash cut that call off: milliseconds since the epoch."""
    task: TaskKey | None = None
    """Execution and number, under which it is known here; None where it belongs to none."""
    origin: Callable[[], Awaitable[tuple[str, ...]]] = field(default=_nobody, compare=False)
    """Gives the ARNs of its execution and of the state machine; none where it belongs to none, or
    the execution has gone meanwhile."""
    watch: Callable[[Exchange], None] | None = field(default=None, compare=False)
    """Is shown each exchange of an HTTP task."""

    @property
    def again(self) -> bool:
        """Whether it was called before and a crash cut that call off, so that it may have been
        done."""
        return self.called_at is not None


@dataclass(frozen=True, slots=True)
class Tools:
    """All that an integration may use."""

    aws: Aws
    functions: Functions
    connections: HttpConnections


class TaskFailure(Exception):
    """The task fails with an error name and a cause, which Retry and Catch see."""

    def __init__(self, error: str, cause: str | None) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


class Place(NamedTuple):
    """Where calls go. Places do not hold up each other."""

    name: str
    concurrency: int
    """Calls at a time; further tasks wait in their queue, and their clocks do not run yet."""


class Runner(Protocol):
    """An integration."""

    name: ClassVar[str]
    """For metrics and log lines."""

    def takes(self, resource: str) -> bool:
        """Whether it calls tasks with this Resource."""
        ...

    def place(self, resource: str, given: str | None) -> Place:
        """Where the call of a task goes; ``given`` is its input as JSON, None where that has not
        been read: then it is asked again."""
        ...

    async def call(self, request: TaskRequest) -> Json:
        """The result. Raises TaskFailure; anything else that it raises is a bug. May be cancelled
        at any time, and may be asked again with the same key after a crash."""
        ...


class Kind(Protocol):
    """The class of a runner, which says without being built what it would take."""

    @property
    def resources(self) -> tuple[str, ...]:
        """What it takes, for people: ``sqs:sendMessage``. Nothing where there is no end of it."""
        ...

    def takes(self, resource: str) -> bool:
        """As ``Runner.takes``."""
        ...


class Integration(Kind, Protocol):
    """One that needs nothing but tools."""

    def __call__(self, tools: Tools) -> Runner:
        """A runner."""
        ...


def member(given: str | None, *path: str) -> Json:
    """A member of a task's input, for ``Runner.place``; None where there is none."""
    value = None if given is None else orjson.loads(given)
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
