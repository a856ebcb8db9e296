"""A webhook's requests in work: admitted, read, verified, delivered, answered."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import trio
from starlette.responses import JSONResponse, Response

from gateway.errors import Unavailable
from gateway.sources.protocol import Filtered, Intake, Message, Outcome, Refused, Started
from gateway.sources.verify import judge
from gateway.sources.verify.verdict import Arrival, Check, Forged, Genuine, Handled, Unwrapped
from gateway.sources.webhook_message import BadBody, to_message
from gateway.sources.webhook_request import Refusal, WebhookRequest

if TYPE_CHECKING:
    from gateway.sources.webhook import WebhookSource

_WAITING_PER_SLOT = 16
"""Requests that may wait for each one in work; a burst is waited out, a flood is sent away."""


async def serve_route(source: WebhookSource, intake: Intake) -> None:
    """Answer the requests of the source's route until cancelled."""
    if intake.webhooks is None:
        raise RuntimeError("a webhook source needs the listener's routes")
    async with judge(source.verify, intake.now, intake.log) as check:
        desk = WebhookDesk(source, intake, check)
        async with intake.webhooks.registered(source.methods, source.path, desk.answer):
            intake.report("running", path=source.path, methods=list(source.methods))
            await trio.sleep_forever()


class WebhookDesk:
    """Handles the requests of one source, ``concurrency`` of them at a time."""

    def __init__(self, source: WebhookSource, intake: Intake, check: Check) -> None:
        self._source = source
        self._intake = intake
        self._check = check
        self._slots = trio.CapacityLimiter(intake.concurrency)

    async def answer(self, request: WebhookRequest, parameters: Mapping[str, str]) -> Response:
        """The answer to one request. Raises Refusal and ClientGone."""
        try:
            if (seconds := self._intake.full()) is not None:
                raise _busy(seconds)
            async with self._slot():
                arrival = await request.read(self._source.max_body_bytes, self._source.timeout)
                return await self._take(arrival, parameters)
        except Unavailable as error:
            raise _unavailable(error) from error

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """One of the requests in work, waited for before anything of the body is read."""
        if self._slots.statistics().tasks_waiting >= _WAITING_PER_SLOT * self._intake.concurrency:
            raise _busy(1.0)
        with trio.move_on_after(self._source.timeout) as waiting:
            await self._slots.acquire()
        if waiting.cancelled_caught:
            raise _busy(1.0)
        try:
            yield
        finally:
            self._slots.release()

    async def _take(self, arrival: Arrival, parameters: Mapping[str, str]) -> Response:
        match await self._check(arrival):
            case Forged(reason, challenge):
                self._intake.log.warning("webhook refused", path=arrival.path, reason=reason)
                raise Refusal(401, reason, {"www-authenticate": challenge} if challenge else None)
            case Handled(what):
                return JSONResponse({"handled": what})
            case Genuine():
                return await self._deliver(self._message(arrival, parameters, None))
            case Unwrapped() as unwrapped:
                return await self._deliver(self._message(arrival, parameters, unwrapped))

    def _message(
        self, arrival: Arrival, parameters: Mapping[str, str], unwrapped: Unwrapped | None
    ) -> Message:
        try:
            return to_message(
                arrival,
                parameters,
                unwrapped,
                received_at=self._intake.now(),
                fresh_id=str(uuid4()),
            )
        except BadBody as error:
            raise Refusal(400, str(error)) from None

    async def _deliver(self, message: Message) -> Response:
        [outcome] = await self._intake.deliver([message])
        return _answer(outcome)


def _answer(outcome: Outcome) -> Response:
    match outcome:
        case Started(arn, name, duplicate):
            body = {"executionArn": arn, "name": name, "duplicate": duplicate}
            return JSONResponse(body, 202)
        case Filtered():
            return JSONResponse({"filtered": True}, 202)
        case Refused(reason, letter):
            return JSONResponse({"message": reason, "letter": letter}, 422)


def _busy(seconds: float) -> Refusal:
    return Refusal(429, "as much is in work as may be: come back later", _retry_after(seconds))


def _unavailable(error: Unavailable) -> Refusal:
    return Refusal(503, error.reason, _retry_after(error.retry_after or 5.0))


def _retry_after(seconds: float) -> dict[str, str]:
    return {"retry-after": str(max(1, math.ceil(seconds)))}
