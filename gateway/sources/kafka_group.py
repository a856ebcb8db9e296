"""Reading as a member of a consumer group: the trio side of the Kafka source.

One connection after another: a thread with the Kafka loop, and here the answers to its events. What
happens within a partition is ``kafka_partition``'s; what is decided about all of them lives here.
"""

from __future__ import annotations

import contextlib
import functools
import math

import trio

from gateway.errors import Unavailable
from gateway.sources.kafka import KafkaSource
from gateway.sources.kafka_events import (
    Assigned,
    Batch,
    Damaged,
    Event,
    Health,
    OutOfRange,
    Partition,
    Revoked,
)
from gateway.sources.kafka_loop import KafkaLoop
from gateway.sources.kafka_partition import PartitionWork, delays
from gateway.sources.kafka_status import Status
from gateway.sources.kafka_window import Window
from gateway.sources.protocol import Intake

GRACE_SECONDS = 3.0
"""What a delivery under way gets at a rebalance or a stop; less than ``RELEASE_SECONDS``."""


async def read_group(source: KafkaSource, intake: Intake) -> None:
    """Read until cancelled. A cluster that is away is tried again with growing delays."""
    status = Status(source, intake)
    waits = delays()
    while True:
        connection = _Connection(source, intake, status)
        away = await connection.run()
        if connection.joined:
            waits = delays()
        status.trouble("cluster", away.reason)
        await trio.sleep(next(waits))


class _Connection:
    """One Kafka loop in its thread, from joining the group until it fails."""

    def __init__(self, source: KafkaSource, intake: Intake, status: Status) -> None:
        self.joined = False
        self._source = source
        self._intake = intake
        self._status = status
        self._window = Window(intake.concurrency)
        self._works: dict[Partition, PartitionWork] = {}
        self._away = Unavailable("the connection has ended")

    async def run(self) -> Unavailable:
        """Read until the cluster cannot be used any more; returns why."""
        # No bound here: the loop has at most BATCHES_AHEAD batches of each partition outstanding.
        send, events = trio.open_memory_channel[Event](math.inf)
        token = trio.lowlevel.current_trio_token()
        loop = KafkaLoop(
            self._source, lambda event: token.run_sync_soon(_send_unless_closed, send, event)
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_loop, loop, send)
            try:
                async with events, trio.open_nursery() as works:
                    await self._answer(loop, events, works)
            finally:
                loop.stop()
        return self._away

    async def _run_loop(self, loop: KafkaLoop, send: trio.MemorySendChannel[Event]) -> None:
        """The thread. Shielded, since it ends by ``loop.stop`` and then within seconds."""
        with send, trio.CancelScope(shield=True):
            try:
                await trio.to_thread.run_sync(loop.run, limiter=trio.CapacityLimiter(1))
            except Unavailable as away:
                self._away = away

    async def _answer(
        self, loop: KafkaLoop, events: trio.MemoryReceiveChannel[Event], nursery: trio.Nursery
    ) -> None:
        try:
            async for event in events:
                match event:
                    case Assigned():
                        await self._assigned(event, loop, nursery)
                    case Revoked(generation):
                        await self._revoked()
                        loop.release(generation)
                    case Batch(partition):
                        self._status.damaged(partition, None)
                        if work := self._works.get(partition):
                            work.put(event)
                    case OutOfRange(partition, position, next_offset):
                        self._status.out_of_range(partition, position, next_offset)
                        if work := self._works.get(partition):
                            work.put(event)
                    case Damaged(partition):
                        self._status.damaged(partition, event)
                    case Health():
                        self._status.health(event)
        finally:
            self._stop()

    async def _assigned(self, event: Assigned, loop: KafkaLoop, nursery: trio.Nursery) -> None:
        """Begin the work on our partitions, from the positions as they are now."""
        self.joined = True
        for partition in event.partitions:
            self._works[partition] = self._work(partition, event.generation, loop)
            nursery.start_soon(self._works[partition].run)
        rows = {
            Partition(row.topic, row.partition): row.offset
            for row in await self._intake.positions(self._source.group)
        }
        self._status.assigned({partition: rows.get(partition) for partition in event.partitions})
        loop.begin(event.generation, rows)

    def _work(self, partition: Partition, generation: int, loop: KafkaLoop) -> PartitionWork:
        def settle(offset: int, last: bool) -> None:
            self._status.settled(partition, offset)
            loop.settle(generation, partition, offset, last=last)

        return PartitionWork(
            partition,
            self._source.group,
            self._intake,
            self._window,
            min(self._source.batch_size, self._intake.concurrency),
            settle,
            functools.partial(self._status.trouble, str(partition)),
        )

    async def _revoked(self) -> None:
        works = list(self._works.values())
        self._stop()
        for work in works:
            await work.ended.wait()

    def _stop(self) -> None:
        for work in self._works.values():
            work.stop(GRACE_SECONDS)
        self._works.clear()


def _send_unless_closed(send: trio.MemorySendChannel[Event], event: Event) -> None:
    with contextlib.suppress(trio.ClosedResourceError, trio.BrokenResourceError):
        send.send_nowait(event)
