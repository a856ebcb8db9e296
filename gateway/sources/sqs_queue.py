"""The SQS calls of one queue; AWS's errors end here as Unavailable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from gateway.aws.service import Refusal
from gateway.aws.sqs import Sqs
from gateway.errors import Unavailable
from gateway.sources.protocol import Intake

if TYPE_CHECKING:
    from gateway.sources.sqs import SqsSource

Record: TypeAlias = dict[str, Any]
"""A message as SQS gives it: MessageId, ReceiptHandle, Body, Attributes, MessageAttributes."""

_READ_SLACK_SECONDS = 10
_ATTRIBUTES = ["VisibilityTimeout", "RedrivePolicy", "ApproximateNumberOfMessages"]
_REMEDIES = {
    "AWS.SimpleQueueService.NonExistentQueue": (
        "the queue does not exist: check queue_url, region and endpoint_url"
    ),
    "QueueDoesNotExist": "the queue does not exist: check queue_url, region and endpoint_url",
}


class SqsQueue:
    """One queue. Every method raises Unavailable when SQS refuses or is out of reach."""

    def __init__(self, source: SqsSource, intake: Intake) -> None:
        self.name = source.queue_url.rsplit("/", 1)[-1]
        self.fifo = self.name.endswith(".fifo")
        """SQS itself demands the suffix of FIFO queues and refuses it to others."""
        self.visibility_seconds = 30
        """The queue's own setting, as ``refresh`` found it."""
        self.redrives = False
        """Whether the queue moves a message that nobody deletes to a queue for such."""
        self.lag = 0
        """Messages that wait, as far as SQS knows."""
        self._source = source
        self._intake = intake
        self._sqs = Sqs(intake.aws, source.queue_url, source.region, source.endpoint_url)

    async def refresh(self) -> None:
        """Read the queue's settings and how many messages wait."""
        answer = await self._call("GetQueueAttributes", AttributeNames=_ATTRIBUTES)
        attributes = answer.get("Attributes", {})
        self.visibility_seconds = int(attributes.get("VisibilityTimeout", 30))
        self.redrives = "deadLetterTargetArn" in orjson.loads(
            attributes.get("RedrivePolicy") or "{}"
        )
        self.lag = int(attributes.get("ApproximateNumberOfMessages", 0))

    async def receive(self, most: int) -> list[Record]:
        """Wait up to ``wait_seconds`` for up to ``most`` messages."""
        answer = await self._call(
            "ReceiveMessage",
            MaxNumberOfMessages=most,
            WaitTimeSeconds=self._source.wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    async def delete(self, records: Sequence[Record]) -> list[Record]:
        """Delete up to ten messages; returns those for which it is worth trying again."""
        entries = _entries(records)
        answer = await self._call("DeleteMessageBatch", Entries=entries)
        return self._failed("delete", records, answer)

    async def extend(self, records: Sequence[Record]) -> None:
        """Hide up to ten messages for the queue's whole visibility timeout from now on."""
        entries = _entries(records, VisibilityTimeout=self.visibility_seconds)
        answer = await self._call("ChangeMessageVisibilityBatch", Entries=entries)
        self._failed("extend", records, answer)

    def _failed(
        self, operation: str, records: Sequence[Record], answer: dict[str, Any]
    ) -> list[Record]:
        """The records that failed by no fault of ours; the others are beyond help, and logged."""
        again = []
        for entry in answer.get("Failed", []):
            self._intake.log.warning(f"sqs {operation} failed", queue=self.name, **_readable(entry))
            if not entry.get("SenderFault"):
                again.append(records[int(entry["Id"])])
        return again

    async def _call(self, operation: str, **members: Any) -> dict[str, Any]:
        seconds = self._source.wait_seconds + _READ_SLACK_SECONDS
        try:
            return await self._sqs.call(operation, seconds, **members)
        except Refusal as refusal:
            raise Unavailable(
                _REMEDIES.get(refusal.code) or str(refusal), refusal.retry_after
            ) from None


def _entries(records: Sequence[Record], **more: Any) -> list[dict[str, Any]]:
    """Batch entries whose Id is the place of the record."""
    return [
        {"Id": str(place), "ReceiptHandle": record["ReceiptHandle"], **more}
        for place, record in enumerate(records)
    ]


def _readable(entry: dict[str, Any]) -> dict[str, Any]:
    return {"code": entry.get("Code"), "reason": entry.get("Message")}
