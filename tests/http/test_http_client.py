"""The HTTP client against raw servers: answers of every shape, and when a connection is kept."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from itertools import pairwise

import httpcore
import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import client as http_client
from gateway.http.client import Client, Response, UnknownHost

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class FarSide:
    """A server that answers each request with the next of some bytes, whatever was asked."""

    def __init__(self, *answers: bytes, hangs_up: bool = False) -> None:
        self.answers = list(answers)
        self.hangs_up = hangs_up
        """After each answer."""
        self.requests: list[bytes] = []
        self.streams: list[trio.SocketStream] = []
        self.url = ""

    @property
    def connections(self) -> int:
        """How many there were."""
        return len(self.streams)

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection; a request ends with an exclamation mark."""
        self.streams.append(stream)
        request = b""
        with suppress(trio.BrokenResourceError):
            async for data in stream:
                request += data
                if request.endswith(b"!"):
                    self.requests.append(request)
                    request = b""
                    await stream.send_all(self.answers.pop(0))
                    if self.hangs_up:
                        return


@asynccontextmanager
async def talking(far: FarSide) -> AsyncIterator[Client]:
    """A client, and the far side at its port."""
    async with (
        trio.open_nursery() as nursery,
        aclosing(Client(ssl.create_default_context(), httpcore.TrioBackend())) as client,
    ):
        serve = partial(trio.serve_tcp, far.serve, 0, host="127.0.0.1")
        [listener] = await nursery.start(serve)
        far.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}/a?b=c"
        yield client
        nursery.cancel_scope.cancel()


async def whole(response: Response) -> bytes:
    """All of a body."""
    pieces = []
    while piece := await response.piece():
        pieces.append(piece)
    return b"".join(pieces)


async def asked(client: Client, far: FarSide, method: str = "POST") -> tuple[int, bytes]:
    """Status and body of one request."""
    async with client.ask(method, far.url, [("X-A", "1")], b"body!") as response:
        return response.status, await whole(response)


async def test_a_request_is_written_whole_and_the_connection_is_kept():
    """Host and Content-Length are added; the next request goes over the same connection."""
    far = FarSide(OK, b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    async with talking(far) as client:
        assert await asked(client, far) == (200, b"ok")
        assert await asked(client, far) == (404, b"abc")
    host = far.url.split("/")[2].encode()
    head = b"POST /a?b=c HTTP/1.1\r\nHost: " + host + b"\r\nX-A: 1\r\nContent-Length: 5\r\n\r\n"
    assert far.requests == [head + b"body!"] * 2
    assert far.connections == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    ],
)
async def test_what_goes_before_an_answer_or_has_no_body(answer, body):
    """An answer of 1xx is passed over, one without a body ends at once; the connection is kept."""
    far = FarSide(answer, OK)
    async with talking(far) as client:
        _, found = await asked(client, far)
        assert found == body
        assert await asked(client, far) == (200, b"ok")
    assert far.connections == 1


@pytest.mark.parametrize(
    ("answer", "hangs_up", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", False, b"ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False, b"ok"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", True, b"until the end"),
        (OK + OK, False, b"ok"),
        (OK + b"rubbish", False, b"ok"),
    ],
)
async def test_a_connection_that_is_not_to_be_used_again(answer, hangs_up, body):
    """The far side says so, ends its answer by hanging up, or sent what nobody asked for: the next
    request has a connection of its own, and the answer that belongs to it."""
    far = FarSide(answer, answer, hangs_up=hangs_up)
    async with talking(far) as client:
        assert await asked(client, far) == (200, body)
        assert await asked(client, far) == (200, body)
    assert far.connections == 2


async def test_an_answer_that_comes_too_late_is_nobodys():
    """A connection on which something came while it was idle is not used again."""
    far = FarSide(OK, OK)
    async with talking(far) as client:
        assert await asked(client, far) == (200, b"ok")
        [[(_, idle)]] = client._idle.values()
        await trio.testing.wait_all_tasks_blocked()
        await far.streams[0].send_all(OK)
        await trio.lowlevel.wait_readable(idle.get_extra_info("socket"))
        assert await asked(client, far) == (200, b"ok")
    assert far.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nok",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    ],
)
async def test_half_an_answer_or_another_protocol(answer):
    """Is a protocol error, and the connection is gone."""
    far = FarSide(answer, hangs_up=True)
    async with talking(far) as client:
        with pytest.raises(httpcore.RemoteProtocolError):
            await asked(client, far)
        assert not any(client._idle.values())


async def test_what_comes_behind_a_body_is_dropped_and_has_an_end():
    """Trailers are no headers; a far side that sends nothing else fails, and fills no memory."""
    ends = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n"
    far = FarSide(ends + b"T: x\r\n\r\n", ends + b"T: x\r\n" * 50_000 + b"\r\n")
    async with talking(far) as client:
        async with client.ask("POST", far.url, [], b"!") as response:
            assert (await response.piece(), await response.piece()) == (b"ok", b"")
            assert [name for name, _ in response.headers] == ["Transfer-Encoding"]
        with pytest.raises(httpcore.RemoteProtocolError, match="belong to no body"):
            await asked(client, far)


async def test_old_connections_to_other_places_are_closed_too(monkeypatch):
    """Whatever place is asked next: there may be no end of places."""
    first, second = FarSide(OK), FarSide(OK)
    seconds = [0.0]
    monkeypatch.setattr(http_client, "monotonic", lambda: seconds[0])
    async with talking(first) as client, talking(second):
        assert await asked(client, first) == (200, b"ok")
        [[(_, idle)]] = client._idle.values()
        seconds[0] = 31
        assert await asked(client, second) == (200, b"ok")
        assert len(client._idle) == 1
        with pytest.raises(trio.ClosedResourceError):
            await idle._stream.send_all(b"x")


async def test_a_body_that_is_left_unread_drops_the_connection():
    """Its rest would be taken for the next answer."""
    far = FarSide(OK, OK)
    async with talking(far) as client:
        async with client.ask("POST", far.url, [], b"!") as response:
            assert response.status == 200
        assert await asked(client, far) == (200, b"ok")
    assert far.connections == 2


async def test_a_cancelled_request_drops_the_connection():
    """Its answer may still come."""
    far = FarSide(b"", OK)
    async with talking(far) as client:
        with trio.move_on_after(0.05) as scope:
            await asked(client, far)
        assert scope.cancelled_caught
        assert await asked(client, far) == (200, b"ok")
    assert far.connections == 2


async def test_head_has_no_body_whatever_it_says():
    """The length that it tells is that of the answer to GET."""
    far = FarSide(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    async with talking(far) as client:
        assert await asked(client, far, "HEAD") == (200, b"")


@pytest.mark.parametrize(
    ("name", "value"), [("a b", "x"), ("a", "x\r\nb: c"), ("a", "x\0"), ("", "x"), ("a", "€")]
)
async def test_a_header_cannot_break_out(name, value):
    """Nothing is sent of a request whose headers are no headers."""
    far = FarSide()
    async with talking(far) as client:
        with pytest.raises(httpcore.LocalProtocolError):
            async with client.ask("POST", far.url, [(name, value)], b""):
                pass
    assert far.connections == 0


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://127.0.0.1/a b"])
async def test_a_url_that_cannot_be_asked(url):
    """Another scheme, or characters that have to be escaped."""
    client = Client(ssl.create_default_context(), httpcore.TrioBackend())
    with pytest.raises((httpcore.UnsupportedProtocol, httpcore.LocalProtocolError)):
        async with client.ask("POST", url, [], b""):
            pass


class Pieces(httpcore.AsyncNetworkStream):
    """A stream that gives what comes in these pieces."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    async def read(self, max_bytes, timeout=None):
        """The next one."""
        return self.pieces.pop(0) if self.pieces else b""


@given(st.lists(st.integers(0, 90), max_size=8), st.sampled_from([b"5\r\nhello\r\n0\r\n\r\n", b""]))
async def test_an_answer_is_the_same_however_it_is_cut(cuts, chunks):
    """The pieces in which it comes say nothing."""
    head = b"HTTP/1.1 200 OK\r\nA: b\r\n"
    answer = head + (
        b"Transfer-Encoding: chunked\r\n\r\n" + chunks
        if chunks
        else b"Content-Length: 5\r\n\r\nhello"
    )
    places = sorted({0, len(answer), *(cut for cut in cuts if cut < len(answer))})
    pieces = [answer[a:b] for a, b in pairwise(places)]
    response = Response(Pieces(pieces), bodiless=False)
    await response.head()
    assert (response.status, response.headers[0]) == (200, ("A", "b"))
    assert await whole(response) == b"hello"
    assert response.leaves_connection_good


async def test_a_name_that_does_not_resolve_is_told_with_the_name():
    """As AWS's own client tells it."""
    trio.socket.set_custom_hostname_resolver(Names())
    client = Client(ssl.create_default_context(), httpcore.TrioBackend())
    with pytest.raises(UnknownHost, match=r"^nowhere\.example: Name or service not known$"):
        async with client.ask("POST", "http://nowhere.example/", [], b""):
            pass


class Names(trio.abc.HostnameResolver):
    """A name service that knows no name."""

    async def getaddrinfo(self, host, port, family=0, type=0, proto=0, flags=0):  # noqa: A002
        """As the operating system says it."""
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, sockaddr, flags):
        """Not asked for."""
        raise NotImplementedError
