"""The webhook source over real HTTP: what is answered, and that nothing is lost."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

import pytest
import trio
from starlette.responses import Response
from webhook_rig import open_rig

from gateway.errors import ConfigError, Unavailable
from gateway.sources.protocol import Filtered, Refused
from gateway.sources.webhook_request import WebhookRequest
from gateway.sources.webhook_routes import Handler


async def test_a_start_is_answered_with_its_execution() -> None:
    """202 says which execution the request started, and the message has all members."""
    async with open_rig() as rig, rig.source(path="/hooks/{tenant}", methods=["POST", "PUT"]):
        answer = await rig.http.put(
            "/hooks/a%2Fb?x=1&y=2&y=3",
            json={"id": 7},
            headers={"X-Request": "A", "Webhook-Id": "m1", "Authorization": "secret"},
        )
        assert answer.status_code == 202
        assert answer.json() == {"executionArn": "arn:a/b-m1", "name": "a/b-m1", "duplicate": False}
        [message] = rig.trigger.started
        assert message.id == "m1"
        assert message.body == {"id": 7}
        assert message.members["path_parameters"] == {"tenant": "a/b"}
        assert message.members["query"] == {"x": "1", "y": ["2", "3"]}
        assert message.members["method"] == "PUT"
        assert message.members["headers"]["x-request"] == "A"
        assert "authorization" not in message.members["headers"]


async def test_a_repeated_delivery_is_a_duplicate() -> None:
    """The same delivery id answers the same ARN and says that it is a duplicate."""
    async with open_rig() as rig, rig.source():
        headers = {"X-GitHub-Delivery": "d1"}
        first = await rig.http.post("/hooks/orders", json=1, headers=headers)
        again = await rig.http.post("/hooks/orders", json=1, headers=headers)
        assert again.status_code == 202
        assert again.json() == {**first.json(), "duplicate": True}


async def test_the_answer_waits_for_the_disk() -> None:
    """202 is sent only after deliver has returned."""
    async with open_rig() as rig, rig.source():
        rig.trigger.gate = trio.Event()
        async with trio.open_nursery() as nursery:
            answers: list[int] = []

            async def post() -> None:
                answers.append((await rig.http.post("/hooks/orders", json={})).status_code)

            nursery.start_soon(post)
            await rig.trigger.until(lambda: rig.trigger.in_work == 1)
            assert answers == []
            rig.trigger.gate.set()
        assert answers == [202]


@pytest.mark.parametrize(
    ("outcome", "status", "body"),
    [
        (Filtered(), 202, {"filtered": True}),
        (
            Refused("no such field", "letter-1"),
            422,
            {"message": "no such field", "letter": "letter-1"},
        ),
        (Unavailable("disk full", 7.2), 503, {"message": "disk full"}),
        (RuntimeError("a bug"), 500, {"message": "internal error"}),
    ],
)
async def test_each_outcome_has_its_answer(outcome, status, body) -> None:
    """What the trigger makes of the message decides the status; a bug is contained."""
    async with open_rig() as rig, rig.source():
        rig.trigger.decide = lambda message: outcome
        answer = await rig.http.post("/hooks/orders", json={})
        assert (answer.status_code, answer.json()) == (status, body)
        assert answer.headers.get("retry-after") == ("8" if status == 503 else None)


async def test_a_full_trigger_sends_away_with_a_time() -> None:
    """429 with Retry-After while the trigger takes no more."""
    async with open_rig() as rig, rig.source():
        rig.trigger.full_seconds = 2.5
        answer = await rig.http.post("/hooks/orders", json={})
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "3"
        assert rig.trigger.batches == []


async def test_a_trigger_that_fills_up_while_a_request_arrives() -> None:
    """Who was admitted while there was room is sent away as well, once the room is gone."""
    async with open_rig() as rig:
        answers = iter([None, 2.5])
        rig.trigger.full = lambda: next(answers)
        async with rig.source():
            answer = await rig.http.post("/hooks/orders", json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        assert rig.trigger.batches == []


async def test_a_trigger_that_takes_nothing_now_says_why() -> None:
    """503 with Retry-After and the reason while nothing can be taken, as on a full disk."""
    async with open_rig() as rig, rig.source():
        rig.trigger.away = Unavailable("the disk is full", 2.5)
        answer = await rig.http.post("/hooks/orders", json={})
        assert (answer.status_code, answer.json()) == (503, {"message": "the disk is full"})
        assert answer.headers["retry-after"] == "3"
        assert rig.trigger.batches == []


async def test_unknown_paths_and_methods() -> None:
    """404 for a path that nobody has, 405 with what the path takes."""
    async with open_rig() as rig, rig.source(), rig.source(methods=["PUT"]):
        assert (await rig.http.post("/hooks/other", json={})).status_code == 404
        answer = await rig.http.delete("/hooks/orders")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST, PUT"


async def test_the_most_specific_path_takes_the_request() -> None:
    """A literal segment goes before a parameter, in whatever order they were registered."""
    async with open_rig() as rig, rig.source(path="/hooks/{tenant}"), rig.source(path="/hooks/x"):
        await rig.http.post("/hooks/x", json={})
        await rig.http.post("/hooks/y", json={})
        parameters = [message.members["path_parameters"] for message in rig.trigger.started]
        assert parameters == [{}, {"tenant": "y"}]


async def test_a_route_that_has_ended_asks_to_come_back() -> None:
    """Between the end of a source and its restart a sender hears 503, never 404."""
    async with open_rig() as rig:
        async with rig.source():
            pass
        answer = await rig.http.post("/hooks/orders", json={})
        assert answer.status_code == 503
        assert "retry-after" in answer.headers
        async with rig.source():
            assert (await rig.http.post("/hooks/orders", json={})).status_code == 202


async def test_the_newer_one_of_two_routes_takes_the_requests() -> None:
    """Before and after the end of the older one: a reload relies on it."""

    def says(what: str) -> Handler:
        async def handler(request: WebhookRequest, parameters: Mapping[str, str]) -> Response:
            return Response(what)

        return handler

    async with open_rig() as rig, AsyncExitStack() as older:
        register = rig.server.routes.registered
        await older.enter_async_context(register(["POST"], "/x", says("old")))
        async with register(["POST"], "/x", says("new")):
            assert (await rig.http.post("/x")).text == "new"
            await older.aclose()
            assert (await rig.http.post("/x")).text == "new"
            assert (await rig.http.put("/x")).status_code == 405
        assert (await rig.http.post("/x")).status_code == 503


async def test_a_body_over_the_limit_is_refused() -> None:
    """413 whether the length was declared or not, also for a body far over the limit."""

    async def chunks():
        for _ in range(64):
            yield b"x" * 65_536

    async with open_rig() as rig, rig.source(max_body_bytes=1000):
        declared = await rig.http.post("/hooks/orders", content=b"x" * 5_000_000)
        chunked = await rig.http.post("/hooks/orders", content=chunks())
        assert [declared.status_code, chunked.status_code] == [413, 413]
        assert (await rig.http.post("/hooks/orders", json={})).status_code == 202


async def test_a_body_that_is_not_what_it_says_is_refused() -> None:
    """400 names what is wrong, and nothing is delivered."""
    async with open_rig() as rig, rig.source():
        headers = {"content-type": "application/json"}
        answer = await rig.http.post("/hooks/orders", content=b"{", headers=headers)
        assert answer.status_code == 400
        assert "not JSON" in answer.json()["message"]
        assert rig.trigger.batches == []


async def test_a_half_sent_body_times_out() -> None:
    """408 after the timeout, while others are served; its slot is free again."""
    async with open_rig() as rig, rig.source(timeout="300ms", concurrency=2):
        stream = await rig.open_stream()
        async with stream:
            await stream.send_all(
                b"POST /hooks/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{"
            )
            assert (await rig.http.post("/hooks/orders", json={})).status_code == 202
            with trio.fail_after(10):
                received = b"".join([data async for data in stream])
        assert received.startswith(b"HTTP/1.1 408 ")
        assert len(rig.trigger.batches) == 1


async def test_a_half_sent_header_is_cut_off() -> None:
    """A connection that never finishes its header costs nothing for long."""
    async with open_rig(idle_seconds=0.2) as rig, rig.source(), await rig.open_stream() as stream:
        await stream.send_all(b"POST /hooks/orders HTTP/1.1\r\nHo")
        with trio.fail_after(10):
            received = b"".join([data async for data in stream])
        assert received == b""


async def test_a_sender_that_hangs_up_half_way_delivers_nothing() -> None:
    """Half a body is no message, and the listener goes on."""
    async with open_rig() as rig, rig.source(concurrency=1):
        async with await rig.open_stream() as stream:
            await stream.send_all(
                b"POST /hooks/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n12"
            )
        assert (await rig.http.post("/hooks/orders", json={})).status_code == 202
        assert len(rig.trigger.batches) == 1


async def test_a_sender_that_hangs_up_after_its_body_loses_nothing() -> None:
    """A whole request is delivered, whoever is left to read the answer."""
    async with open_rig() as rig, rig.source():
        rig.trigger.gate = trio.Event()
        async with await rig.open_stream() as stream:
            await stream.send_all(
                b"POST /hooks/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
            )
            await rig.trigger.until(lambda: rig.trigger.in_work == 1)
        rig.trigger.gate.set()
        await rig.trigger.until(lambda: len(rig.trigger.started) == 1)


async def test_concurrency_bounds_the_requests_in_work() -> None:
    """A burst is waited out: all are answered 202, never more than `concurrency` in work."""
    async with open_rig() as rig, rig.source(concurrency=2):
        rig.trigger.gate = trio.Event()
        statuses: list[int] = []

        async def post() -> None:
            statuses.append((await rig.http.post("/hooks/orders", json={})).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(12):
                nursery.start_soon(post)
            await rig.trigger.until(lambda: rig.trigger.in_work == 2)
            rig.trigger.gate.set()
        assert statuses == [202] * 12
        assert rig.trigger.most_in_work == 2


async def test_a_flood_is_sent_away() -> None:
    """Who waits longer than the timeout for a slot is told 429."""
    async with open_rig() as rig, rig.source(concurrency=1, timeout="200ms"):
        rig.trigger.gate = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: rig.http.post("/hooks/orders", json={}))
            await rig.trigger.until(lambda: rig.trigger.in_work == 1)
            answer = await rig.http.post("/hooks/orders", json={})
            assert answer.status_code == 429
            assert answer.headers["retry-after"] == "1"
            rig.trigger.gate.set()


async def test_no_more_wait_than_a_burst() -> None:
    """Beyond so many that wait for a slot the next is told 429 at once."""
    async with open_rig() as rig, rig.source(concurrency=1):
        rig.trigger.gate = trio.Event()
        statuses: list[int] = []

        async def post() -> None:
            statuses.append((await rig.http.post("/hooks/orders", json={})).status_code)
            if 429 in statuses:
                rig.trigger.gate.set()

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(post)
        assert sorted(statuses) == [202] * 17 + [429] * 3


async def test_the_end_of_a_source_waits_for_the_requests_in_work() -> None:
    """A request that was being delivered when the source is stopped still gets its answer."""
    async with open_rig() as rig:
        rig.trigger.gate = trio.Event()
        answers: list[int] = []

        async def post() -> None:
            answers.append((await rig.http.post("/hooks/orders", json={})).status_code)

        async with trio.open_nursery() as nursery, rig.source():
            nursery.start_soon(post)
            await rig.trigger.until(lambda: rig.trigger.in_work == 1)
            nursery.start_soon(_open_soon, rig.trigger.gate)
        assert answers == [202]


async def _open_soon(gate: trio.Event) -> None:
    await trio.testing.wait_all_tasks_blocked()
    gate.set()


async def test_a_port_in_use_is_a_problem_with_a_remedy() -> None:
    """Two listeners on one address: the second says which address and why."""
    async with open_rig() as rig:
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{rig.port}"):
            await rig.server.serve(f"127.0.0.1:{rig.port}")


@pytest.mark.parametrize("target", [b"*", b"http://x/nowhere", b"/a/b/c", b"/%ff%00"])
async def test_a_refused_request_lets_go_of_its_connection(target: bytes) -> None:
    """Whatever the target is, a body that nobody wants is swallowed and the answer is 404."""
    async with open_rig() as rig, rig.source(), await rig.open_stream() as stream:
        head = b"OPTIONS " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        body = b"x" * 300_000
        await stream.send_all(head + b"Content-Length: 300000\r\n\r\n" + body)
        with trio.fail_after(10):
            received = b"".join([data async for data in stream])
        assert received.startswith(b"HTTP/1.1 404 ")


async def test_a_websocket_is_not_served() -> None:
    """An upgrade is passed over: the request is answered as one that has no offer of it."""
    async with open_rig() as rig, rig.source():
        async with await rig.open_stream() as stream:
            await stream.send_all(
                b"GET /hooks/orders HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            with trio.fail_after(10):
                received = await stream.receive_some()
        assert received.startswith(b"HTTP/1.1 405 ")
        assert (await rig.http.post("/hooks/orders", json={})).status_code == 202
