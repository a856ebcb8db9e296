"""What every state has, whatever its type: names, where it leads, how data enters and leaves it.

A type knows only its own idea (``start``). The way of data into it and out of it is its query
language's (``entry`` and ``exit``); Retry and Catch wrap every state in one place,
``gateway.asl.flow``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from gateway.asl.languages.language import Entry, Exit
from gateway.asl.scope import Json

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame


@dataclass(frozen=True, slots=True)
class Retrier:
    """One entry of Retry. Seconds."""

    errors: tuple[str, ...]
    interval_seconds: int = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay_seconds: int | None = None
    full_jitter: bool = False


@dataclass(frozen=True, slots=True)
class Catcher:
    """One entry of Catch."""

    errors: tuple[str, ...]
    next: str
    exit: Exit


@dataclass(frozen=True, slots=True)
class Program:
    """States and where they begin: a machine, a branch of a Parallel, the iteration of a Map."""

    start_at: str
    states: dict[str, State]


@dataclass(frozen=True, slots=True)
class StateMachine(Program):
    """A compiled definition."""

    timeout_seconds: int | None = None
    maps: dict[str, StateMachine] = field(default_factory=dict)
    """What the children of its Distributed Maps run, by label; nested ones, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A compiled state."""

    type: ClassVar[str]

    name: str
    next: str | None = None
    """None for a state that ends its machine, branch or iteration."""
    entry: Entry | None = None
    """None: the state works on the document in hand as it is."""
    exit: Exit
    retry: tuple[Retrier, ...] = field(default=())
    catch: tuple[Catcher, ...] = field(default=())
    programs: tuple[Program, ...] = field(default=())
    """What runs inside: the branches of a Parallel, the one iteration of a Map."""

    @property
    def inner(self) -> tuple[Program, ...]:
        """All that is inside, also what runs as executions of its own."""
        return self.programs

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Do what the type is for: emit records until the frame is through or waits. ``input`` is
        what the entry made of the document in hand. Raises StateError."""
        raise NotImplementedError

    def timer_fired(self, run: Run, frame: Frame) -> None:
        """The state's own timer is due."""
        raise NotImplementedError

    def joined(self, run: Run, frame: Frame) -> None:
        """The frame's branches or iterations have ended, or there is room for another."""
        raise NotImplementedError
