"""A webhook's requests in work: admitted, read, verified, delivered, answered."""

from __future__ import annotations

from collections.abc import Mapping
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
from gateway.sources.webhook_slots import Slots, busy, unavailable

if TYPE_CHECKING:
    from gateway.sources.webhook import WebhookSource


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
        self._slots = Slots(intake.concurrency, source.timeout)

    async def answer(self, request: WebhookRequest, parameters: Mapping[str, str]) -> Response:
        """The answer to one request. Raises Refusal and ClientGone."""
        try:
            self._admit()
            async with self._slots.one():
                arrival = await request.read(self._source.max_body_bytes, self._source.timeout)
                return await self._take(arrival, parameters)
        except Unavailable as error:
            raise unavailable(error) from error

    def _admit(self) -> None:
        """Raises Refusal (429) while the trigger takes no more, and Unavailable."""
        if (seconds := self._intake.full()) is not None:
            raise busy(seconds)

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
        # Once more: many may have been admitted while there was room, and have waited since.
        self._admit()
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
