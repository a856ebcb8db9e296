"""The server on loopback: bodies, pipelining, limits, times, hanging up and stopping."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress

import pytest
import trio
import trio.testing
from http_rig import GET, echo, read_whole, respond, rest, serving, until
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.http.peer import ClientGone
from gateway.http.server import listen
from tests.properties import examples

CLOSE = b"Connection: close\r\n"
POST = b"POST /p HTTP/1.1\r\nHost: x\r\n"


def status(answer):
    """The status of one answer."""
    return int(answer.split(b" ", 2)[1])


async def test_requests_follow_each_other_on_a_connection():
    """Each gets its answer, in order, whether the next one waits for it or not."""
    async with serving(echo) as rig, await rig.connect() as client:
        for _ in range(2):
            await client.send_all(POST + b"Content-Length: 3\r\n\r\nabc")
            assert status(await until(client, b"POST /p abc\n")) == 200
        await client.send_all(POST + b"Content-Length: 1\r\n\r\n1" + GET * 2)
        await client.send_all(b"GET /last HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n")
        got = await rest(client)
        bodies = [line for line in got.splitlines() if line[:2] in (b"PO", b"GE")]
        assert bodies == [b"POST /p 1", b"GET / ", b"GET / ", b"GET /last "]


@examples(25)
@given(st.lists(st.integers(0, 400), max_size=8))
def test_how_the_bytes_arrive_does_not_matter(cuts):
    """Any cutting of a pipeline gets the same answers."""
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    last = b"GET /end HTTP/1.1\r\nHost: x\r\n" + CLOSE + b"\r\n"
    text = POST + b"Content-Length: 4\r\n\r\n1234" + chunked + GET + last
    places = sorted({min(cut, len(text)) for cut in cuts})
    pieces = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True) if a < b]

    async def main():
        async with serving(echo) as rig, await rig.connect() as client:
            client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in pieces:
                await client.send_all(piece)
                await trio.testing.wait_all_tasks_blocked()
            got = await rest(client)
        bodies = [line for line in got.splitlines() if line[:2] in (b"PO", b"GE")]
        assert bodies == [b"POST /p 1234", b"POST /p abcde", b"GET / ", b"GET /end "]

    trio.run(main)


async def test_a_large_body_arrives_whole():
    """In pieces, and read only as fast as the application takes them."""
    size = 3_000_000

    async def count(scope, receive, send):
        await respond(send, b"%d\n" % len(await read_whole(receive)))

    async with serving(count) as rig:
        head = POST + CLOSE + b"Content-Length: %d\r\n\r\n" % size
        assert (await rig.answers(head, b"x" * size)).endswith(b"\r\n\r\n3000000\n")


async def test_malformed_requests_are_answered_and_closed():
    """400 with the reason; the requests before it are served first."""
    async with serving(echo) as rig:
        got = await rig.answers(GET + b"nonsense\r\n\r\n" + GET)
    assert got.count(b"HTTP/1.1") == 2
    assert b"HTTP/1.1 400 Bad Request\r\n" in got
    assert b"connection: close" in got
    assert b"malformed" in got
    assert rig.log.calls == []


async def test_a_body_that_is_malformed_is_answered():
    """The application hears that the client went, the client hears why."""
    async with serving(echo) as rig:
        got = await rig.answers(POST + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")
    assert status(got) == 400


async def test_a_target_that_is_too_long():
    """414."""
    async with serving(echo, target_bytes_max=100) as rig:
        assert status(await rig.answers(b"GET /" + b"a" * 200 + b" HTTP/1.1\r\n")) == 414


async def test_continue_is_said_when_the_body_is_wanted():
    """Once, and only to who waits for it."""
    async with serving(echo) as rig, await rig.connect() as client:
        head = POST + CLOSE + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        await client.send_all(head)
        assert await until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send_all(b"abc")
        assert (await rest(client)).endswith(b"POST /p abc\n")
        assert b"100 Continue" not in await rig.answers(head + b"abc")


async def test_continue_is_not_said_when_the_body_is_not_wanted():
    """The final answer comes instead, and the connection ends."""

    async def refuse(scope, receive, send):
        await respond(send, b"", 413)

    async with serving(refuse, linger_seconds=0.01) as rig:
        got = await rig.answers(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert status(got) == 413
    assert b"connection: close" in got


async def test_who_still_sends_sees_the_refusal():
    """What is left of a refused body is read for a while, so nothing resets the connection."""

    async def refuse(scope, receive, send):
        await respond(send, b"too large\n", 413)

    async with serving(refuse) as rig:
        size = 2_000_000
        got = await rig.answers(POST + b"Content-Length: %d\r\n\r\n" % size, b"x" * size)
    assert status(got) == 413
    assert got.endswith(b"too large\n")


@pytest.mark.parametrize(
    ("sent", "after"),
    [(b"", 3), (b"POST / HT", 5), (GET, 3), (GET + b"GET / HTT", 5)],
    ids=["nothing", "half a head", "idle after a request", "half a next head"],
)
async def test_who_sends_nothing_more_is_cut_off(autojump_clock, sent, after):
    """By the time for idle connections, or by that for heads once one has begun."""
    async with serving(echo, idle_seconds=3, head_seconds=5) as rig:
        began = trio.current_time()
        got = await rig.answers(sent)
        assert got.count(b"HTTP/1.1 200") == sent.count(GET)
        assert trio.current_time() - began == pytest.approx(after)


async def test_a_head_that_trickles_is_cut_off(autojump_clock):
    """Bytes win no time."""
    async with serving(echo, idle_seconds=30, head_seconds=5) as rig:
        client = await rig.connect()
        async with client, trio.open_nursery() as nursery:

            async def trickle():
                with suppress(trio.BrokenResourceError):
                    for byte in b"GET / HTTP/1.1\r\n" * 9:
                        await client.send_all(bytes([byte]))
                        await trio.sleep(1)

            nursery.start_soon(trickle)
            # What it sends after the end may have reset the connection.
            with suppress(trio.BrokenResourceError):
                assert await rest(client) == b""
            nursery.cancel_scope.cancel()
        assert trio.current_time() < 10


async def test_a_body_that_trickles_is_given_up(autojump_clock):
    """408 after its time, where the application has no shorter one."""
    async with serving(echo, body_seconds=5) as rig, await rig.connect() as client:
        async with trio.open_nursery() as nursery:

            async def trickle():
                await client.send_all(POST + b"Content-Length: 50\r\n\r\n")
                with suppress(trio.BrokenResourceError):
                    while True:
                        await client.send_all(b"x")
                        await trio.sleep(1)

            nursery.start_soon(trickle)
            assert status(await until(client, b"}")) == 408
            nursery.cancel_scope.cancel()
        assert 4 < trio.current_time() < 7


async def test_who_does_not_read_the_answer_is_given_up(autojump_clock):
    """The application hears of it in both directions, and nothing is logged."""
    heard = []

    async def flood(scope, receive, send):
        await read_whole(receive)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, receive)
            await send({"type": "http.response.start", "status": 200})
            with suppress(ClientGone):
                while True:
                    piece = {"type": "http.response.body", "body": b"x" * 65536}
                    await send({**piece, "more_body": True})

    async def watch(receive):
        heard.append(((await receive())["type"], trio.current_time()))

    async with serving(flood, write_seconds=7) as rig, await rig.connect() as client:
        await client.send_all(GET)
        with trio.fail_after(100):
            while not heard:  # noqa: ASYNC110 - nothing tells
                await trio.sleep(1)
        assert heard == [("http.disconnect", pytest.approx(7, abs=2))]
        assert rig.log.calls == []


async def test_an_application_that_waits_hears_that_the_client_goes():
    """Half a connection, a whole one or a broken one; nothing is logged."""
    heard, gone = trio.open_memory_channel(10)

    async def wait(scope, receive, send):
        await read_whole(receive)
        heard.send_nowait("waits")
        heard.send_nowait((await receive())["type"])

    async def half(client):
        await client.send_eof()

    async def whole(client):
        await client.aclose()

    async def broken(client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await client.aclose()

    async with serving(wait) as rig:
        for go in (half, whole, broken):
            client = await rig.connect()
            await client.send_all(POST + b"Content-Length: 1\r\n\r\n1")
            with trio.fail_after(5):
                assert await gone.receive() == "waits"
                await go(client)
                assert await gone.receive() == "http.disconnect"
            await client.aclose()
        assert rig.log.calls == []


async def test_requests_ahead_do_not_hide_that_the_client_goes():
    """What comes behind the request in work is kept, and the end is seen."""
    heard = trio.Event()

    async def wait(scope, receive, send):
        if scope["path"] == "/wait":
            await read_whole(receive)
            await receive()
            heard.set()
        await echo(scope, receive, send)

    async with serving(wait) as rig:
        async with await rig.connect() as client:
            await client.send_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
            await trio.testing.wait_all_tasks_blocked()
            await client.send_all(GET * 3)
        with trio.fail_after(5):
            await heard.wait()


async def test_half_a_body_is_no_request():
    """The application hears that the client went."""
    heard, gone = trio.open_memory_channel(1)

    async def app(scope, receive, send):
        heard.send_nowait(await read_whole(receive))

    async with serving(app) as rig:
        async with await rig.connect() as client:
            await client.send_all(POST + b"Content-Length: 3\r\n\r\na")
        with trio.fail_after(5):
            assert await gone.receive() is None


async def test_a_bug_of_the_application_is_contained():
    """500 and a line in the log; other connections do not notice."""

    async def buggy(scope, receive, send):
        if scope["path"] == "/bug":
            raise ValueError("a bug")
        await echo(scope, receive, send)

    async with serving(buggy) as rig, await rig.connect() as client:
        got = await rig.answers(b"GET /bug HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(got) == 500
        (logged,) = rig.log.calls
        assert logged.kwargs["path"] == "/bug"
        await client.send_all(GET)
        assert status(await until(client, b"GET / \n")) == 200


async def test_an_answer_that_breaks_off_is_seen_to():
    """The connection ends without the end of the body, so nobody takes it for whole."""

    async def breaks(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("a bug")

    async with serving(breaks) as rig:
        got = await rig.answers(GET)
    assert got.endswith(b"4\r\nhalf\r\n")


async def test_an_application_that_answers_nothing():
    """500: the client is not left waiting."""

    async def silent(scope, receive, send):
        pass

    async with serving(silent) as rig:
        assert status(await rig.answers(GET)) == 500


async def test_connections_are_bounded():
    """Further ones wait in the backlog until one has ended."""
    async with serving(echo, connections_max=2) as rig:
        first, second = await rig.connect(), await rig.connect()
        for client in (first, second):
            await client.send_all(GET)
            await until(client, b"GET / \n")
        third = await rig.connect()
        await third.send_all(GET)
        with trio.move_on_after(0.05) as waited:
            await third.receive_some()
        assert waited.cancelled_caught
        await first.aclose()
        assert status(await until(third, b"GET / \n")) == 200
        await second.aclose()
        await third.aclose()


async def test_a_crowd_of_newcomers_is_let_in_at_once():
    """A hundred connections do not take a hundred turns, since under load a turn is long."""
    served = 0

    async def count(scope, receive, send):
        nonlocal served
        served += 1
        await echo(scope, receive, send)

    async with serving(count) as rig:
        crowd = [socket.create_connection(("127.0.0.1", rig.port)) for _ in range(100)]
        for client in crowd:
            client.sendall(GET)
        turns = 0
        while served < len(crowd):
            await trio.lowlevel.checkpoint()
            turns += 1
        for client in crowd:
            client.close()
    assert turns < len(crowd) / 2


async def test_stopping_lets_requests_in_work_end():
    """Idle connections end at once, a request in work is answered, nothing new is accepted."""
    began, go_on = trio.Event(), trio.Event()

    async def slow(scope, receive, send):
        if scope["path"] == "/slow":
            began.set()
            await go_on.wait()
        await echo(scope, receive, send)

    async with (
        serving(slow, linger_seconds=0.01) as rig,
        await rig.connect() as idle,
        await rig.connect() as busy,
    ):
        await idle.send_all(GET)
        await until(idle, b"GET / \n")
        await busy.send_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + GET)
        await began.wait()
        rig.stopping.set()
        assert await rest(idle) == b""
        with pytest.raises(OSError, match="all attempts to connect"):
            await rig.connect()
        assert not rig.stopped.is_set()
        go_on.set()
        got = await rest(busy)
        assert got.endswith(b"connection: close\r\n\r\nGET /slow \n")
        with trio.fail_after(5):
            await rig.stopped.wait()


async def test_stopping_waits_for_its_grace_only(autojump_clock):
    """Then what is in work is cut off."""
    began = trio.Event()

    async def hang(scope, receive, send):
        began.set()
        await trio.sleep_forever()

    async with serving(hang, grace_seconds=4) as rig, await rig.connect() as client:
        await client.send_all(GET)
        await began.wait()
        at = trio.current_time()
        rig.stopping.set()
        await rig.stopped.wait()
        assert trio.current_time() - at == pytest.approx(4)
        assert await rest(client) == b""


async def test_the_scope_says_what_was_asked():
    """As ASGI has it, with both forms of the path and where the client is."""
    scopes = []

    async def keep(scope, receive, send):
        scopes.append(scope)
        await respond(send, b"")

    async with serving(keep) as rig, await rig.connect() as client:
        await client.send_all(b"GET /a%2Fb%20c?d=%20e HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(client, b"\r\n\r\n")
        address = client.socket.getsockname()
    (scope,) = scopes
    assert (scope["path"], scope["raw_path"]) == ("/a/b c", b"/a%2Fb%20c")
    assert scope["query_string"] == b"d=%20e"
    assert scope["client"] == address
    assert scope["server"] == ("127.0.0.1", rig.port)
    assert scope["headers"] == [(b"host", b"x")]


def test_an_address_in_use_names_its_setting():
    """The problem says which setting, which address, and what to do."""
    with listen("127.0.0.1:0", "api.listen") as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError, match=f"hooks.listen: cannot listen on {address}"):
            listen(address, "hooks.listen")
