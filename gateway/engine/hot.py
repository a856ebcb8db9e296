"""The executions that are kept in memory, so that not every stimulus folds a history.

They are a cache and nothing else: one that is dropped is folded again when somebody asks for it.
Their number is bounded and so is their size, since a parsed document takes several times the bytes
of its text.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from gateway.asl.execution import Execution
from gateway.asl.frame import Timer
from gateway.asl.states.state import StateMachine
from gateway.engine.execution_log import ExecutionLog
from gateway.store.rows import ExecutionRow

HOT_EXECUTIONS: Final = 4096
HOT_BYTES: Final = 16 * 1024 * 1024
"""Of input and history, as they are written: parsed, they take two to five times as much."""
FAR_MS: Final = 15 * 60_000
"""An execution that sleeps for longer is not kept: it is folded once when it wakes."""
_OVERHEAD_BYTES: Final = 1_000
"""Of an execution without documents, on the same scale; in memory it takes 2,700."""


@dataclass(slots=True)
class Hot:
    """An execution in memory, as far as it is committed."""

    row: ExecutionRow
    machine: StateMachine
    execution: Execution
    fresh: bool = False
    """Whether its row is yet to be inserted."""
    continues: bool = False
    """Whether its ``continue`` row stands."""
    log: ExecutionLog | None = None
    """Where its events are told, if they are."""
    bytes: int = 0
    """What has been written of its history."""
    counted: int = 0
    """How much of the cache's room it takes."""


def sleeps(execution: Execution, now: int) -> bool:
    """Whether it waits for nothing but timers, and for those for long."""
    return not execution.ready and all(
        isinstance(effect, Timer) and effect.due > now + FAR_MS
        for effect in execution.effects.values()
    )


class HotExecutions(OrderedDict[int, Hot]):
    """By id, those that were used last at the end."""

    bytes = 0

    def keep(self, hot: Hot) -> None:
        """Take it in, or note that it was used and has grown; others go where there is no room."""
        self.drop(hot.row.id)
        hot.counted = hot.bytes + len(hot.row.input) + _OVERHEAD_BYTES
        self.bytes += hot.counted
        self[hot.row.id] = hot
        while len(self) > HOT_EXECUTIONS or self.bytes > HOT_BYTES:
            self.drop(next(iter(self)))

    def drop(self, execution: int) -> None:
        """Forget it, if it is here."""
        hot = self.pop(execution, None)
        if hot is not None:
            self.bytes -= hot.counted
