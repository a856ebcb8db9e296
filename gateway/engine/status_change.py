"""The status-change event that sinks tell by default, as AWS gives it to EventBridge. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

from gateway.engine.arns import qualified
from gateway.store.rows import ExecutionRow

Json: TypeAlias = Any

_LIMIT_BYTES = 248 * 1024
"""Of the output as it stands in the event, and of input and output together."""


def status_change_event(row: ExecutionRow, event_id: str) -> dict[str, Json]:
    """The event that says which status the execution has now.

    An output over 248 KB is left out, and so is the input where it does not fit beside the output:
    the member is null and its details say ``included: false``.
    """
    _, _, _, region, account, *_ = row.arn.split(":")
    at = row.stop_at or row.redriven_at or row.start_at
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "Step Functions Execution Status Change",
        "source": "aws.states",
        "account": account,
        "time": datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [row.arn],
        "detail": _detail(row),
    }


def _detail(row: ExecutionRow) -> dict[str, Json]:
    output_bytes = _escaped_bytes(row.output)
    with_output = output_bytes <= _LIMIT_BYTES
    with_input = _escaped_bytes(row.input) + output_bytes * with_output <= _LIMIT_BYTES
    detail: dict[str, Json] = {
        "executionArn": row.arn,
        "stateMachineArn": row.machine_arn,
        "stateMachineVersionArn": qualified(row.machine_arn, row.version),
        "stateMachineAliasArn": qualified(row.machine_arn, row.alias),
        "name": row.name,
        "status": row.status,
        "startDate": row.start_at,
        "stopDate": row.stop_at,
        "input": row.input if with_input else None,
        "inputDetails": {"included": with_input},
        "output": row.output if with_output else None,
        "outputDetails": {"included": with_output},
        "redriveCount": row.redrives,
        "redriveDate": row.redriven_at,
    }
    if row.status not in {"RUNNING", "SUCCEEDED"}:
        # The keys are there even where nothing was said, so that a template may refer to them.
        detail |= {"error": row.error, "cause": row.cause}
    return detail


def _escaped_bytes(text: str | None) -> int:
    """Its size as a string inside JSON, which is what AWS measures."""
    return 0 if text is None else len(orjson.dumps(text))
