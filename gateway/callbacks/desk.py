"""The requests of the callbacks page: asking for it decides nothing, posting an answer does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

import structlog
import trio
from starlette.responses import Response

from gateway.asl.stimuli import Answered
from gateway.callbacks import page
from gateway.callbacks.question import (
    Answer,
    Failure,
    Malformed,
    Question,
    Success,
    find_question,
)
from gateway.engine.callbacks import OpenTask, open_task
from gateway.engine.door import FULL_RETRY_SECONDS
from gateway.engine.engine import Engine
from gateway.errors import ApiError, Unavailable
from gateway.sources.webhook_request import ClientGone, Refusal, WebhookRequest
from gateway.sources.webhook_routes import WebhookRoutes
from gateway.sources.webhook_slots import Slots, unavailable
from gateway.store.failures import StoreClosed, StoreFull

PATH: Final = "/callbacks/{token}"

_METHODS: Final = ("GET", "HEAD", "POST")
_CONCURRENCY: Final = 64
_SECONDS: Final = 10.0
_BODY_BYTES: Final = 1_024
_NONE_WAITS: Final = frozenset({"InvalidToken", "TaskTimedOut"})


class CallbackDesk:
    """Answers the requests to the links of tasks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._slots = Slots(_CONCURRENCY, _SECONDS)
        self._log = structlog.get_logger("callbacks")

    async def serve(
        self, routes: WebhookRoutes, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Until cancelled."""
        async with routes.registered(_METHODS, PATH, self.answer):
            task_status.started()
            await trio.sleep_forever()

    async def answer(self, request: WebhookRequest, parameters: Mapping[str, str]) -> Response:
        """A page, whatever happens. Raises ClientGone."""
        try:
            async with self._slots.one():
                return await self._page(request, parameters["token"])
        except Refusal as refusal:
            return _refused(refusal)
        except (StoreFull, StoreClosed) as error:
            return _refused(unavailable(Unavailable(str(error), FULL_RETRY_SECONDS)))
        except ClientGone:
            raise
        except Exception:
            # The path is the right to answer: unlike that of a webhook, it is in no log.
            self._log.exception("callback failed")
            return page.refused(500, "internal error", {})

    async def _page(self, request: WebhookRequest, token: str) -> Response:
        posted = request.method == "POST"
        form = (await request.read(_BODY_BYTES, _SECONDS)).body if posted else b""
        task = await open_task(self._engine.store, token)
        if task is None:
            return page.over()
        try:
            question = find_question(task.input)
        except Malformed as malformed:
            self._log.warning(
                "callback cannot be shown", execution=task.execution_arn, reason=str(malformed)
            )
            return page.broken(str(malformed))
        if not posted:
            return page.asks(question)
        chosen = _chosen(question, form)
        if chosen is None:
            return page.asks(question, alert="Choose one of the answers.")
        return await self._take(token, task, chosen, request.client)

    async def _take(self, token: str, task: OpenTask, chosen: Answer, address: str) -> Response:
        answered = Answered(chosen.label, address)
        try:
            match chosen.outcome:
                case Success(output):
                    await self._engine.task_succeeded(token, output, answered)
                case Failure(error, cause):
                    await self._engine.task_failed(token, error, cause, answered)
        except ApiError as error:
            if error.code in _NONE_WAITS:
                return page.over()
            raise
        self._log.info("callback answered", execution=task.execution_arn, **answered._asdict())
        return page.thanks(chosen.label)


def _chosen(question: Question, form: bytes) -> Answer | None:
    """The answer whose place the form names; what else the browser says counts for nothing."""
    fields = parse_qs(form.decode("ascii", "replace"))
    places = {str(i): answer for i, answer in enumerate(question.answers)}
    match fields.get(page.FIELD):
        case [place]:
            return places.get(place)
        case _:
            return None


def _refused(refusal: Refusal) -> Response:
    return page.refused(refusal.status, refusal.reason, refusal.headers)
