"""The virtual sources: the daemon's own work on queues and partitions, over virtual far sides."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import structlog
import trio

from gateway.errors import Unavailable
from gateway.sources.kafka_events import Batch, Partition
from gateway.sources.kafka_partition import PartitionWork
from gateway.sources.kafka_window import Window
from gateway.sources.protocol import Intake, Message, Outcome
from gateway.sources.sqs import SqsSource
from gateway.sources.sqs_work import QueueWork
from gateway.triggers.trigger import Trigger
from tests.simulation.far_sides import Log, Queue

_SQS = SqsSource(type="sqs", queue_url="https://far.example/1/orders", receivers=2, batch_size=4)


def intake(trigger: Trigger, store: Any, now: Callable[[], int]) -> Intake:
    """What the daemon hands to a source."""
    return Intake(
        trigger=trigger.name,
        deliver=trigger.deliver,
        concurrency=8,
        room=trigger.room,
        full=trigger.full,
        positions=store.positions,
        rewind=None,  # type: ignore[arg-type]  # no virtual log is made anew
        report=lambda *_, **__: None,
        in_thread=None,  # type: ignore[arg-type]  # nothing here blocks
        now=now,
        log=structlog.get_logger("source"),
    )


async def read_queue(queue: Queue, given: Intake) -> None:
    """The SQS source's work over the virtual queue."""
    await QueueWork(_SQS, given, queue).run()  # type: ignore[arg-type]


async def read_log(log: Log, given: Intake, dice: Random) -> None:
    """Partitions from their stored positions; now and then all are revoked and assigned again."""
    while True:
        stored = {row.partition: row.offset for row in await given.positions(log.GROUP)}
        async with trio.open_nursery() as nursery:
            window = Window(given.concurrency)
            works = [
                _Partition(log, number, given, window, dice)
                for number in range(len(log.partitions))
            ]
            for number, work in enumerate(works):
                nursery.start_soon(work.feed, stored.get(number, 0))
                nursery.start_soon(work.work.run)
            try:
                await trio.sleep(dice.choice((3, 60, 3600)))
            finally:
                for work in works:
                    work.work.stop(2.0)
            nursery.cancel_scope.cancel()


class _Partition:
    """One assigned partition: a reader at most two batches ahead of the work."""

    def __init__(self, log: Log, number: int, given: Intake, window: Window, dice: Random) -> None:
        self._log = log
        self._number = number
        self._dice = dice
        self._ahead = trio.Semaphore(2)
        partition = Partition(log.TOPIC, number)
        self.work = PartitionWork(
            partition, log.GROUP, given, window, 3, self._settle, lambda reason: None
        )

    def _settle(self, _offset: int, last: bool) -> None:
        if last:
            self._ahead.release()

    async def feed(self, position: int) -> None:
        """Read on from the position."""
        while True:
            await self._ahead.acquire()
            batch = await self._fetch(position)
            self.work.put(batch)
            position = batch.next_offset

    async def _fetch(self, position: int) -> Batch:
        while True:
            batch = self._log.read(self._number, position, self._dice.randint(1, 4))
            if batch is not None:
                return batch
            await self._log.news.wait()


async def call_hook(message: Message, hook: Callable[[], Trigger | None], dice: Random) -> None:
    """One sender of a webhook: it sends again until it is told that the message is taken."""
    while True:
        await trio.sleep(dice.random() * 8)
        trigger = hook()
        if trigger is None:
            return  # The daemon is down; the next one is called by all again.
        outcomes: list[Outcome] = []
        try:
            if trigger.full() is None:
                outcomes = await trigger.deliver([message])
        except Unavailable:
            continue
        if outcomes and dice.random() < 0.8:
            return
