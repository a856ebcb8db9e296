"""A queue in work: the receive calls, and what keeps watch over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from gateway.errors import Unavailable
from gateway.sources.protocol import Intake
from gateway.sources.sqs_batch import Batch
from gateway.sources.sqs_flow import Slots, open_graceful_nursery
from gateway.sources.sqs_health import QueueHealth
from gateway.sources.sqs_queue import Record, SqsQueue

if TYPE_CHECKING:
    from gateway.sources.sqs import SqsSource

_GRACE_SECONDS = 5.0
_REFRESH_SECONDS = 30.0


async def run_queue(source: SqsSource, intake: Intake) -> None:
    """Receive, deliver and delete until cancelled; what is in work then gets a few seconds."""
    await QueueWork(source, intake, SqsQueue(source, intake)).run()


class QueueWork:
    """The receivers of one queue and the batches that they received."""

    def __init__(self, source: SqsSource, intake: Intake, queue: SqsQueue) -> None:
        self._source = source
        self._intake = intake
        self._queue = queue
        self._health = QueueHealth(intake, queue.name)
        self._slots = Slots(intake.concurrency)

    async def run(self) -> None:
        """Until cancelled."""
        self._health.starting()
        await self._open()
        async with open_graceful_nursery(_GRACE_SECONDS) as batches, trio.open_nursery() as nursery:
            nursery.start_soon(self._watch)
            for _ in range(self._source.receivers):
                nursery.start_soon(self._receive_on, batches)

    async def _open(self) -> None:
        """Before anything is received it must be known whether the queue redrives."""
        while True:
            await self._health.recovered()
            try:
                await self._queue.refresh()
            except Unavailable as error:
                self._health.failed(error.reason)
            else:
                self._health.succeeded()
                return

    async def _watch(self) -> None:
        """Report the lag and follow changes of the queue's settings."""
        while True:
            self._health.running(self._queue.lag)
            await trio.sleep(_REFRESH_SECONDS)
            try:
                await self._queue.refresh()
            except Unavailable as error:
                self._intake.log.warning(
                    "sqs could not read the queue's settings",
                    queue=self._queue.name,
                    reason=error.reason,
                )

    async def _receive_on(self, batches: trio.Nursery) -> None:
        while True:
            await self._health.recovered()
            await self._intake.room()
            slots = await self._slots.take(self._source.batch_size)
            records: list[Record] = []
            try:
                records = await self._queue.receive(slots)
            except Unavailable as error:
                self._health.failed(error.reason, error.retry_after)
            else:
                if not records:
                    self._health.succeeded()
            finally:
                self._slots.give(slots - len(records))
            if records:
                # No checkpoint since the receipt: a message in hand is always in somebody's work.
                batches.start_soon(self._work, records)

    async def _work(self, records: list[Record]) -> None:
        try:
            await Batch(records, self._queue, self._intake, self._health).work()
        finally:
            self._slots.give(len(records))
