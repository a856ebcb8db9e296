"""Messages of an application into bytes: framing, the connection's fate, no splitting."""

from __future__ import annotations

import pytest

from gateway.http.requests import Head
from gateway.http.responses import DateHeader, ResponseEncoder


def encoded(*bodies, method="GET", version="1.1", status=200, headers=(), stay=True):
    """The bytes for a start and these pieces of body, and whether the connection stays."""
    head = Head(method, b"/", version, [], keep_alive=True, expects_continue=False)
    encoder = ResponseEncoder(head, lambda: b"")
    messages = [{"type": "http.response.start", "status": status, "headers": headers}]
    for number, body in enumerate(bodies, 1):
        more = number < len(bodies)
        messages.append({"type": "http.response.body", "body": body, "more_body": more})
    data = b"".join(encoder.encode(each, may_stay=stay) for each in messages)
    return data, encoder.keep_alive and encoder.complete


@pytest.mark.parametrize(
    ("bodies", "request_is", "expected", "stays"),
    [
        ([b"abc"], {}, b"content-length: 3\r\n\r\nabc", True),
        ([b""], {}, b"content-length: 0\r\n\r\n", True),
        (
            [b"abc", b"", b"0123456789abcdef", b""],
            {},
            b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
            True,
        ),
        ([b"a", b"b"], {"headers": [(b"Content-Length", b"2")]}, b"content-length: 2\r\n\r\nab", 1),
        ([b"a", b"b"], {"version": "1.0"}, b"connection: close\r\n\r\nab", False),
        (
            [b"a"],
            {"version": "1.0"},
            b"content-length: 1\r\nconnection: keep-alive\r\n\r\na",
            True,
        ),
        ([b"abc"], {"method": "HEAD", "headers": [(b"content-length", b"3")]}, b"3\r\n\r\n", True),
        ([b""], {"status": 204}, b"HTTP/1.1 204 No Content\r\n\r\n", True),
        ([b"a"], {"stay": False}, b"content-length: 1\r\nconnection: close\r\n\r\na", False),
        (
            [b"a"],
            {"headers": [(b"Connection", b"close")]},
            b"content-length: 1\r\nconnection: close\r\n\r\na",
            False,
        ),
    ],
)
def test_framing(bodies, request_is, expected, stays):
    """The client can see where the body ends, by the means that its version has."""
    data, kept = encoded(*bodies, **request_is)
    assert data.endswith(expected)
    assert kept == stays


def test_a_status_without_a_name():
    """Has an empty reason."""
    assert encoded(b"", status=599)[0].startswith(b"HTTP/1.1 599 \r\n")


@pytest.mark.parametrize(
    "header",
    [
        (b"x", b"a\r\nSet-Cookie: b"),
        (b"x", b"a\nb"),
        (b"x", b"a\0"),
        (b"x\r\ny", b"a"),
        (b"x: y", b"a"),
        (b"", b"a"),
        (b"transfer-encoding", b"chunked"),
    ],
)
def test_no_header_splits_an_answer(header):
    """It is the application's bug, and nothing of the answer is written."""
    with pytest.raises(RuntimeError):
        encoded(b"", headers=[header])


@pytest.mark.parametrize("bodies", [[b"abc"], [b"a"], [b"a", b"bc"]])
def test_a_length_that_is_not_kept_is_a_bug(bodies):
    """Too much would be read as the next answer; too little would be waited for."""
    with pytest.raises(RuntimeError, match="content-length"):
        encoded(*bodies, headers=[(b"content-length", b"2")])


@pytest.mark.parametrize(
    "kinds",
    [["body"], ["start", "start"], ["start", "body", "body"], ["start", "body", "start"], ["push"]],
)
def test_messages_out_of_turn_are_bugs(kinds):
    """One start, then bodies until the last."""
    head = Head("GET", b"/", "1.1", [], keep_alive=True, expects_continue=False)
    encoder = ResponseEncoder(head, lambda: b"")
    messages = [{"type": f"http.response.{kind}", "status": 200} for kind in kinds]
    for message in messages[:-1]:
        encoder.encode(message, may_stay=True)
    with pytest.raises(RuntimeError, match="out of turn"):
        encoder.encode(messages[-1], may_stay=True)


async def test_the_date_is_made_once_a_second(autojump_clock):
    """It is one line, and stays the same object until a second has passed."""
    date = DateHeader()
    first = date()
    assert first.startswith(b"date: ")
    assert first.endswith(b" GMT\r\n")
    assert date() is first
    autojump_clock.jump(1)
    assert date() is not first
