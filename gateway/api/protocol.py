"""From an HTTP request to the operation that it names and back: AWS's JSON 1.0 protocol.

An operation's ApiError becomes its error body; what is no ApiError is a bug, answered with 500,
logged, and contained here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from uuid import uuid4

import structlog
import trio
from starlette.datastructures import Headers
from starlette.responses import Response as HttpResponse
from starlette.types import Receive, Scope, Send

from gateway.api.credentials import Guard
from gateway.api.model import Request, Response
from gateway.api.operations.operation import HandOut, Operation, Poll, Service
from gateway.api.polls import Caller, Parked
from gateway.api.statuses import (
    INTERNAL_FAILURE,
    NOT_SERVED,
    UNAVAILABLE,
    UNKNOWN_OPERATION,
)
from gateway.api.wire import answer, error_answer, read_body
from gateway.errors import ApiError, Unavailable
from gateway.store.failures import StoreClosed, StoreFull

_STORE_RETRY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that names an operation and satisfies its shapes."""

    id: str
    service: Service
    name: str
    request: Request

    @property
    def operation(self) -> Operation | Poll:
        """Raises ApiError where the service has the operation, and Stategate not yet."""
        operation = self.service.table.get(self.name)
        if operation is None:
            raise ApiError(NOT_SERVED, f"Stategate does not serve {self.name} yet")
        return operation


class Protocol:
    """The ASGI endpoint of ``POST /``."""

    def __init__(
        self,
        services: Iterable[Service],
        log: structlog.stdlib.BoundLogger,
        guard: Guard | None = None,
    ) -> None:
        """Without a ``guard`` nobody has to sign."""
        self._guard = guard
        self._services = {service.model.target_prefix: service for service in services}
        self.log = log
        """Where what is no answer to a caller goes."""
        self._parked = Parked()

    def close(self) -> None:
        """Answer the parked polls empty, and those that come from now on at once."""
        self._parked.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, whose body comes in one piece."""
        request_id = str(uuid4())
        body: bytes = (await receive())["body"]
        try:
            caller = None if self._guard is None else self._guard.caller(scope, body)
            call = self._read(Headers(scope=scope).get("x-amz-target"), body, request_id)
            if self._guard is not None:
                prefix = call.service.model.target_prefix
                self._guard.allow(caller, prefix, call.name, call.request)
            operation = call.operation
        except ApiError as error:
            await error_answer(error, request_id)(scope, receive, send)
            return
        match operation:
            case Poll():
                await self._poll(call, operation, Caller(scope, receive, send))
            case _:
                response = await self._contained(call, partial(operation, call.request))
                await response(scope, receive, send)

    def _read(self, target: str | None, body: bytes, request_id: str) -> _Call:
        if target is None:
            message = "The header X-Amz-Target is missing: AWSStepFunctions.<Operation>"
            raise ApiError(UNKNOWN_OPERATION, message)
        prefix, _, name = target.rpartition(".")
        service = self._services.get(prefix)
        if service is None or name not in service.model.operation_names:
            raise ApiError(UNKNOWN_OPERATION, f"There is no operation {target}")
        return _Call(request_id, service, name, service.model.check(name, read_body(body)))

    async def _contained(
        self, call: _Call, work: Callable[[], Awaitable[Response]]
    ) -> HttpResponse:
        try:
            return answer(call.service.model.serialise(call.name, await work()), call.id)
        except ApiError as error:
            return error_answer(error, call.id)
        except Unavailable as error:
            return _unavailable(call, error.reason, error.retry_after)
        except (StoreFull, StoreClosed) as error:
            # One that is closed ends the daemon, which says why; the next one may take the call.
            return _unavailable(call, str(error), _STORE_RETRY_SECONDS)
        except Exception:
            self.log.exception("operation failed", operation=call.name, request_id=call.id)
            message = f"A defect of Stategate; its log has it as request {call.id}"
            return error_answer(ApiError(INTERNAL_FAILURE, message), call.id)

    async def _poll(self, call: _Call, poll: Poll, caller: Caller) -> None:
        handed: HandOut | None = None

        async def work(seconds: float) -> Response:
            nonlocal handed
            handed = await poll.wait(call.request, seconds)
            return {} if handed is None else handed.response

        async def park() -> Response:
            with self._parked.poll() as parked:
                nursery.start_soon(caller.watch, parked)
                return await work(poll.seconds)
            return {}

        # To watch the caller costs a task, and is for those who have to wait.
        response = await self._contained(call, partial(work, 0))
        if handed is None and response.status_code == HTTPStatus.OK:
            async with trio.open_nursery() as nursery:
                response = await self._contained(call, park)
                nursery.cancel_scope.cancel()
        await caller.answer(response, handed)


def _unavailable(call: _Call, reason: str, retry_after: float | None) -> HttpResponse:
    return error_answer(ApiError(UNAVAILABLE, reason), call.id, retry_after)
