"""What happened, in order: kept cheaply, told in words only when a seed has failed."""

from __future__ import annotations

from collections import Counter

import trio

from tests.simulation.coverage import KINDS

WIDTH = 400
KEPT = 4000
"""Of a run that never ends, the last so many."""


class Trace:
    """Events of one run."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        """How often what happened; ``coverage.py`` has the list."""
        self._events: list[tuple[float, str, tuple[object, ...]]] = []

    def seen(self, kind: str) -> None:
        """Something of this kind has happened, which is one of those that are known."""
        assert kind in KINDS, kind
        self.kinds[kind] += 1

    def say(self, who: str, *what: object) -> None:
        """Somebody did something, now."""
        self._events.append((trio.current_time(), who, what))

    def lines(self) -> list[str]:
        """One line for each event, with the seconds of the virtual clock."""
        if not self._events:
            return []
        start = self._events[0][0]
        return [
            f"{at - start:10.3f}  {who:<10} {' '.join(map(str, what))[:WIDTH]}"
            for at, who, what in self._events[-KEPT:]
        ]
