"""The work on one partition, without a broker: order, chunks, retry, stop; the shared window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from kafka_rig import KafkaTrigger
from test_kafka_message import Record

from gateway.errors import Unavailable
from gateway.sources.kafka_events import Batch, OutOfRange, Partition
from gateway.sources.kafka_partition import PartitionWork
from gateway.sources.kafka_window import Window

PLACE = Partition("orders", 0)


class Bench:
    """One partition at work, and what it told."""

    def __init__(self, trigger: KafkaTrigger, window: Window, chunk_size: int) -> None:
        self.trigger = trigger
        self.settled: list[tuple[int, bool]] = []
        self.troubles: list[str | None] = []
        self.work = PartitionWork(
            PLACE,
            "group",
            trigger.intake(),
            window,
            chunk_size,
            lambda offset, last: self.settled.append((offset, last)),
            self.troubles.append,
        )


@asynccontextmanager
async def working(
    trigger: KafkaTrigger, *, window: int = 100, chunk_size: int = 10
) -> AsyncIterator[Bench]:
    """Run the work while the body runs; then stop it without grace."""
    bench = Bench(trigger, Window(window), chunk_size)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bench.work.run)
        yield bench
        bench.work.stop(0)


def batch(first: int, end: int, next_offset: int | None = None) -> Batch:
    """Records with these offsets; behind them the log may have gone further."""
    records = [Record(offset=offset, partition=0) for offset in range(first, end)]
    return Batch(PLACE, records, end if next_offset is None else next_offset)


async def test_batches_become_units_in_order(autojump_clock: trio.testing.MockClock) -> None:
    """Only the end of a batch passes the markers behind it; each chunk is settled when durable."""
    async with working(KafkaTrigger(), chunk_size=4) as bench:
        bench.work.put(batch(0, 10, next_offset=12))
        bench.work.put(batch(12, 13))
        await trio.testing.wait_all_tasks_blocked()
        assert bench.settled == [(4, False), (8, False), (12, True), (13, True)]
        assert bench.trigger.offsets() == [*range(10), 12]


async def test_an_empty_batch_moves_the_position(autojump_clock: trio.testing.MockClock) -> None:
    """It takes no place in the window, so it cannot wait for one."""
    async with working(KafkaTrigger(), window=1) as bench:
        bench.work.put(batch(0, 0, next_offset=7))
        await trio.testing.wait_all_tasks_blocked()
        assert bench.settled == [(7, True)]
        assert bench.trigger.rows == {("orders", 0): 7}


async def test_a_log_that_was_made_anew_takes_the_position_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """The position of the old log would have a restart skip what the new one has below it. What
    came before the news is on disk first; without room on the disk it waits."""
    trigger = KafkaTrigger()
    async with working(trigger) as bench:
        bench.work.put(batch(90, 100))
        bench.work.put(OutOfRange(PLACE, position=100, next_offset=0))
        await trio.testing.wait_all_tasks_blocked()
        assert trigger.rows == {("orders", 0): 0}
        trigger.closed = Unavailable("full")
        bench.work.put(OutOfRange(PLACE, position=7, next_offset=3))
        bench.work.put(batch(3, 5))
        await trio.sleep(60)
        assert bench.troubles[-1] == "full"
        trigger.closed = None
        await trio.sleep(60)
        assert bench.settled == [(100, True), (0, False), (3, False), (5, True)]
        assert trigger.rows == {("orders", 0): 5}


async def test_unavailable_is_tried_again_and_told(autojump_clock: trio.testing.MockClock) -> None:
    """With growing delays, or when the far side says; what follows waits."""
    trigger = KafkaTrigger()
    trigger.closed = Unavailable("full")
    async with working(trigger) as bench:
        began = trio.current_time()
        bench.work.put(batch(0, 2))
        bench.work.put(batch(2, 3))
        await trio.sleep(3600)
        assert bench.settled == []
        assert set(bench.troubles) == {"full"}
        assert 100 < len(bench.troubles) < 200
        trigger.closed = Unavailable("full", retry_after=1000)
        await trio.sleep(60)
        trigger.closed = None
        await trio.sleep(900)
        assert bench.settled == []
        await trio.sleep(101)
        assert bench.settled == [(2, True), (3, True)]
        assert bench.troubles[-1] is None
        assert trio.current_time() > began


async def test_a_stop_lets_a_delivery_become_durable(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Within the grace it is settled; nothing more is taken up."""
    trigger = KafkaTrigger()
    trigger.gate = trio.Event()
    async with working(trigger) as bench:
        bench.work.put(batch(0, 2))
        bench.work.put(batch(2, 3))
        await trio.testing.wait_all_tasks_blocked()
        bench.work.stop(5)
        await trio.sleep(4)
        assert not bench.work.ended.is_set()
        trigger.gate.set()
        await bench.work.ended.wait()
    assert bench.settled == [(2, True)]


async def test_a_stop_waits_no_longer_than_the_grace(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """A delivery that hangs is given up; it is not settled, so it comes again."""
    trigger = KafkaTrigger()
    trigger.gate = trio.Event()
    async with working(trigger) as bench:
        bench.work.put(batch(0, 2))
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        bench.work.stop(5)
        await bench.work.ended.wait()
        assert trio.current_time() - began == pytest.approx(5)
    assert bench.settled == []


async def test_a_stop_ends_a_back_off_at_once(autojump_clock: trio.testing.MockClock) -> None:
    """Nothing is under way then, so nothing is waited for."""
    trigger = KafkaTrigger()
    trigger.closed = Unavailable("full", retry_after=1000)
    async with working(trigger) as bench:
        bench.work.put(batch(0, 2))
        await trio.testing.wait_all_tasks_blocked()
        began = trio.current_time()
        bench.work.stop(5)
        await bench.work.ended.wait()
        assert trio.current_time() == began


async def test_the_window_grants_what_is_free(autojump_clock: trio.testing.MockClock) -> None:
    """At least one place, at most those free, none beyond the size."""
    window = Window(5)
    assert await window.take(3) == 3
    assert await window.take(3) == 2
    assert await window.take(0) == 0
    granted: list[int] = []

    async def waits() -> None:
        granted.append(await window.take(9))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits)
        await trio.testing.wait_all_tasks_blocked()
        assert granted == []
        window.give(2)
        await trio.testing.wait_all_tasks_blocked()
        assert granted == [2]
