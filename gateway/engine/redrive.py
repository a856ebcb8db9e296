"""Which executions may be redriven, in AWS's words. Pure."""

from __future__ import annotations

from typing import Final

from gateway.store.protocol import ExecutionRow

REDRIVES_MAX: Final = 1000
PERIOD_MS: Final = 14 * 86_400_000
"""So long after its end an execution may be redriven."""


def redrive_refusal(row: ExecutionRow, now: int) -> str | None:
    """Why the execution cannot be redriven; None where it can."""
    if row.status in {"RUNNING", "SUCCEEDED"} or row.stop_at is None:
        return f"Execution is {row.status} and cannot be redriven"
    if row.redrives >= REDRIVES_MAX:
        return "Execution redrive limit exceeded"
    if now - row.stop_at > PERIOD_MS:
        return "Execution redrivable period exceeded"
    return None
