"""RedriveExecution: which executions may go on after their end, in AWS's words, and how often the
same request counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.asl.execution import Execution
from gateway.asl.flow import MAX_EVENTS
from gateway.engine.door import Door
from gateway.errors import ApiError
from gateway.store.changes import Change
from gateway.store.failures import StoreConflict
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow

DELETING: Final = "State machine is in DELETING status"
_LONG_RECORDS: Final = 20_000
"""No record is more than one event, and no row has more than some 1,000 records."""
REDRIVES_MAX: Final = 1000
PERIOD_MS: Final = 14 * 86_400_000
"""So long after its end an execution may be redriven."""
TOKEN_MS: Final = 15 * 60_000
"""So long a clientToken stands for the redrive that it asked for."""
LIFE_MS: Final = 365 * 86_400_000
"""So long after its start an execution may be open."""


def redrive_refusal(row: ExecutionRow, now: int) -> str | None:
    """Why the execution, or the child by its map run, cannot be redriven; None where it can."""
    if row.status in {"RUNNING", "SUCCEEDED"} or row.stop_at is None:
        return f"Execution is {row.status} and cannot be redriven"
    if row.redrives >= REDRIVES_MAX:
        return "Execution redrive limit exceeded"
    if now - row.stop_at > PERIOD_MS:
        return "Execution redrivable period exceeded"
    if now - row.start_at > LIFE_MS:
        return "Execution has exceeded the max execution time"
    return None


async def history_is_full(
    store: Store, fold: Callable[[ExecutionRow], Awaitable[Execution]], row: ExecutionRow
) -> bool:
    """Whether there is no room in the history of an execution for what a redrive would write."""
    # Most histories are short, and are not folded for this.
    long = await store.history(row.id, _LONG_RECORDS, 1)
    return bool(long) and (await fold(row)).event_id >= MAX_EVENTS - 1


class Redrives:
    """Redrives executions through the door, each request once."""

    def __init__(self, door: Door, now: Callable[[], int]) -> None:
        self._door = door
        self._now = now

    async def known(self, row: ExecutionRow, token: str | None) -> int | None:
        """When the execution was redriven by a request with this token: the history says so, for a
        while. None: it was not."""
        since = self._now() - TOKEN_MS
        if token is None or row.redriven_at is None or row.redriven_at <= since:
            return None
        tokens = dict((await self._door.fold(row)).redrives)
        return tokens[token] if tokens.get(token, 0) > since else None

    async def redrive(self, row: ExecutionRow, token: str | None) -> ExecutionRow:
        """The execution as it runs again. Raises ApiError ExecutionNotRedrivable, and
        ExecutionDoesNotExist."""
        try:
            return await self._door.redrive(row.id, self.check_alone, token)
        except StoreConflict:
            # Nobody else redrives one at the same time: it has been kept long enough, and is gone.
            message = f"Execution Does Not Exist: '{row.arn}'"
            raise ApiError("ExecutionDoesNotExist", message) from None

    async def redrive_child(self, number: int, also: Sequence[Change]) -> None:
        """For its map run; ``also`` stands in the same unit. Raises ApiError as ``redrive``."""
        await self._door.redrive(number, self._check, None, also)

    def check_alone(self, row: ExecutionRow) -> None:
        """Raises ApiError ExecutionNotRedrivable for one that RedriveExecution must not touch."""
        if row.item is not None:
            raise _not_redrivable("Execution belongs to a map run and cannot be redriven by itself")
        self._check(row)

    def _check(self, row: ExecutionRow) -> None:
        refusal = redrive_refusal(row, self._now())
        if refusal is not None:
            raise _not_redrivable(refusal)


def _not_redrivable(reason: str) -> ApiError:
    return ApiError("ExecutionNotRedrivable", f"Execution Not Redrivable: '{reason}'")
