"""What the sinks of AWS services share: one edge for their refusals, and the message group."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gateway.aws.service import Refusal
from gateway.errors import Rejected, Unavailable
from gateway.sinks.protocol import Notification

ANSWER_SECONDS: Final = 15.0
_GROUP = re.compile(r"[\x21-\x7e]{1,128}")
_OF_THIS_MESSAGE = frozenset(
    {"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError"}
)


@contextmanager
def judged() -> Iterator[None]:
    """What a refusal means: Rejected or Unavailable. Only what is wrong with the very message is
    final: a missing topic or right is usually put right by somebody, and the message is still
    wanted then."""
    try:
        yield
    except Refusal as refusal:
        code, text = refusal.code, refusal.message.lower()
        if code == "InvalidMessageContents" or (code in _OF_THIS_MESSAGE and "message" in text):
            raise Rejected(str(refusal)) from None
        raise Unavailable(str(refusal), refusal.retry_after) from None


def group_id(notification: Notification) -> str:
    """The message group on FIFO queues and topics: what is to stay in order, the execution or a
    letter's trigger. Its SHA-256 where it is over their 128 characters or is not visible ASCII."""
    event = notification.event
    wanted = str(event["detail"]["executionArn"] if "detail" in event else event["trigger"])
    return wanted if _GROUP.fullmatch(wanted) else hashlib.sha256(wanted.encode()).hexdigest()
