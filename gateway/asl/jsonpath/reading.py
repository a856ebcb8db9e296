"""One reading of a path: the document, and what finding something in it may still cost.

A filter asks its question of each element, and the question may go through the whole document:
256 KB are enough for hours, in which nothing else would happen.
"""

from __future__ import annotations

from typing import Final

from gateway.asl.errors import StateError
from gateway.asl.scope import Json

MOST_WORK: Final = 2_000_000
"""Values that one reading may look at, each of them as often as it does: a second or two."""
PATTERN_SECONDS: Final = 0.1
"""What all the patterns of one reading may take of the processor, which is what regex counts."""


class Reading:
    """The document that a path is read in, from its beginning to its end."""

    def __init__(self, document: Json) -> None:
        self.document = document
        self.pattern_seconds = PATTERN_SECONDS
        self._work = MOST_WORK

    def spend(self, values: int) -> None:
        """Pay for looking at so many values. StateError: it was too much."""
        self._work -= values
        if self._work < 0:
            cause = f"A JSONPath looked at more than {MOST_WORK} values"
            raise StateError("States.Runtime", cause, located=True)


def weight(value: Json) -> int:
    """How many values there are in a value, itself included."""
    count = 0
    waiting = [value]
    while waiting:
        each = waiting.pop()
        count += 1
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return count
