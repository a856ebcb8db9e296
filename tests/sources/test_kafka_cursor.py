"""What the broker is told of a partition's place."""

from __future__ import annotations

from gateway.sources.kafka_cursor import Cursor


def test_what_was_read_of_a_lost_place_says_nothing_of_the_new_one() -> None:
    """The broker would be told the old offset again, and count for more than we do."""
    cursor = Cursor()
    cursor.hand(101)
    cursor.move(0, told=True)
    cursor.settle(90, last=False)
    cursor.settle(101, last=True)
    assert not cursor.due
    cursor.hand(3)
    cursor.settle(3, last=True)
    assert (cursor.due, cursor.settled, cursor.outstanding) == (True, 3, 0)


def test_a_broker_that_was_not_told_of_the_new_place_is_told_later() -> None:
    """Before anything is read there."""
    cursor = Cursor(101, settled=101, committed=101)
    cursor.move(0, told=False)
    assert (cursor.due, cursor.settled) == (True, 0)
    assert cursor.news([], 0)
