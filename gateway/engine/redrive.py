"""RedriveExecution: which executions may go on after their end, in AWS's words, and how often the
same request counts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from gateway.engine.door import Door
from gateway.errors import ApiError
from gateway.store.protocol import ExecutionRow

REDRIVES_MAX: Final = 1000
PERIOD_MS: Final = 14 * 86_400_000
"""So long after its end an execution may be redriven."""
TOKEN_MS: Final = 15 * 60_000
"""So long a clientToken stands for the redrive that it asked for."""
_TOKENS: Final = 1000
"""The last so many are known."""


def redrive_refusal(row: ExecutionRow, now: int) -> str | None:
    """Why the execution cannot be redriven; None where it can."""
    if row.item is not None:
        return "Execution belongs to a map run and cannot be redriven by itself"
    if row.status in {"RUNNING", "SUCCEEDED"} or row.stop_at is None:
        return f"Execution is {row.status} and cannot be redriven"
    if row.redrives >= REDRIVES_MAX:
        return "Execution redrive limit exceeded"
    if now - row.stop_at > PERIOD_MS:
        return "Execution redrivable period exceeded"
    return None


class Redrives:
    """Redrives executions through the door, each request once."""

    def __init__(self, door: Door, now: Callable[[], int]) -> None:
        self._door = door
        self._now = now
        self._answered: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def redrive(self, row: ExecutionRow, token: str | None) -> tuple[ExecutionRow, bool]:
        """The execution as it runs again, and whether this call made it; a token that has been seen
        makes nothing. Raises ApiError ExecutionNotRedrivable."""
        if token is not None:
            at = self._answered.get((row.arn, token), 0)
            if at and at == row.redriven_at and self._now() - at < TOKEN_MS:
                return row, False
        running = await self._door.redrive(row.id, self._check)
        if token is not None and running.redriven_at is not None:
            self._answered[row.arn, token] = running.redriven_at
            if len(self._answered) > _TOKENS:
                self._answered.popitem(last=False)
        return running, True

    def _check(self, row: ExecutionRow) -> None:
        refusal = redrive_refusal(row, self._now())
        if refusal is not None:
            raise ApiError("ExecutionNotRedrivable", f"Execution Not Redrivable: '{refusal}'")
