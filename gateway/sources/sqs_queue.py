"""The SQS calls of one queue, made in threads; AWS's errors end here as Unavailable."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import orjson

from gateway.errors import Unavailable
from gateway.sources.protocol import Intake

if TYPE_CHECKING:
    from gateway.sources.sqs import SqsSource

Record: TypeAlias = dict[str, Any]
"""A message as boto3 gives it: MessageId, ReceiptHandle, Body, Attributes, MessageAttributes."""

_CONNECT_SECONDS = 5
_READ_SLACK_SECONDS = 10
_ATTRIBUTES = ["VisibilityTimeout", "RedrivePolicy", "ApproximateNumberOfMessages"]
_REMEDIES = {
    "AWS.SimpleQueueService.NonExistentQueue": (
        "the queue does not exist: check queue_url, region and endpoint_url"
    ),
    "QueueDoesNotExist": "the queue does not exist: check queue_url, region and endpoint_url",
    "NoCredentialsError": (
        "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"
    ),
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
        self._client: Any = None

    async def refresh(self) -> None:
        """Read the queue's settings and how many messages wait."""
        answer = await self._call("get_queue_attributes", AttributeNames=_ATTRIBUTES)
        attributes = answer.get("Attributes", {})
        self.visibility_seconds = int(attributes.get("VisibilityTimeout", 30))
        self.redrives = "deadLetterTargetArn" in orjson.loads(
            attributes.get("RedrivePolicy") or "{}"
        )
        self.lag = int(attributes.get("ApproximateNumberOfMessages", 0))

    async def receive(self, most: int) -> list[Record]:
        """Wait up to ``wait_seconds`` for up to ``most`` messages."""
        answer = await self._call(
            "receive_message",
            MaxNumberOfMessages=most,
            WaitTimeSeconds=self._source.wait_seconds,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return list(answer.get("Messages", []))

    async def delete(self, records: Sequence[Record]) -> list[Record]:
        """Delete up to ten messages; returns those for which it is worth trying again."""
        entries = _entries(records)
        answer = await self._call("delete_message_batch", Entries=entries)
        return self._failed("delete", records, answer)

    async def extend(self, records: Sequence[Record]) -> None:
        """Hide up to ten messages for the queue's whole visibility timeout from now on."""
        entries = _entries(records, VisibilityTimeout=self.visibility_seconds)
        answer = await self._call("change_message_visibility_batch", Entries=entries)
        self._failed("extend", records, answer)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()

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

    async def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = await self._intake.in_thread(
            self._call_blocking, operation, {"QueueUrl": self._source.queue_url, **arguments}
        )
        return answer

    def _call_blocking(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError

        try:
            if self._client is None:
                self._client = self._build()
            call: Callable[..., dict[str, Any]] = getattr(self._client, operation)
            return call(**arguments)
        except ClientError as error:
            raise _unavailable(error.response.get("Error", {}).get("Code", ""), error) from None
        except (BotoCoreError, ResponseParserError) as error:
            raise _unavailable(type(error).__name__, error) from None

    def _build(self) -> Any:
        """A client with the standard AWS environment; it does not retry, for we back off."""
        import boto3
        from botocore.config import Config

        session = boto3.Session()
        region = self._source.region or _region(self._source.queue_url) or session.region_name
        client = session.client(
            "sqs",
            region_name=region or self._intake.region,
            endpoint_url=self._source.endpoint_url,
            config=Config(
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=self._source.wait_seconds + _READ_SLACK_SECONDS,
                max_pool_connections=self._source.receivers + 16,
                retries={"total_max_attempts": 1},
            ),
        )
        client.meta.events.register("after-call.sqs", _check_document)
        return client


def _check_document(http_response: Any, **_: Any) -> None:
    """botocore takes any body of a 200, a proxy's page or half an answer, for an empty answer: a
    receive that finds nothing, and at once. Raises Unavailable."""
    if http_response.status_code == 200:
        try:
            orjson.loads(http_response.content or b"{}")
        except orjson.JSONDecodeError:
            raise Unavailable("the answer is no JSON: that was not SQS, or not all of it") from None


def _entries(records: Sequence[Record], **more: Any) -> list[dict[str, Any]]:
    """Batch entries whose Id is the place of the record."""
    return [
        {"Id": str(place), "ReceiptHandle": record["ReceiptHandle"], **more}
        for place, record in enumerate(records)
    ]


def _readable(entry: dict[str, Any]) -> dict[str, Any]:
    return {"code": entry.get("Code"), "reason": entry.get("Message")}


def _region(queue_url: str) -> str | None:
    """The region that an AWS queue's URL names."""
    match = re.match(r"https?://sqs\.([a-z0-9-]+)\.amazonaws\.com", queue_url)
    return match[1] if match else None


def _unavailable(code: str, error: Exception) -> Unavailable:
    return Unavailable(_REMEDIES.get(code) or f"{code}: {error}")
