"""One evaluation: what it may still spend, its time, its dice and its variables."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from random import Random
from typing import Final

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.values import UNDEFINED, Function, Value

MOST_WORK: Final = 250_000
"""Units of work of one evaluation: a node evaluated, an element or a few characters made."""
MOST_DEEP: Final = 1_500
"""Nodes inside nodes at any moment of an evaluation, calls included."""
CHARACTERS: Final = 16
"""Characters made for one unit of work."""
PATTERN_SECONDS: Final = 0.1
"""What all the regular expressions of one evaluation may take of the processor, which is what
regex counts: another program's work fails no state."""


class Run:
    """The bounds of an evaluation, counted in work and not in time: its end is always the same."""

    def __init__(self, make_random: Callable[[], Random], at: int) -> None:
        self.at = at
        self.work = MOST_WORK
        self.depth = 0
        self.pattern_seconds = PATTERN_SECONDS
        self._make_random = make_random

    @cached_property
    def pictures(self) -> set[str]:
        """Those by which a text was read already."""
        return set()

    @cached_property
    def random(self) -> Random:
        """The dice; to seed them costs more than most expressions."""
        return self._make_random()

    def spend(self, units: int) -> None:
        """Pay before working. JsonataError: it was too much."""
        self.work -= units
        if self.work < 0:
            raise JsonataError(
                f"The expression takes more than {MOST_WORK} steps or builds as many values"
            )

    def spend_text(self, characters: int) -> None:
        """Pay for a text before it is made."""
        self.spend(1 + characters // CHARACTERS)

    def holds(self, value: Value) -> bool:
        """Whether it counts as true in a condition: a list does if one of its elements does."""
        if not isinstance(value, list):
            return value is not UNDEFINED and not isinstance(value, Function) and bool(value)
        for each in value:
            self.spend(1)
            if self.holds(each):
                return True
        return False

    def enter(self, height: int) -> None:
        """Go down into a function of so many nodes inside nodes; ``leave`` comes back."""
        self.depth += height
        if self.depth > MOST_DEEP:
            raise failure("D1011")

    def leave(self, height: int) -> None:
        """Come back from it. Not called after an error, which ends the evaluation."""
        self.depth -= height


class Frame:
    """Variables of a block or call, and those around it."""

    __slots__ = ("names", "parent", "run")

    def __init__(self, names: dict[str, Value], run: Run, parent: Frame | None = None) -> None:
        self.names = names
        self.run = run
        self.parent = parent

    def inner(self, names: dict[str, Value]) -> Frame:
        """A frame inside this one."""
        return Frame(names, self.run, self)

    def lookup(self, name: str) -> Value:
        """The value of a variable in the nearest frame that has it."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.parent
        return UNDEFINED
