"""A function of our own, answering as Lambda's Invoke API would: so the tasks that call it need not
know whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.tasks.functions.function import Function, FunctionError, Invocation

if TYPE_CHECKING:
    from gateway.aws.connections import Reply

_ACCEPTED: Final = 202
_NOTHING_DONE: Final = 204


class Local:
    """One function."""

    def __init__(self, function: Function, log: structlog.stdlib.BoundLogger) -> None:
        self.function = function
        self._log = log

    async def invoke(self, invocation: Invocation, kind: Any) -> Reply:
        """What Lambda would answer to this InvocationType. An ``Event`` is waited for too, so that
        none is lost; only, nothing is told of it. Raises TooLarge."""
        from gateway.aws.connections import Reply

        headers = [("X-Amzn-RequestId", invocation.key)]
        if kind == "DryRun":
            return Reply(_NOTHING_DONE, headers, b"")
        status, told = 200, b""
        try:
            told = await self.function.call(invocation)
        except FunctionError as failure:
            told = failure.payload
            if kind == "Event":
                self._log.warning("an event failed", key=invocation.key, error=str(failure))
            headers.append(("X-Amz-Function-Error", "Unhandled"))
        if kind == "Event":
            return Reply(_ACCEPTED, headers[:1], b"")
        return Reply(status, [*headers, ("X-Amz-Executed-Version", "$LATEST")], told)
