"""Kafka records as messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sources.kafka_message import message_of


@dataclass
class Record:
    """What the source reads of a record."""

    value: bytes | None = b"{}"
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    topic: str = "shop.orders"
    partition: int = 3
    offset: int = 17
    timestamp: int = 1_700_000_000_123
    timestamp_type: int = 0


@pytest.mark.parametrize(
    ("value", "body", "flag"),
    [
        (b'{"id": 7}', {"id": 7}, None),
        (b"[1, null]", [1, None], None),
        (b'"text"', "text", None),
        (b"plain text", "plain text", None),
        (b"", "", None),
        (b"NaN", "NaN", None),
        (b"\xff\x00", "/wA=", True),
        (None, None, None),
    ],
)
def test_bodies(value: bytes | None, body: Any, flag: bool | None) -> None:
    """JSON, else text, else base64 with a flag; a tombstone is null."""
    message = message_of(Record(value), 1)
    assert message.body == body
    assert message.members.get("body_base64") is flag


def test_coordinates() -> None:
    """The id is the place; the default name has the time as well, since offsets come again when a
    topic is made anew."""
    message = message_of(Record(timestamp_type=1), 99)
    assert message.id == "shop.orders-3-17"
    assert message.default_name == "shop.orders-3-17-1700000000123"
    assert message.coordinates == "topic shop.orders, partition 3, offset 17"
    assert message.received_at == 99
    assert message.members["timestamp_type"] == "LOG_APPEND_TIME"


def test_headers_and_keys() -> None:
    """A repeated header is a list; what is no UTF-8 is base64 and said to be."""
    headers = [("a", b"1"), ("a", b"\xff"), ("b", None), ("traceparent", b"00-x")]
    message = message_of(Record(key=b"\xfe", headers=headers), 1)
    assert message.members["headers"] == {"a": ["1", "/w=="], "b": None, "traceparent": "00-x"}
    assert message.members["headers_base64"] == ["a"]
    assert message.members["key"] == "/g=="
    assert message.members["key_base64"] is True
    assert message.trace == "00-x"


@given(st.binary(), st.binary() | st.none(), st.lists(st.tuples(st.text(), st.binary())))
def test_any_bytes_become_a_message(
    value: bytes, key: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    """No record can stop the source: whatever stands in it, there is a message of it."""
    message = message_of(Record(value, key, headers), 1)
    assert set(message.members["headers"]) == {name for name, _ in headers}
