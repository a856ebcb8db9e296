"""Where reading begins in a partition that nobody has read yet."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from gateway.sources.kafka_offsets import start_offsets

AT = datetime(2026, 1, 31, tzinfo=UTC)


class GrowingLog:
    """One partition; a record comes after each question."""

    def __init__(self, end: int, times: dict[int, int]) -> None:
        self.end = end
        self.times = times
        """When each record that matters was written, in ms."""

    async def beginning_offsets(self, partitions):
        """Where the log begins."""
        self.end += 1
        return dict.fromkeys(partitions, 3)

    async def end_offsets(self, partitions):
        """Where it ends now."""
        self.end += 1
        return dict.fromkeys(partitions, self.end - 1)

    async def offsets_for_times(self, moments):
        """The first record at or after the time, of those that are there now."""
        self.end += 1
        return {
            partition: next(
                (SimpleNamespace(offset=o) for o, at in self.times.items() if at >= moment), None
            )
            for partition, moment in moments.items()
        }


@pytest.mark.parametrize(
    ("start", "times", "expected"),
    [
        ("earliest", {}, 3),
        ("latest", {}, 7),
        (AT, {}, 7),
        (AT, {5: int(AT.timestamp() * 1000)}, 5),
    ],
)
async def test_no_record_is_skipped_that_comes_while_the_start_is_looked_up(start, times, expected):
    """Where no record is at or after the time, reading begins at the end as it was before that was
    asked: a record that comes in between is read."""
    assert await start_offsets(GrowingLog(7, times), ["p"], start) == {"p": expected}
