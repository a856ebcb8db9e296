"""ASGI's response messages into bytes. No I/O happens in this file.

A head goes out with the first piece of the body, so that an ordinary answer is one write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, Final

import trio

from gateway.http.requests import Head, Header

_STATUS_LINES: Final = {
    each.value: b"HTTP/1.1 %d %s\r\n" % (each.value, each.phrase.encode()) for each in HTTPStatus
}
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BODILESS: Final = frozenset((204, 304))


class _Framing(Enum):
    """How the client sees where the body ends."""

    LENGTH = auto()
    CHUNKED = auto()
    CLOSE = auto()
    NO_BODY = auto()


class DateHeader:
    """The ``Date`` line, made anew when a second has passed."""

    def __init__(self) -> None:
        self._second = -1
        self._line = b""

    def __call__(self) -> bytes:
        """The line with its end."""
        second = int(trio.current_time())
        if second != self._second:
            self._second = second
            self._line = b"date: %s\r\n" % formatdate(usegmt=True).encode()
        return self._line


class ResponseEncoder:
    """The answer to one request. What an application does wrong raises RuntimeError."""

    def __init__(self, head: Head, date: Callable[[], bytes]) -> None:
        self._request = head
        self._date = date
        self._start: dict[str, Any] | None = None
        self._framing: _Framing | None = None
        self._left = 0
        self.complete = False
        self.keep_alive = False
        """Whether the connection can take another request; decided when the head is written."""

    @property
    def begun(self) -> bool:
        """Whether the head has been written, so that there is no other answer any more."""
        return self._framing is not None

    def encode(self, message: Any, *, may_stay: bool) -> bytes:
        """What to write for one message; ``may_stay``: the server would keep the connection."""
        match message["type"]:
            case "http.response.start" if self._start is None:
                self._start = message
                return b""
            case "http.response.body" if self._start is not None and not self.complete:
                data: bytes = message.get("body", b"")
                more: bool = message.get("more_body", False)
                head = b"" if self.begun else self._head(self._start, data, more, may_stay)
                self.complete = not more
                return head + self._framed(data, more)
            case kind:
                raise RuntimeError(f"the application sent {kind} out of turn")

    def _head(self, start: dict[str, Any], data: bytes, more: bool, may_stay: bool) -> bytes:
        status: int = start["status"]
        headers = [(name.lower(), value) for name, value in start.get("headers", ())]
        told = dict(headers)
        if b"transfer-encoding" in told:
            raise RuntimeError("the framing of an answer is the server's business")
        self._framing = self._choose_framing(status, told, data, more)
        wanted = told.get(b"connection", b"").lower() != b"close"
        stay = wanted and may_stay and self._request.keep_alive
        self.keep_alive = stay and self._framing is not _Framing.CLOSE
        own = self._own_headers(status, told, data)
        lines = _lines(each for each in headers if each[0] != b"connection")
        return b"".join((_status_line(status), lines, own, b"\r\n"))

    def _choose_framing(
        self, status: int, told: dict[bytes, bytes], data: bytes, more: bool
    ) -> _Framing:
        if self._request.method == "HEAD" or status in _BODILESS:
            return _Framing.NO_BODY
        if b"content-length" in told:
            self._left = int(told[b"content-length"])
            return _Framing.LENGTH
        if not more:
            self._left = len(data)
            return _Framing.LENGTH
        return _Framing.CLOSE if self._request.version == "1.0" else _Framing.CHUNKED

    def _own_headers(self, status: int, told: dict[bytes, bytes], data: bytes) -> bytes:
        own = b"" if b"date" in told else self._date()
        if self._framing is _Framing.LENGTH and b"content-length" not in told:
            own += b"content-length: %d\r\n" % len(data)
        if self._framing is _Framing.CHUNKED:
            own += b"transfer-encoding: chunked\r\n"
        if not self.keep_alive:
            own += b"connection: close\r\n"
        elif self._request.version == "1.0":
            own += b"connection: keep-alive\r\n"
        return own

    def _framed(self, data: bytes, more: bool) -> bytes:
        match self._framing:
            case _Framing.LENGTH:
                self._left -= len(data)
                if self._left < 0 or (self._left and not more):
                    self.complete = False
                    raise RuntimeError("the body is not as long as its content-length says")
                return data
            case _Framing.CHUNKED:
                chunk = b"%x\r\n%s\r\n" % (len(data), data) if data else b""
                return chunk if more else chunk + b"0\r\n\r\n"
            case _Framing.CLOSE:
                return data
            case _:
                return b""


def _status_line(status: int) -> bytes:
    return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status


def _lines(headers: Iterable[Header]) -> bytes:
    """The headers as they go out; one that could split the answer raises RuntimeError."""
    lines = []
    for name, value in headers:
        if not _NAME.fullmatch(name) or _UNSAFE.search(value):
            raise RuntimeError(f"no header can be {name!r}: {value!r}")
        lines.append(b"%s: %s\r\n" % (name, value))
    return b"".join(lines)
