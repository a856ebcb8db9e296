"""What the log tells of executions, as the loggingConfiguration of their machine wants it.

The lines have the members that AWS writes to CloudWatch Logs. They are written when what they tell
of is durable, and to a log: one that is lost in a crash does not come again. Where the level is
OFF, nothing is made here. For an Express execution this is the only history.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import structlog
import trio

from gateway.asl import records as r
from gateway.asl.events import Event, details, present, without_data
from gateway.asl.execution import Execution
from gateway.asl.records import INTERNAL, Record
from gateway.engine.machine_settings import read_settings
from gateway.store.rows import ExecutionRow

_FATAL: Final = frozenset({r.ExecutionFailed, r.ExecutionAborted, r.ExecutionTimedOut})
_ERROR_ENDS: Final = ("Failed", "Aborted", "TimedOut")
_LINES_BETWEEN_TURNS: Final = 50


def worth(level: str, record: Record) -> bool:
    """Whether an event belongs into a log of this level, ALL, ERROR or FATAL, as AWS lists them."""
    kind = type(record)
    if kind in INTERNAL:
        return False
    match level:
        case "ALL":
            return True
        case "ERROR":
            fails = isinstance(record, r.StateEntered) and record.type == "Fail"
            return fails or kind.__name__.endswith(_ERROR_ENDS)
        case _:
            return kind in _FATAL


def execution_log(row: ExecutionRow, settings: str) -> ExecutionLog | None:
    """The log of an execution whose revision has these settings; None where nothing is wanted."""
    level, whole = _wanted(settings)
    return None if level == "OFF" else ExecutionLog(row.arn, level, whole=whole)


@lru_cache(maxsize=256)
def _wanted(settings: str) -> tuple[str, bool]:
    logging = read_settings(settings)["loggingConfiguration"]
    return logging["level"], logging["includeExecutionData"]


class ExecutionLog:
    """The lines of one execution: gathered while it advances, written when that is durable."""

    def __init__(self, arn: str, level: str, *, whole: bool) -> None:
        """``whole``: with the documents that the execution works on."""
        self._arn = arn
        self._level = level
        self._whole = whole
        self._events: list[Event] = []
        self._texts: dict[str, str] = {}
        self._log = structlog.get_logger("executions")

    def witness(self, record: Record, execution: Execution, at: int) -> None:
        """Take note of a record that has just been applied."""
        if worth(self._level, record):
            event = present(record, execution, at)
            self._events.append(self._shared(event) if self._whole else without_data(event))

    def _shared(self, event: Event) -> Event:
        """The event with texts that stand in several of them kept once: a document that passes
        through many states in one unit would take its size for each."""
        own = details(event)
        own |= {k: self._texts.setdefault(v, v) for k, v in own.items() if type(v) is str}
        return event

    async def write(self, redrives: int) -> None:
        """Write the lines of what has become durable."""
        events, self._events, self._texts = self._events, [], {}
        for number, event in enumerate(events, 1):
            self._log.info(
                "event of an execution",
                execution_arn=self._arn,
                id=str(event["id"]),
                type=event["type"],
                previous_event_id=str(event["previousEventId"]),
                event_timestamp=str(event["timestamp"]),
                redrive_count=str(redrives),
                details=details(event),
            )
            if number % _LINES_BETWEEN_TURNS == 0:
                await trio.lowlevel.cancel_shielded_checkpoint()
