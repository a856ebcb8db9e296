"""What the broker is told of a partition's place."""

from __future__ import annotations

from gateway.sources.kafka_cursor import Cursor


def test_what_was_read_of_a_lost_place_says_nothing_of_the_new_one() -> None:
    """The broker would be told the old offset again, and count for more than we do."""
    cursor = Cursor(90, settled=90, committed=90)
    cursor.hand(101)
    cursor.move(0)
    assert (cursor.due, cursor.settled) == (True, 0)
    assert cursor.news([], 0)
    cursor.settle(95, last=False)
    cursor.settle(101, last=True)
    assert cursor.settled == 0
    cursor.hand(3)
    cursor.settle(3, last=True)
    assert (cursor.settled, cursor.outstanding) == (3, 0)
