"""The work on one assigned partition: its batches in order, each chunk of one a unit on disk.

A chunk's messages and the position behind them are delivered together; the position is told to the
Kafka loop only then. Partitions know nothing of each other but the window that they share.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random

import trio

from gateway.errors import Unavailable
from gateway.sources.kafka_events import Batch, OutOfRange, Partition, Record
from gateway.sources.kafka_message import message_of
from gateway.sources.kafka_window import Window
from gateway.sources.protocol import Intake
from gateway.store.rows import PositionRow


def delays(first: float = 0.5, most: float = 30.0) -> Iterator[float]:
    """Seconds to wait after each failure in a row: doubling, with 20 % of jitter."""
    dice = Random()
    while True:
        yield first * dice.uniform(0.8, 1.2)
        first = min(first * 2, most)


class PartitionWork:
    """One partition of one generation. ``settle(offset, last)`` hears of each chunk on disk, and
    ``trouble(reason)`` of what keeps it from there; None when that is over."""

    def __init__(
        self,
        partition: Partition,
        group: str,
        intake: Intake,
        window: Window,
        chunk_size: int,
        settle: Callable[[int, bool], None],
        trouble: Callable[[str | None], None],
    ) -> None:
        self.ended = trio.Event()
        self._partition = partition
        self._group = group
        self._intake = intake
        self._window = window
        self._chunk_size = chunk_size
        self._settle = settle
        self._trouble = trouble
        # No bound here: the loop pauses a partition that has BATCHES_AHEAD batches outstanding.
        self._send, self._inbox = trio.open_memory_channel[Batch | OutOfRange](math.inf)
        self._waiting = trio.CancelScope()
        self._delivery = trio.CancelScope(shield=True)
        self._deadline = math.inf

    def put(self, news: Batch | OutOfRange) -> None:
        """Queue the next batch, or that the log goes on elsewhere."""
        self._send.send_nowait(news)

    def stop(self, grace: float) -> None:
        """Take up nothing more; a delivery under way has ``grace`` seconds to become durable."""
        self._waiting.cancel()
        self._deadline = trio.current_time() + grace
        self._delivery.deadline = self._deadline

    async def run(self) -> None:
        """Work until stopped."""
        try:
            with self._waiting, self._send, self._inbox:
                async for news in self._inbox:
                    match news:
                        case Batch():
                            await self._take(news)
                        case OutOfRange():
                            await self._go_back(news)
        finally:
            self.ended.set()

    async def _take(self, batch: Batch) -> None:
        """Deliver the batch in chunks; an empty one is one chunk that only moves the position."""
        done, total = 0, len(batch.records)
        while True:
            await self._intake.room()
            places = await self._window.take(min(self._chunk_size, total - done))
            try:
                chunk = batch.records[done : done + places]
                done += places
                offset = batch.next_offset if done == total else chunk[-1].offset + 1
                await self._deliver(chunk, offset)
            finally:
                self._window.give(places)
            self._settle(offset, done == total)
            if done == total:
                return

    async def _go_back(self, news: OutOfRange) -> None:
        """The log was made anew: a position beyond it would have a restart skip its records."""
        if news.next_offset < news.position:
            row = PositionRow(self._group, *self._partition, news.next_offset)
            await self._until_durable(lambda: self._intake.rewind(row))
            self._settle(news.next_offset, False)

    async def _deliver(self, chunk: Sequence[Record], offset: int) -> None:
        """Return when the chunk is on disk."""
        received_at = self._intake.now()
        messages = [message_of(record, received_at) for record in chunk]
        row = PositionRow(self._group, *self._partition, offset)
        await self._until_durable(lambda: self._intake.deliver(messages, positions=[row]))

    async def _until_durable(self, write: Callable[[], Awaitable[object]]) -> None:
        """What cannot be written now is tried again in place."""
        for delay in delays():
            try:
                with trio.CancelScope(shield=True, deadline=self._deadline) as self._delivery:
                    await write()
                    self._trouble(None)
                    return
                await trio.lowlevel.checkpoint_if_cancelled()  # stopped, and the grace is over
            except Unavailable as away:
                self._trouble(away.reason)
                await trio.sleep(delay if away.retry_after is None else away.retry_after)
