"""The callbacks page over real HTTP: what is shown, what decides, and what never does."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import ClassVar

import httpx
import pytest
import trio
from callbacks_rig import CALLBACK, open_rig
from html_reading import Page
from structlog.testing import capture_logs

from gateway.engine.callbacks import given_answers
from gateway.store.failures import StoreFull
from gateway.store.memory import MemoryStore
from gateway.tasks.protocol import Place, TaskRequest
from tests.engine.rig import machine

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&amp;</title></style>\u202e"


async def test_the_question_has_a_button_for_each_answer():
    """The page shows the question and a button for each label, in one form that posts to the
    link itself; the answers themselves are not in it."""
    async with open_rig() as rig:
        _, link = await rig.task({"loan": {"callback": CALLBACK}})
        answer = await rig.http.get(link)
        assert (answer.status_code, answer.headers["content-type"]) == (
            200,
            "text/html; charset=utf-8",
        )
        page = Page(answer.text)
        assert page.texts["h1"] == ["Your loan ends tomorrow."]
        assert "What would you like?" in page.texts["p"]
        assert page.texts["title"] == ["Your loan ends tomorrow."]
        assert page.labels == ["Renew", "I have lost it"]
        assert page.form == {"method": "post"}
        names = [(attrs["name"], attrs["value"]) for attrs, _ in page.buttons]
        assert names == [("answer", "0"), ("answer", "1")]
        assert "renew" not in answer.text
        assert "The reader says so" not in answer.text


async def test_the_page_is_sealed():
    """Every page says to browsers and proxies that it is not kept, tells nobody the link, loads
    nothing, runs nothing and is in no frame; its one style sheet is the one that its policy
    names."""
    async with open_rig() as rig:
        _, link = await rig.task({"callback": CALLBACK})
        forged = "/callbacks/forged"
        answers = [
            await rig.http.get(link),
            await rig.http.get(forged),
            await rig.http.post(link, content=b"x" * 2_000),
            await rig.post(link, 7),
            await rig.post(link, 0),
        ]
        assert [answer.status_code for answer in answers] == [200, 410, 413, 400, 200]
        for answer in answers:
            told = answer.headers
            assert told["cache-control"] == "no-store"
            assert told["referrer-policy"] == "no-referrer"
            assert told["x-content-type-options"] == "nosniff"
            assert told["x-robots-tag"] == "noindex, nofollow"
            page = Page(answer.text)
            [style] = page.texts["style"]
            digest = b64encode(sha256(style.encode()).digest()).decode()
            assert told["content-security-policy"].split("; ") == [
                "default-src 'none'",
                f"style-src 'sha256-{digest}'",
                "form-action 'self'",
                "base-uri 'none'",
                "frame-ancestors 'none'",
            ]
            assert (page.loads, page.handlers) == ([], [])
            assert "url(" not in style
            assert "@import" not in style


async def test_the_page_is_accessible():
    """A language, a title, one heading in the main part, a viewport for phones, and buttons that
    say by words what they do."""
    async with open_rig() as rig:
        _, link = await rig.task({"callback": CALLBACK})
        for answer in (await rig.http.get(link), await rig.http.get("/callbacks/forged")):
            page = Page(answer.text)
            assert answer.text.startswith("<!doctype html>")
            assert page.html == {"lang": "en"}
            assert [tag for tag in page.tags if tag in {"h1", "main"}] == ["main", "h1"]
            assert "width=device-width" in answer.text
            assert "prefers-color-scheme: dark" in page.texts["style"][0]
            assert all(label.strip() for label in page.labels)


async def test_asking_never_decides():
    """However often a mail scanner follows the link, by GET or HEAD, the task stays open; HEAD has
    no body, and other methods are refused."""
    async with open_rig() as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        for _ in range(3):
            assert (await rig.http.get(f"{link}?answer=0&utm_source=mail")).status_code == 200
            head = await rig.http.head(link)
            assert (head.status_code, head.content) == (200, b"")
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            refused = await rig.http.request(method, link, content=b"answer=0")
            assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, POST")
        assert await rig.status(arn) == "RUNNING"
        assert (await rig.post(link, 0)).status_code == 200
        assert await rig.ended(arn, "SUCCEEDED") == {"renew": True, "days": 14}


async def test_an_answer_with_an_error_fails_the_task():
    """With its error and cause."""
    async with open_rig() as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        page = Page((await rig.post(link, 1)).text)
        assert page.texts["h1"] == ["Thank you"]
        assert page.texts["strong"] == ["I have lost it"]
        assert await rig.ended(arn, "FAILED") == ("Lost", "The reader says so.")


async def test_without_a_question_one_confirms_or_refuses():
    """Two buttons; the first one's output and the second one's error are what the README says."""
    async with open_rig() as rig:
        confirmed, link = await rig.task({"nothing": "asked"})
        assert Page((await rig.http.get(link)).text).labels == ["Confirm", "Refuse"]
        await rig.post(link, 0)
        assert await rig.ended(confirmed, "SUCCEEDED") == {"confirmed": True}
        refused, link = await rig.task({"nothing": "asked"})
        await rig.post(link, 1)
        error, _ = await rig.ended(refused, "FAILED")
        assert error == "Refused"


def twisted(link: str) -> list[str]:
    """Links that are nearly the one given."""
    token = link.rpartition("/")[2]
    data = bytearray(urlsafe_b64decode(token + "=="))
    changed = [bytes([*data[:i], data[i] ^ 1, *data[i + 1 :]]) for i in (0, 8, 12, 13, 28)]
    texts = [urlsafe_b64encode(each).rstrip(b"=").decode() for each in changed]
    others = [f"{token}=", f"{token[:-1]}", f"{token}A", "x", "%00", "%ff%fe", "a%2Fb", "A" * 4_000]
    return [f"/callbacks/{each}" for each in (*texts, *others)]


async def test_a_link_that_is_over_looks_like_a_forged_one():
    """After its answer, its time or its execution a link says that nothing waits; so does one that
    never was, to the letter, whether it is asked for or posted to."""
    async with open_rig() as rig:
        _, used = await rig.task({"callback": CALLBACK})
        await rig.post(used, 0)
        stopped, aborted = await rig.task({"callback": CALLBACK})
        await rig.engine.stop_execution(stopped, None, None)
        late, expired = await rig.task({"callback": CALLBACK}, TimeoutSeconds=1)
        await rig.ended(late, "FAILED")
        kept, living = await rig.task({"callback": CALLBACK})
        links = [used, aborted, expired, *twisted(living)]
        seen = set()
        for link in links:
            for answer in (await rig.http.get(link), await rig.post(link, 0)):
                stripped = {k: v for k, v in answer.headers.items() if k != "date"}
                seen.add((answer.status_code, answer.text, str(stripped)))
            assert (await rig.http.head(link)).status_code == 410
        assert [status for status, _, _ in seen] == [410]
        assert await rig.status(kept) == "RUNNING"
        assert (await rig.http.get(living)).status_code == 200


async def test_posting_twice_counts_once():
    """Of twenty posts at the same time, of different answers, one is taken: the others see that
    the link is over, and the history has one end of the task."""
    async with open_rig() as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        statuses: list[int] = []

        async def press(answer: int) -> None:
            statuses.append((await rig.post(link, answer)).status_code)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(press, number % 2)
        assert sorted(statuses) == [200, *[410] * 19]
        row = await rig.engine.execution(arn)
        assert len(await given_answers(rig.engine.store, row.id)) == 1
        types = [event["type"] for event in await rig.engine.history(arn)]
        assert sum(t in {"ActivitySucceeded", "ActivityFailed"} for t in types) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"answer=", b"answer=2", b"answer=-1", b"answer=00", b"answer=0&answer=1", b"answer=%30x",
     b"answer={}", b"output=1", b"answer=0 ", b"\xff\xfe", b"answer=\xd9\xa0",
     b'{"answer": 0, "output": "mine"}', b"answer=Renew", b"&" * 1_000],
)  # fmt: skip
async def test_only_the_place_of_an_answer_is_taken(body):
    """What names no button by its place is told so, with the question again, and decides
    nothing."""
    async with open_rig() as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await rig.http.post(link, content=body, headers=headers)
        assert answer.status_code == 400
        page = Page(answer.text)
        assert "Choose one of the answers." in page.texts["p"]
        assert page.labels == ["Renew", "I have lost it"]
        assert await rig.status(arn) == "RUNNING"


async def test_an_output_of_the_browser_is_not_taken():
    """Beside a place, whatever else is sent is passed over."""
    async with open_rig() as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        form = {"answer": "0", "output": '{"days": 99}', "error": "E", "label": "x"}
        assert (await rig.http.post(link, data=form)).status_code == 200
        assert await rig.ended(arn, "SUCCEEDED") == {"renew": True, "days": 14}


async def test_a_body_too_large_is_refused():
    """With a page, and nothing decided."""
    async with open_rig() as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        answer = await rig.http.post(link, content=b"answer=0&pad=" + b"x" * 2_000)
        assert answer.status_code == 413
        assert "larger than 1024 bytes" in Page(answer.text).texts["p"][0]
        assert await rig.status(arn) == "RUNNING"


async def test_nothing_untrusted_becomes_markup():
    """A question, a label and a malformed callback full of markup are shown as texts, letter by
    letter, on every page that shows them."""
    callback = {
        "question": f"{EVIL}\n{EVIL}",
        "answers": [{"label": EVIL, "output": EVIL}, {"label": f"{EVIL}2", "error": EVIL}],
    }
    async with open_rig() as rig:
        _, plain = await rig.task({"callback": CALLBACK})
        usual = Page((await rig.http.get(plain)).text).tags
        _, link = await rig.task({"callback": callback})
        page = Page((await rig.http.get(link)).text)
        assert page.tags == usual
        assert (page.texts["h1"], page.texts["p"][0]) == ([EVIL], EVIL)
        assert page.labels == [EVIL, f"{EVIL}2"]
        assert (page.loads, page.handlers) == ([], [])
        thanks = Page((await rig.post(link, 0)).text)
        assert thanks.texts["strong"] == [EVIL]
        assert (thanks.loads, thanks.handlers, "script" in thanks.tags) == ([], [], False)


async def test_a_malformed_question_is_told():
    """The page says what is wrong and has no button, a warning names the execution, and neither
    asking nor posting decides."""
    async with open_rig() as rig:
        arn, link = await rig.task({"callback": {"question": "q", "answers": [{"label": EVIL}]}})
        for answer in (await rig.http.get(link), await rig.post(link, 0)):
            page = Page(answer.text)
            assert answer.status_code == 500
            assert "answers[0] has neither output nor error" in page.texts["p"][0]
            assert page.buttons == []
        with capture_logs() as logged:
            await rig.http.get(link)
        [entry] = [each for each in logged if each["log_level"] == "warning"]
        assert (entry["execution"], entry["reason"]) == (
            arn,
            "answers[0] has neither output nor error",
        )
        assert await rig.status(arn) == "RUNNING"


async def test_who_answered_is_kept_beside_the_history():
    """The answer stands with its time, label and address under the event that ended the task, is
    logged without the token, and AWS's history has nothing of it."""
    store = MemoryStore()
    async with open_rig(store) as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        with capture_logs() as logged:
            await rig.post(link, 0)
        await rig.ended(arn, "SUCCEEDED")
        row = await rig.engine.execution(arn)
        [answer] = await given_answers(store, row.id)
        events = {event["id"]: event for event in await rig.engine.history(arn)}
        assert events[answer.event_id]["type"] == "ActivitySucceeded"
        assert events[answer.event_id]["timestamp"] == answer.at
        assert (answer.label, answer.address) == ("Renew", "127.0.0.1")
        assert list(events) == list(range(1, len(events) + 1))
        assert "127.0.0.1" not in str(events)
        [entry] = [each for each in logged if each["event"] == "callback answered"]
        assert (entry["execution"], entry["label"], entry["address"]) == (
            arn,
            "Renew",
            "127.0.0.1",
        )
        assert link.rpartition("/")[2] not in str(logged)


class Mail:
    """Sends links, and holds its own answer back until it may give it."""

    name: ClassVar[str] = "lambda"

    def __init__(self) -> None:
        self.links, self._came = trio.open_memory_channel[str](10)
        self.answer = trio.Event()

    def takes(self, resource: str) -> bool:
        """Calls of functions."""
        return resource == "arn:aws:states:::lambda:invoke"

    def place(self, _resource: str, _given: str | None) -> Place:
        """One."""
        return Place("mail", 10)

    async def call(self, request: TaskRequest) -> object:
        """The mail is out; the answer to the call comes later."""
        self.links.send_nowait(request.input["Payload"]["link"])
        await self.answer.wait()
        return {"Payload": None}

    async def link(self) -> str:
        """The next one that was sent."""
        return await self._came.receive()


@pytest.mark.parametrize("early", [True, False])
async def test_a_task_that_waits_for_its_token_is_answered(early):
    """Its link leads to the question in its parameters. It may be answered before the call that
    sent it has an answer, and after."""
    mail = Mail()
    payload = {"link.$": "States.Format('/callbacks/{}', $$.Task.Token)", "callback": CALLBACK}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "mail", "Payload": payload},
        "End": True,
    }
    async with open_rig(runners=[mail]) as rig:
        row, _ = await rig.engine.catalog.create_machine("asks", machine(T=state))
        started = await rig.engine.start_execution(row.arn, "n", "{}")
        arn = started.row.arn
        link = await mail.link()
        if not early:
            mail.answer.set()
            with trio.fail_after(10):
                while "TaskSubmitted" not in str(await rig.engine.history(arn)):  # noqa: ASYNC110
                    await trio.sleep(0.01)
        assert Page((await rig.http.get(link)).text).labels == ["Renew", "I have lost it"]
        assert (await rig.post(link, 0)).status_code == 200
        assert await rig.ended(arn, "SUCCEEDED") == {"renew": True, "days": 14}
        types = [event["type"] for event in await rig.engine.history(arn)]
        assert ("TaskSubmitted" in types, types.count("TaskSucceeded")) == (not early, 1)
        assert (await rig.http.get(link)).status_code == 410


async def test_answers_stand_under_their_own_events():
    """Of several tasks, each answer is under the event that ended its task, whatever came between;
    one answered through the API is under none."""
    store = MemoryStore()
    async with open_rig(store) as rig:
        retried = {"Retry": [{"ErrorEquals": ["Lost"], "IntervalSeconds": 1, "MaxAttempts": 3}]}
        arn, link = await rig.task({"callback": CALLBACK}, **retried)
        await rig.post(link, 1)
        second = await rig.next_task()
        await rig.engine.task_failed(second.token, "Lost", None)
        third = await rig.next_task()
        await rig.post(f"/callbacks/{third.token}", 0)
        await rig.ended(arn, "SUCCEEDED")
        row = await rig.engine.execution(arn)
        answers = await given_answers(store, row.id)
        events = {event["id"]: event for event in await rig.engine.history(arn)}
        seen = [(events[each.event_id]["type"], each.label) for each in answers]
        assert seen == [("ActivityFailed", "I have lost it"), ("ActivitySucceeded", "Renew")]


async def test_a_full_disk_asks_to_come_back():
    """503 with a time; the button works once there is room."""
    store = MemoryStore()
    async with open_rig(store) as rig:
        arn, link = await rig.task({"callback": CALLBACK})
        commit = store.commit

        async def full(_unit: object) -> None:
            raise StoreFull("the disk is full")

        store.commit = full  # type: ignore[method-assign]
        answer = await rig.post(link, 0)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "The disk is full." in Page(answer.text).texts["p"]
        store.commit = commit  # type: ignore[method-assign]
        assert (await rig.post(link, 0)).status_code == 200
        assert await rig.ended(arn, "SUCCEEDED") == {"renew": True, "days": 14}


async def test_a_bug_is_logged_without_the_link():
    """500 with a page; the log has the traceback and not the token, which is the right to
    answer."""
    store = MemoryStore()
    async with open_rig(store) as rig:
        _, link = await rig.task({"callback": CALLBACK})

        async def broken(*_: object) -> None:
            raise RuntimeError("a bug")

        store.task = broken  # type: ignore[method-assign]
        with capture_logs() as logged:
            answer = await rig.http.get(link)
        assert answer.status_code == 500
        [entry] = [each for each in logged if each["log_level"] == "error"]
        assert link.rpartition("/")[2] not in str(entry)


async def test_a_flood_is_sent_away():
    """So many requests are in work, so many more wait, and the rest are told to come back."""
    async with open_rig() as rig:
        _, link = await rig.task({"callback": CALLBACK})
        port = rig.http.base_url.port
        head = f"POST {link} HTTP/1.1\r\nhost: x\r\ncontent-length: 8\r\n\r\nan".encode()
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in range(64 * 17 + 1)]
        for stream in streams:
            await stream.send_all(head)
        with trio.fail_after(10):
            first = await streams[-1].receive_some(4096)
        assert first.startswith(b"HTTP/1.1 429 ")
        for stream in streams:
            await stream.aclose()
        with trio.fail_after(10):
            assert (await _asked(rig.http, link)).status_code == 200


async def _asked(http: httpx.AsyncClient, link: str) -> httpx.Response:
    """What the link shows once there is room again."""
    while (answer := await http.get(link)).status_code == 429:
        pass
    return answer
