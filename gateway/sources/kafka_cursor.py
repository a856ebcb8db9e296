"""How far one assigned partition has come: handed over, on disk, known to the broker. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.sources.kafka_events import Record

BATCHES_AHEAD = 2
"""Batches of a partition that the trio side has at a time; then it is paused. The second one is
there so that the next fetch overlaps the work on the first."""


@dataclass(slots=True)
class Cursor:
    """Where one partition stands."""

    handed: int = -1
    """Everything below went to the trio side, or was stored before; -1 where nothing was."""
    settled: int | None = None
    """Everything below is on disk, as far as we were told."""
    committed: int | None = None
    """The last ``settled`` that the broker has."""
    outstanding: int = 0
    """Batches that went to the trio side and are not settled."""
    passed: int = 0
    """How many of these are of a place that the log no longer has; they say nothing of the new."""

    @property
    def full(self) -> bool:
        """Nothing more may be handed over."""
        return self.outstanding >= BATCHES_AHEAD

    @property
    def due(self) -> bool:
        """The broker does not have what is settled."""
        return self.settled != self.committed

    def news(self, records: Sequence[Record], next_offset: int) -> bool:
        """Whether there is something to hand over: records, or a log that went on without any."""
        return bool(records) or next_offset > self.handed

    def hand(self, next_offset: int) -> None:
        """A batch up to there goes to the trio side."""
        self.handed = next_offset
        self.outstanding += 1

    def settle(self, offset: int, *, last: bool) -> None:
        """Everything below is on disk; ``last`` says that the batch is done with it."""
        self.outstanding -= last
        if self.passed:
            self.passed -= last
        else:
            self.settled = offset

    def move(self, offset: int) -> None:
        """The log goes on there, whatever is in work."""
        # One below: the new place itself is news. Were it not stored until a record comes, a start
        # would ask for the lost position again, and `latest` would skip what came meanwhile.
        self.handed = offset - 1
        self.settled, self.committed = offset, None
        self.passed = self.outstanding
