"""From an SQS record to a message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from gateway.json_text import loads
from gateway.sources.protocol import Message
from gateway.sources.sqs_queue import Record

Json: TypeAlias = Any


def to_message(record: Record, queue: str, received_at: int) -> Message:
    """The message of a record; its members are named as in Lambda's event of SQS."""
    identifier = record["MessageId"]
    attributes = record.get("MessageAttributes", {})
    return Message(
        id=identifier,
        body=_json_or_text(record["Body"]),
        received_at=received_at,
        default_name=identifier,
        coordinates=f"queue {queue}, message {identifier}",
        members={
            "attributes": dict(record.get("Attributes", {})),
            "message_attributes": {name: _attribute(one) for name, one in attributes.items()},
        },
        trace=attributes.get("traceparent", {}).get("StringValue"),
    )


def group_of(record: Record) -> str:
    """The message group of a FIFO queue's record."""
    return str(record.get("Attributes", {}).get("MessageGroupId", ""))


def _attribute(attribute: Mapping[str, Any]) -> dict[str, Json]:
    shown: dict[str, Json] = {"dataType": attribute["DataType"]}
    if "StringValue" in attribute:
        shown["stringValue"] = attribute["StringValue"]
    if "BinaryValue" in attribute:
        shown["binaryValue"] = attribute["BinaryValue"]
    return shown


def _json_or_text(body: str) -> Json:
    try:
        return loads(body)
    except orjson.JSONDecodeError:
        return body
