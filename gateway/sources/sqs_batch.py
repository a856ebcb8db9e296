"""The messages of one receive call, from their receipt to their deletion.

A message is deleted only when its outcome is on disk. One that is refused without a letter comes
again by itself when its visibility times out; nothing here makes that happen sooner, so a failure
is never a hot loop.
"""

from __future__ import annotations

from collections.abc import Sequence

import trio

from gateway.errors import Unavailable
from gateway.sources.protocol import Filtered, Intake, Outcome, Refused, Started
from gateway.sources.sqs_health import QueueHealth
from gateway.sources.sqs_message import group_of, to_message
from gateway.sources.sqs_queue import Record, SqsQueue

_DELETE_AGAIN_SECONDS = (0.2, 1.0, 3.0)


class Batch:
    """Up to ten messages of one queue."""

    def __init__(
        self, records: list[Record], queue: SqsQueue, intake: Intake, health: QueueHealth
    ) -> None:
        self._in_work = {record["MessageId"]: record for record in records}
        """Those that are not deleted yet and have not been left to the queue."""
        self._queue = queue
        self._intake = intake
        self._health = health

    async def work(self) -> None:
        """Deliver in the queue's order, delete what was taken, leave the rest."""
        async with trio.open_nursery() as hiding:
            hiding.start_soon(self._keep_hidden)
            async with trio.open_nursery() as delivering:
                for line in self._lines():
                    delivering.start_soon(self._deliver_line, line)
            await self._delete(list(self._in_work.values()))
            hiding.cancel_scope.cancel()

    def _lines(self) -> list[list[list[Record]]]:
        """What may go side by side; each is a row of units that go one after the other.

        A standard queue has one unit of all messages. In a FIFO queue each group is a line of
        single messages, since none may start before it is known that the one before it did.
        """
        records = list(self._in_work.values())
        if not self._queue.fifo:
            return [[records]]
        lines: dict[str, list[list[Record]]] = {}
        for record in records:
            lines.setdefault(group_of(record), []).append([record])
        return list(lines.values())

    async def _deliver_line(self, units: list[list[Record]]) -> None:
        """Go on as long as all of a unit is taken; what is not, and what follows it, is left."""
        for place, unit in enumerate(units):
            left = await self._deliver(unit)
            if left:
                self._leave([*left, *(record for rest in units[place + 1 :] for record in rest)])
                return

    async def _deliver(self, unit: Sequence[Record]) -> list[Record]:
        """Hand a unit to the trigger; returns the records that the queue has to keep."""
        now = self._intake.now()
        messages = [to_message(record, self._queue.name, now) for record in unit]
        outcomes = None
        while outcomes is None:
            try:
                outcomes = await self._intake.deliver(messages, redrives=self._queue.redrives)
            except Unavailable as error:
                # They stay ours, and hidden: each time that they came again would count, and the
                # queue would park them for what is wrong with our disk.
                self._health.failed(error.reason, error.retry_after)
                await self._health.recovered()
        self._health.succeeded()
        judged = zip(unit, outcomes, strict=True)
        return [record for record, outcome in judged if not _is_kept_by_us(outcome)]

    def _leave(self, records: Sequence[Record]) -> None:
        for record in records:
            del self._in_work[record["MessageId"]]

    async def _keep_hidden(self) -> None:
        """Extend the visibility of what is in work at half of the queue's own timeout."""
        while seconds := self._queue.visibility_seconds:
            await trio.sleep(seconds / 2)
            if self._in_work:
                await self._extend(list(self._in_work.values()))

    async def _extend(self, records: Sequence[Record]) -> None:
        try:
            await self._queue.extend(records)
        except Unavailable as error:
            # They may come a second time: that starts nothing twice, and deletes them then.
            self._intake.log.warning(
                "sqs could not hide messages in work for longer",
                queue=self._queue.name,
                reason=error.reason,
            )

    async def _delete(self, records: list[Record]) -> None:
        for seconds in (0.0, *_DELETE_AGAIN_SECONDS):
            if not records:
                return
            await trio.sleep(seconds)
            try:
                records = await self._queue.delete(records)
            except Unavailable as error:
                self._intake.log.warning(
                    "sqs could not delete", queue=self._queue.name, reason=error.reason
                )
        if records:
            self._intake.log.warning(
                "sqs messages are taken but not deleted: they will come again as duplicates",
                queue=self._queue.name,
                messages=[record["MessageId"] for record in records],
            )


def _is_kept_by_us(outcome: Outcome) -> bool:
    """Whether the queue need not keep the message any more."""
    match outcome:
        case Started() | Filtered():
            return True
        case Refused(_, letter):
            return letter is not None
