"""The parser: what requests mean, in pieces of any size, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.limits import Limits
from gateway.http.requests import Body, End, Head, Malformed, RequestParser

HOST = b"Host: x\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
SMALL = Limits(head_bytes_max=200, headers_max=5, target_bytes_max=50)


def events(*pieces, limits=SMALL):
    """What the parser makes of the pieces, the body's put together."""
    parser = RequestParser(limits)
    found = []
    for piece in pieces:
        parser.feed(piece)
    for event in parser.events:
        if isinstance(event, Body) and found and isinstance(found[-1], Body):
            found[-1] = Body(found[-1].data + event.data)
        else:
            found.append(event)
    return found


def test_a_request():
    """Method, target, version, headers with names in lower case, body, end."""
    got = events(b"POST /a%20b?c=d HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\nContent-Length: 3\r\n\r\nabc")
    headers = [(b"host", b"x"), (b"x-y", b"z"), (b"content-length", b"3")]
    assert got == [
        Head("POST", b"/a%20b?c=d", "1.1", headers, keep_alive=True, expects_continue=False),
        Body(b"abc"),
        End(),
    ]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        # What requests are smuggled with.
        (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (CHUNKED + b"Content-Length: 3\r\n\r\n0\r\n\r\n", 400),
        (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
        (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
        (POST + b"Content-Length: +3\r\n\r\nabc", 400),
        (POST + b"Content-Length: -1\r\n\r\n", 400),
        (POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
        (POST + b"Content-Length:\r\n\r\n", 400),
        (POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
        (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
        (CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: x\n\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n", 400),
        # Hosts, versions, methods, targets.
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        (b"GET /\r\n\r\n", 505),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"get / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 501),
        (b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (POST + b"Expect: miracles\r\n\r\n", 417),
        # Limits.
        (b"GET /" + b"a" * 60 + b" HTTP/1.1\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 7, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 300, 431),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 300 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_refused(text, status):
    """With the status that says why; nothing of it reaches an application."""
    for got in (events(text), events(*[bytes([byte]) for byte in text])):
        assert [type(each) for each in got] == [Malformed]
        assert got[0].status == status
        assert got[0].reason


@pytest.mark.parametrize(
    "rest",
    [
        b"3\nabc\n0\n\n",
        b"fffffffffffffffff\r\n",
        b"xyz\r\n",
        b"3\r\nabcd\r\n",
        b"1;" + b"e" * 300,
        b"0\r\nTrailer: " + b"t" * 300,
    ],
)
def test_a_chunked_body_that_is_malformed_is_refused(rest):
    """Also one whose extensions or trailers never end: they are bounded as a head is."""
    for pieces in ([rest], [bytes([byte]) for byte in rest]):
        head, *_, last = events(CHUNKED + b"\r\n", *pieces)
        assert isinstance(head, Head)
        assert isinstance(last, Malformed)


def test_trailers_are_dropped():
    """They are no headers, and come too late to be any."""
    head, body, end = events(CHUNKED + b"\r\n3;x=y\r\nabc\r\n0\r\nHost: evil\r\n\r\n")
    assert (b"host", b"evil") not in head.headers
    assert (body, end) == (Body(b"abc"), End())


def test_nothing_is_read_behind_what_is_malformed():
    """The requests before it stand; what follows could mean anything."""
    good = b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
    got = events(good + b"nonsense\r\n\r\n" + good, good)
    assert [type(each) for each in got] == [Head, End, Malformed]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/a?b#c", b"/a?b"),
        (b"http://h/a?b", b"/a?b"),
        (b"http://h", b"/"),
        (b"http://h?a=/b", b"/?a=/b"),
        (b"//h/a", b"//h/a"),
        (b"*", b"*"),
    ],
)
def test_targets(target, expected):
    """A proxy's client sends the whole URL; the path is what counts."""
    method = b"OPTIONS" if target == b"*" else b"GET"
    head, _ = events(method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.target == expected


@pytest.mark.parametrize(
    ("version", "connection", "keep"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: close\r\n", False),
        (b"1.1", b"Connection: foo, Close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: keep-alive\r\n", True),
    ],
)
def test_whether_the_client_stays(version, connection, keep):
    """By its version and what it says."""
    head, _ = events(b"GET / HTTP/" + version + b"\r\nHost: x\r\n" + connection + b"\r\n")
    assert head.keep_alive is keep


def test_an_offered_upgrade_is_passed_over():
    """The request is read to its end as if there were no offer, its body included."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n"
    text = POST + offer + b"Content-Length: 3\r\n\r\nabc"
    for got in (events(text), events(*[bytes([byte]) for byte in text])):
        head, body, end = got
        assert (b"content-length", b"3") in head.headers
        assert not head.keep_alive
        assert (body, end) == (Body(b"abc"), End())


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"GET / HTTP/1.1\r\n%s\r\n", 400),
        (POST + b"%sTransfer-Encoding: gzip\r\n\r\n", 501),
        (POST + b"%sExpect: x\r\nContent-Length: 0\r\n\r\n", 417),
        (b"POST / HTTP/1.0\r\n%sTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n%s\r\n", None),
    ],
)
def test_an_offered_upgrade_does_not_change_what_is_refused(text, status):
    """Nor how that is answered."""
    for offer in (b"", b"Connection: upgrade\r\nUpgrade: h2c\r\n"):
        first = events(text.replace(b"%s", offer))[0]
        assert getattr(first, "status", None) == status, offer


REQUESTS = [
    b"GET /one HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n",
    POST + b"Content-Length: 5\r\n\r\nab\r\nc",
    CHUNKED + b"\r\n3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\nT: u\r\n\r\n",
    POST + b"Expect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    b"GET /last HTTP/1.0\r\n\r\n",
    b"nonsense",
    POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab",
]


@given(st.data())
def test_how_the_bytes_are_cut_does_not_matter(data):
    """Any cutting of any sequence of requests means the same."""
    text = b"".join(data.draw(st.lists(st.sampled_from(REQUESTS), max_size=5)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    ends = [*cuts, len(text)]
    pieces = [text[a:b] for a, b in zip([0, *cuts], ends, strict=True) if a < b]
    assert events(*pieces, limits=Limits()) == events(text, limits=Limits())


@given(st.lists(st.binary(max_size=40)))
def test_any_bytes_are_survived(pieces):
    """Whatever comes is events; nothing is raised."""
    events(*pieces)
    events(CHUNKED + b"\r\n", *pieces)
