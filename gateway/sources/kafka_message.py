"""Kafka records as messages: pure, one function for each part of a record."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, TypeAlias

from gateway.sources.bodies import json_or_text
from gateway.sources.kafka_events import Record
from gateway.sources.protocol import Message

Json: TypeAlias = Any

_TIMESTAMP_TYPES = {0: "CREATE_TIME", 1: "LOG_APPEND_TIME"}


def message_of(record: Record, received_at: int) -> Message:
    """The message of one record.

    ``body`` is the parsed JSON value, else the text, else (not UTF-8) base64 with ``body_base64``
    set; a tombstone's is null. ``headers`` maps a name to its value, or to a list where it stands
    several times; keys and headers that are not UTF-8 are base64 as well, with ``key_base64`` set
    or their name in ``headers_base64``.
    """
    text, binary_body = _text(record.value)
    body, unfit = (text, None) if text is None or binary_body else json_or_text(text)
    key, binary_key = _text(record.key)
    headers, binary_headers = _headers(record.headers)
    members: dict[str, Json] = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": key,
        "headers": headers,
        "timestamp": record.timestamp,
        "timestamp_type": _TIMESTAMP_TYPES.get(record.timestamp_type, "NO_TIMESTAMP_TYPE"),
    }
    if binary_body:
        members["body_base64"] = True
    if binary_key:
        members["key_base64"] = True
    if binary_headers:
        members["headers_base64"] = binary_headers
    place = f"{record.topic}-{record.partition}-{record.offset}"
    trace = headers.get("traceparent")
    return Message(
        id=place,
        body=body,
        received_at=received_at,
        default_name=f"{place}-{record.timestamp}",
        coordinates=f"topic {record.topic}, partition {record.partition}, offset {record.offset}",
        members=members,
        trace=trace if isinstance(trace, str) else None,
        unfit=unfit,
    )


def _text(value: bytes | None) -> tuple[str | None, bool]:
    """The text, and whether it is base64 because the bytes are no UTF-8."""
    if value is None:
        return None, False
    try:
        return value.decode(), False
    except UnicodeDecodeError:
        return base64.b64encode(value).decode("ascii"), True


def _headers(headers: Sequence[tuple[str, bytes | None]]) -> tuple[dict[str, Json], list[str]]:
    """The values by name, and the names of which a value is base64."""
    if not headers:
        return {}, []
    values: dict[str, list[str | None]] = {}
    binary: list[str] = []
    for name, raw in headers:
        value, is_binary = _text(raw)
        values.setdefault(name, []).append(value)
        if is_binary and name not in binary:
            binary.append(name)
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}, binary
