"""The ``sns`` sink: one Publish per notification."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.aws.sns import publish
from gateway.errors import Rejected
from gateway.sinks.aws import ANSWER_SECONDS, group_id, judged
from gateway.sinks.encoding import to_json
from gateway.sinks.protocol import Json, Notification, Outlet
from gateway.strict import Strict

_LIMIT_BYTES = 262_144
"""SNS's limit of a message, its attributes included."""


class SnsSink(Strict):
    """Publishes each notification, or each letter of a trigger, to an SNS topic.

    It has the message attributes ``status`` and ``stateMachineArn`` to filter subscriptions by,
    ``late`` where it is sent again by hand, and ``traceparent`` where the execution has one.
    On a FIFO topic the execution is the message group and the notification's id deduplicates. Where
    an event is over SNS's 256 KB, its output is left out, then its input (``included: false``).
    """

    type: Literal["sns"]
    """``sns``"""
    topic_arn: Annotated[
        str,
        Field(
            pattern=r"^arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[\w-]+(\.fifo)?$",
            examples=["arn:aws:sns:us-east-1:123456789012:orders"],
        ),
    ]
    """The topic."""
    region: str | None = None
    """Default: the topic's, from its ARN."""
    endpoint_url: str | None = None
    """Overrides ``AWS_ENDPOINT_URL_SNS`` and ``AWS_ENDPOINT_URL``."""

    async def send(self, notification: Notification, outlet: Outlet) -> None:
        """Publish it once. Raises Rejected where it is too long, and Unavailable."""
        attributes = _attributes(notification)
        room = _LIMIT_BYTES - sum(len(name) + 6 + len(text) for name, text in attributes.items())
        members = {"TopicArn": self.topic_arn, "Message": _fitting(notification, room)}
        if self.topic_arn.endswith(".fifo"):
            members["MessageGroupId"] = group_id(notification)
            members["MessageDeduplicationId"] = notification.id
        region = self.region or self.topic_arn.split(":")[3]
        place = (outlet.aws, region, self.endpoint_url)
        with judged():
            await publish(*place, members, attributes, ANSWER_SECONDS)


def _attributes(notification: Notification) -> dict[str, str]:
    detail = notification.event.get("detail", {})
    attributes = {name: detail[name] for name in ("status", "stateMachineArn") if name in detail}
    if notification.late:
        attributes["late"] = "true"
    if notification.trace is not None:
        attributes["traceparent"] = notification.trace
    return attributes


def _fitting(notification: Notification, room: int) -> str:
    """The message in at most ``room`` bytes of UTF-8. Raises Rejected."""
    text = ""
    for document in _ever_smaller(notification):
        text = document if isinstance(document, str) else to_json(document)
        if len(text.encode()) <= room:
            return text
    raise Rejected(
        f"too long for SNS: {len(text.encode())} bytes, and there is room for {room}; "
        "let the sink's message take less of the event"
    )


def _ever_smaller(notification: Notification) -> list[Json]:
    if notification.message is not None:
        return [notification.message]
    event = notification.event
    detail = event.get("detail")
    if detail is None:
        return [event]
    left_out = {"included": False}
    shorter = {**detail, "output": None, "outputDetails": left_out}
    shortest = {**shorter, "input": None, "inputDetails": left_out}
    return [event, {**event, "detail": shorter}, {**event, "detail": shortest}]
