"""The ``sqs`` sink, above all the target of a trigger's ``dead_letter``: one SendMessage each."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.sinks.aws import AwsClient, group_id
from gateway.sinks.encoding import to_json
from gateway.sinks.protocol import Notification, Outlet
from gateway.strict import Strict


class SqsSink(Strict):
    """Sends each notification, or each letter of a trigger, to an SQS queue as JSON.

    A letter has ``letter`` (its id), ``trigger``, ``reason``, ``coordinates``, ``created_at`` and
    the whole ``message``. On a FIFO queue the execution or the trigger is the message group, and
    the notification's id deduplicates.
    """

    type: Literal["sqs"]
    """``sqs``"""
    queue_url: Annotated[str, Field(pattern=r"^https?://[^/]+/.+$")]
    """The queue, as GetQueueUrl gives it."""
    region: str | None = None
    """Default: that of the queue's URL, else that of the AWS environment, else ``region``."""
    endpoint_url: str | None = None
    """Overrides ``AWS_ENDPOINT_URL_SQS`` and ``AWS_ENDPOINT_URL``."""

    @cached_property
    def _client(self) -> AwsClient:
        return AwsClient("sqs", self.region or _region(self.queue_url), self.endpoint_url)

    async def send(self, notification: Notification, outlet: Outlet) -> None:
        """Send it once. Raises what ``AwsClient`` raises."""
        document = notification.event if notification.message is None else notification.message
        message: dict[str, Any] = {"QueueUrl": self.queue_url, "MessageBody": to_json(document)}
        if self.queue_url.endswith(".fifo"):
            message["MessageGroupId"] = group_id(notification)
            message["MessageDeduplicationId"] = notification.id
        await outlet.in_thread(self._client.call, "send_message", outlet.region, message)


def _region(queue_url: str) -> str | None:
    match = re.match(r"https?://sqs\.([a-z0-9-]+)\.amazonaws\.com", queue_url)
    return match[1] if match else None
