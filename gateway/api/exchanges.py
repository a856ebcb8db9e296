"""An HTTP task's request and answer as TestState shows them at the level TRACE."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from gateway.tasks.http_request import HttpRequest, status_text

if TYPE_CHECKING:
    from gateway.aws.connections import Reply
    from gateway.tasks.protocol import Exchange

MOST_CHARACTERS: Final = 262_144
"""Of a body."""


def shown_exchange(exchange: Exchange, *, secrets: bool) -> dict[str, Any]:
    """The members ``request`` and ``response`` of InspectionData; what the connection added to the
    request only with ``secrets``."""
    asked = exchange.sent if secrets else exchange.bare
    protocol = urlsplit(asked.url).scheme
    shown: dict[str, Any] = {"request": {"protocol": protocol, **_request(asked)}}
    if exchange.reply is not None:
        shown["response"] = {"protocol": protocol, **_response(exchange.reply)}
    return shown


def _request(asked: HttpRequest) -> dict[str, str]:
    return {
        "method": asked.method,
        "url": asked.url,
        "headers": _headers(asked.headers.items()),
        "body": _text(asked.body),
    }


def _response(reply: Reply) -> dict[str, str]:
    return {
        "statusCode": str(reply.status),
        "statusMessage": status_text(reply.status),
        "headers": _headers(reply.headers),
        "body": _text(reply.body),
    }


def _headers(headers: Iterable[tuple[str, str]]) -> str:
    return f"[{', '.join(f'{name}: {value}' for name, value in headers)}]"


def _text(body: bytes) -> str:
    return body.decode(errors="replace")[:MOST_CHARACTERS]
