"""The ``sqs`` sink, above all the target of a trigger's ``dead_letter``: one SendMessage each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from gateway.aws.sqs import Sqs
from gateway.errors import Unavailable
from gateway.sinks.aws import ANSWER_SECONDS, group_id, judged
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
    queue_url: Annotated[
        str,
        Field(
            pattern=r"^https?://[^/]+/.+$",
            examples=["https://sqs.us-east-1.amazonaws.com/123456789012/orders"],
        ),
    ]
    """The queue, as GetQueueUrl gives it."""
    region: str | None = None
    """Default: that of the queue's URL, else that of the AWS environment, else ``region``."""
    endpoint_url: str | None = None
    """Overrides ``AWS_ENDPOINT_URL_SQS`` and ``AWS_ENDPOINT_URL``."""

    async def send(self, notification: Notification, outlet: Outlet) -> None:
        """Send it once. Raises Unavailable and Rejected."""
        document = notification.event if notification.message is None else notification.message
        message: dict[str, Any] = {"MessageBody": to_json(document)}
        if self.queue_url.endswith(".fifo"):
            message["MessageGroupId"] = group_id(notification)
            message["MessageDeduplicationId"] = notification.id
        sqs = Sqs(outlet.aws, self.queue_url, self.region, self.endpoint_url)
        with judged():
            answer = await sqs.call("SendMessage", ANSWER_SECONDS, **message)
        if "MessageId" not in answer:
            # A proxy's answer of 200 is no acceptance.
            raise Unavailable("answered without a MessageId: that was not SQS, or not all of it")
