"""What goes to a sink, how hard it is tried, and how a stored notification becomes one to send."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog

from gateway.asl.errors import StateError
from gateway.asl.scope import Expression, Scope
from gateway.errors import Rejected
from gateway.sinks.protocol import Notification, Sink
from gateway.sinks.retry import RetrySettings
from gateway.store.rows import ExecutionRow, NotificationRow, Status


@dataclass(frozen=True, slots=True)
class SinkRoute:
    """One entry of ``sinks:``, or the ``dead_letter`` target of a trigger."""

    name: str
    """For a dead-letter target: ``letters.dead_letter_sink(trigger)``."""
    sink: Sink
    when: frozenset[Status]
    """Statuses that it is told of; empty for a dead-letter target."""
    machines: frozenset[str] | None
    """Names of the machines that it hears of; None = all."""
    message: Expression | None
    """Makes the message out of the status-change event; None = the event itself."""
    retry: RetrySettings
    give_up_after_seconds: float

    def wants(self, row: ExecutionRow, machine_name: str) -> bool:
        """Whether it is to hear of the status that the execution has now."""
        return row.status in self.when and (self.machines is None or machine_name in self.machines)

    def deadline(self, row: NotificationRow) -> int:
        """When the notification is given up, in milliseconds since the epoch."""
        return row.created_at + round(self.give_up_after_seconds * 1000)

    def notification(self, row: NotificationRow, trace: str | None) -> Notification:
        """The next attempt. Raises Rejected where the message cannot be made of the event."""
        event = json.loads(row.body)
        return Notification(
            id=row.id,
            event=event,
            message=None if self.message is None else _message(self.message, event, row.id),
            attempt=row.attempts + 1,
            created_at=row.created_at,
            late=row.late,
            trace=trace,
        )


def _message(template: Expression, event: Any, seed: str) -> Any:
    # The dice are the notification's own, so that every attempt says the same.
    try:
        return template(Scope(event, dict, lambda: Random(seed)))
    except StateError as failure:
        raise Rejected(f"the sink's message cannot be made of the event: {failure}") from None
    except Exception as bug:
        structlog.get_logger("outbox").exception("bug", notification=seed)
        raise Rejected(f"a bug in the sink's message: {type(bug).__name__}, see the log") from None
