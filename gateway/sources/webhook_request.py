"""A request on its way in: its head, its body within size and time, and how one is refused."""

from __future__ import annotations

from collections.abc import Mapping

import trio
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope

from gateway.sources.verify.verdict import Arrival


class Refusal(Exception):
    """The request gets this answer instead of being delivered."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}

    @property
    def answer(self) -> JSONResponse:
        """For a program."""
        return JSONResponse({"message": self.reason}, self.status, self.headers)


class ClientGone(Exception):
    """The sender hung up before its request was whole; nobody is left to answer."""


class WebhookRequest:
    """What the listener hands to a route."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["raw_path"].decode("ascii", "replace")
        """Percent-encoded, as it was sent."""
        self.client: str = scope["client"][0] if scope["client"] else ""
        """Address of whoever is connected: behind a proxy, that of the proxy."""
        self._query: str = scope["query_string"].decode("ascii", "replace")
        self._headers = Headers(scope=scope)
        self._receive = receive
        self._whole = False

    async def read(self, limit_bytes: int, seconds: float) -> Arrival:
        """The whole request. Raises Refusal (413, 408) and ClientGone."""
        if self._declared_bytes() > limit_bytes:
            raise _too_large(limit_bytes)
        try:
            with trio.fail_after(seconds):
                body = await self._body(limit_bytes)
        except trio.TooSlowError:
            reason = f"the request did not arrive within {seconds:g} s"
            raise Refusal(408, reason, {"connection": "close"}) from None
        return Arrival(self.method, self.path, self._joined_headers(), self._query, body)

    async def _body(self, limit_bytes: int) -> bytes:
        body = bytearray()
        while not self._whole:
            message = await self._next()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            if len(body) > limit_bytes:
                raise _too_large(limit_bytes)
        return bytes(body)

    async def _next(self) -> Message:
        message = await self._receive()
        self._whole = not message.get("more_body", False)
        return message

    def _declared_bytes(self) -> int:
        declared = self._headers.get("content-length", "0")
        return int(declared) if declared.isdecimal() else 0

    def _joined_headers(self) -> dict[str, str]:
        return {name: ", ".join(self._headers.getlist(name)) for name in self._headers}


def _too_large(limit_bytes: int) -> Refusal:
    reason = f"the body is larger than {limit_bytes} bytes"
    return Refusal(413, reason, {"connection": "close"})
