"""What StartSyncExecution answers."""

from __future__ import annotations

from typing import Final

from gateway.api.model import Response
from gateway.errors import ApiError
from gateway.store.rows import ExecutionRow

_INCLUDED: Final = {"included": True}
_BILLED_MS: Final = 100
"""AWS bills by the tenth of a second,"""
_BILLED_MB: Final = 64
"""and by 64 MB of memory."""


def ended_express(row: ExecutionRow, request: Response) -> Response:
    """How the execution ended, as its caller hears it."""
    stop_at = row.start_at if row.stop_at is None else row.stop_at
    periods = max(1, -(-(stop_at - row.start_at) // _BILLED_MS))
    error = "States.Timeout" if row.status == "TIMED_OUT" else row.error
    given = {"traceHeader": row.trace, "error": error, "cause": row.cause}
    data = {} if request.get("includedData") == "METADATA_ONLY" else execution_data(row)
    return {
        "executionArn": row.arn,
        "stateMachineArn": row.machine_arn,
        "name": row.name,
        "status": row.status,
        "startDate": row.start_at,
        "stopDate": stop_at,
        "billingDetails": {
            "billedMemoryUsedInMB": _BILLED_MB,
            "billedDurationInMilliseconds": periods * _BILLED_MS,
        },
        **{name: value for name, value in given.items() if value is not None},
        **({**data, "outputDetails": _INCLUDED} if data else {}),
    }


def execution_data(row: ExecutionRow) -> Response:
    """Input and output."""
    data: Response = {"input": row.input, "inputDetails": _INCLUDED}
    if row.output is not None:
        data |= {"output": row.output, "outputDetails": _INCLUDED}
    return data


def type_not_supported() -> ApiError:
    """What AWS says where a machine of the other type was named."""
    message = "This operation is not supported by this type of state machine"
    return ApiError("StateMachineTypeNotSupported", message)
