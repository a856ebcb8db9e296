"""What a message carries: JSON, text, or what is nested too deep to be kept."""

from __future__ import annotations

import json

import pytest

from gateway.sources.bodies import LEVELS_MAX, TooDeep, json_or_text, parse_json
from gateway.sources.kafka_message import message_of
from gateway.sources.protocol import Message
from gateway.sources.sqs_message import to_message
from tests.sources.test_kafka_message import Record


def nested(levels: int) -> str:
    """Arrays within each other."""
    return "[" * levels + "]" * levels


def from_sqs(body: str) -> Message:
    """As the source sqs makes it."""
    return to_message({"MessageId": "m", "Body": body}, "orders", 1)


def from_kafka(body: str) -> Message:
    """As the source kafka makes it."""
    return message_of(Record(body.encode()), 1)


@pytest.mark.parametrize("levels", [1, LEVELS_MAX])
def test_what_can_be_written_is_parsed(levels: int) -> None:
    """Up to the last level that an input may have."""
    assert json_or_text(nested(levels)) == (json.loads(nested(levels)), None)


@pytest.mark.parametrize("levels", [LEVELS_MAX + 1, 1_000, 1_024, 1_025, 10_000])
def test_what_is_nested_too_deep(levels: int) -> None:
    """Whether the parser could read it or not, it says why it is not taken."""
    with pytest.raises(TooDeep, match="deeper than 254 levels"):
        parse_json(nested(levels).encode())


def test_brackets_in_text_are_no_levels() -> None:
    """Only what is nested counts."""
    assert json_or_text(json.dumps("[{" * 1_000)) == ("[{" * 1_000, None)
    assert json_or_text("[{" * 1_000) == ("[{" * 1_000, None)


@pytest.mark.parametrize("make", [from_sqs, from_kafka])
def test_a_message_that_is_nested_too_deep_keeps_its_text(make) -> None:
    """It can never be taken, and a person sees what it was."""
    message = make(nested(1_000))
    assert (message.body, message.unfit) == (
        nested(1_000),
        "the body is nested deeper than 254 levels",
    )
