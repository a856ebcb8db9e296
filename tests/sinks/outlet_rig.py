"""What sinks are handed in tests, and a notification to send."""

from typing import Any

import structlog

from gateway.aws.client import Aws
from gateway.sinks.post import PostClient
from gateway.sinks.protocol import Notification, Outlet

NOW = 1_700_000_000_000
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:fulfil:order-1"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:fulfil"


def make_outlet(http: PostClient, aws: Aws) -> Outlet:
    """An outlet whose time stands still."""
    return Outlet(
        http=http,
        aws=aws,
        now=lambda: NOW,
        log=structlog.get_logger("test"),
    )


def make_notification(**changes: Any) -> Notification:
    """The end of one execution."""
    event = {
        "id": "n-1",
        "detail": {
            "executionArn": EXECUTION,
            "stateMachineArn": MACHINE,
            "status": "SUCCEEDED",
            "input": "{}",
            "inputDetails": {"included": True},
            "output": '"é"',
            "outputDetails": {"included": True},
        },
    }
    given = {"id": "n-1", "event": event, "message": None, "attempt": 1, "created_at": NOW}
    return Notification(**{**given, **changes})
