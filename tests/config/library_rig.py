"""The library's loan under a virtual clock: its mails, and a reader who presses buttons on them."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode

import trio
import trio.testing
from trio.testing import MockClock

from gateway.callbacks.desk import CallbackDesk
from gateway.config.load import load_config
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.sources.protocol import Message
from gateway.sources.webhook_request import WebhookRequest
from gateway.store.memory import open_memory
from gateway.store.rows import ExecutionRow
from gateway.tasks.protocol import Place, TaskFailure, TaskRequest
from gateway.triggers.running import Running
from gateway.triggers.trigger import Trigger

EXAMPLES = Path(__file__).parents[2] / "config"
START = 1_795_441_080_000
DAY = 86_400


def now() -> int:
    """The mock clock in milliseconds."""
    return START + round(trio.current_time() * 1000)


class Mail(NamedTuple):
    """A mail that the reader has got."""

    day: float
    """Since the book was checked out."""
    subject: str
    link: str


class Press(NamedTuple):
    """What the reader does about a mail: so many days later presses a button."""

    label: str
    days: float = 0.0


class MailRunner:
    """Calls the example's own function, without a process of its own."""

    name: ClassVar[str] = "lambda"

    def __init__(self, handler: Any, outbox: Path, down: int) -> None:
        """The first ``down`` mails cannot be sent."""
        self._handler = handler
        self._outbox = outbox
        self._down = down
        self.got: Callable[[bytes], None] = lambda _: None
        """Called with each mail that went out."""

    def takes(self, resource: str) -> bool:
        """The one that the example calls."""
        return resource == "arn:aws:states:::lambda:invoke"

    def place(self, _resource: str, _given: str | None) -> Place:
        """One mail at a time."""
        return Place("mail", 1)

    async def call(self, request: TaskRequest) -> Any:
        """Send the mail, and let the reader see it."""
        assert request.input["FunctionName"] == "mail"
        if self._down:
            self._down -= 1
            raise TaskFailure("MailNotSent", "The server is down.")
        context = SimpleNamespace(aws_request_id=request.key)
        payload = self._handler(request.input["Payload"], context)
        self.got((self._outbox / f"{request.key}.eml").read_bytes())
        return {"Payload": payload}


class Library:
    """The example's trigger and machine, its mails, and the page that they lead to."""

    def __init__(self, trigger: Trigger, engine: Engine, clock: MockClock) -> None:
        self.mails: list[Mail] = []
        self.seen: list[list[str]] = []
        """The labels of the buttons of each mail that the reader opened."""
        self.engine = engine
        self._answered = 0
        """How many mails had come when the reader last pressed a button."""
        self._trigger = trigger
        self._clock = clock
        self._desk = CallbackDesk(engine)

    def got(self, raw: bytes) -> None:
        """A mail has come."""
        mail = message_from_bytes(raw, policy=policy.default)
        [link] = re.findall(r"http://127\.0\.0\.1:8080(/callbacks/\S+)\n", mail.get_content())
        self.mails.append(Mail(trio.current_time() / DAY, mail["Subject"], link))

    async def lend(self, *plan: Press | None) -> ExecutionRow:
        """A loan to its end; for each mail, what the reader does about it, None for nothing."""
        reader = {"name": "Ada", "mail": "ada@example.com"}
        loan = {"id": 17, "title": "Middlemarch", "reader": reader}
        body = {"event": "CheckedOut", "loan": loan}
        [outcome] = await self._trigger.deliver([Message("1", body, now(), "1", "a message")])
        while True:
            await trio.testing.wait_all_tasks_blocked()
            row = await self.engine.execution(outcome.arn)
            if row.status != "RUNNING":
                return row
            await self._go_on(plan[len(self.mails) - 1] if self.mails else None)

    async def _go_on(self, does: Press | None) -> None:
        """Jump to what comes next: a timer of the engine, or what the reader does about the last
        mail. Walking there would take the clock through every look at the timers between."""
        dues = [row.due for row in await self.engine.store.timers(now() + 400 * DAY * 1000, 9)]
        mail = self.mails[-1] if self.mails else None
        pressing = mail is not None and does is not None and self._answered < len(self.mails)
        if pressing:
            dues.append(START + round((mail.day + does.days) * DAY * 1000))
        self._clock.jump(max(min(dues) - now(), 0) / 1000)
        if pressing and min(dues) == dues[-1]:
            self._answered = len(self.mails)
            await self.press(mail.link, does.label)

    async def press(self, link: str, label: str) -> int:
        """Open the link and press the button of that label; the page's status."""
        page = (await self._ask("GET", link, b"")).body.decode()
        labels = re.findall(r"<button [^>]*>([^<]*)</button>", page)
        self.seen.append(labels)
        assert label in labels
        form = urlencode({"answer": labels.index(label)}).encode()
        return (await self._ask("POST", link, form)).status_code

    async def _ask(self, method: str, link: str, body: bytes) -> Any:
        scope = {"method": method, "raw_path": link.encode(), "query_string": b"", "headers": []}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        request = WebhookRequest({**scope, "type": "http", "client": ("192.0.2.7", 1)}, receive)
        return await self._desk.answer(request, {"token": link.rpartition("/")[2]})

    async def told(self, row: ExecutionRow) -> Any:
        """Output, or error and cause, of the loan."""
        return json.loads(row.output) if row.output is not None else (row.error, row.cause)


@asynccontextmanager
async def open_library(
    clock: MockClock, handler: Any, outbox: Path, *, mails_down: int = 0
) -> AsyncIterator[Library]:
    """The example's machine, function and trigger on an engine in memory."""
    config = load_config(EXAMPLES / "library.yaml", {})
    async with open_memory() as store, trio.open_nursery() as nursery:
        metrics = Metrics()
        catalog = Catalog(store, now, region="us-east-1", account="123456789012")
        await catalog.create_machine("loan", config.definitions["loan"])
        runner = MailRunner(handler, outbox, mails_down)
        outlets = Outbox(store, lambda _: None, now, metrics)
        engine = Engine(store, catalog, outlets, now, metrics, [runner])
        mapping = config.mappings["desk"]
        trigger = Trigger(mapping, "loan", engine=engine, metrics=metrics, running=Running({}))
        library = Library(trigger, engine, clock)
        runner.got = library.got
        await nursery.start(engine.run)
        yield library
        nursery.cancel_scope.cancel()
