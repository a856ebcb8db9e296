"""Tokens of OAuth 2.0: fetched when they are wanted, kept until they expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import orjson
import trio

from gateway.http.sizes import MOST_BYTES, TooLarge
from gateway.json_text import loads
from gateway.tasks.connection import OAuthConnection, basic
from gateway.tasks.web import Web

if TYPE_CHECKING:
    from gateway.aws.connections import Reply

_FETCH_SECONDS: Final = 20.0
_LEEWAY_SECONDS: Final = 30.0
"""So long before its end a token is renewed."""
_USUAL_SECONDS: Final = 300.0
"""The life of a token that does not say how long it lives."""


class NoToken(Exception):
    """None is given; in words that hold no secret."""


class Tokens:
    """The token of one connection."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._fetching = trio.Lock()
        self._token: str | None = None
        self._until = 0.0

    @property
    def kept(self) -> bool:
        """Whether there is one from before."""
        return self._token is not None

    def forget(self) -> None:
        """The one at hand is refused."""
        self._token = None

    async def get(self, connection: OAuthConnection) -> str:
        """One that is good for a while. Raises NoToken."""
        async with self._fetching:
            if self._token is None or trio.current_time() >= self._until:
                self._token, seconds = await self._fetch(connection)
                self._until = trio.current_time() + seconds - _LEEWAY_SECONDS
            return self._token

    async def _fetch(self, connection: OAuthConnection) -> tuple[str, float]:
        from gateway.aws.connections import Unanswered

        headers, form = _request(connection)
        connections = await self._web.connections(allow_private=connection.allow_private)
        url = str(connection.token_url)
        try:
            with trio.fail_after(_FETCH_SECONDS):
                reply = await connections.request("POST", url, headers.items(), form, MOST_BYTES)
        except (Unanswered, TooLarge) as failure:
            raise NoToken(f"{url} gives no token: {failure}") from None
        except trio.TooSlowError:
            raise NoToken(f"{url} gives no token within {_FETCH_SECONDS:g} seconds") from None
        return _token(url, reply)


def _request(connection: OAuthConnection) -> tuple[dict[str, str], bytes]:
    """Headers and body."""
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "User-Agent": "stategate",
    }
    form = {"grant_type": "client_credentials"}
    form |= {name: value.get_secret_value() for name, value in connection.parameters.items()}
    if connection.client_in == "header":
        headers["Authorization"] = basic(connection.client_id, connection.client_secret)
    else:
        form["client_id"] = connection.client_id
        form["client_secret"] = connection.client_secret.get_secret_value()
    return headers, urlencode(form).encode()


def _token(url: str, reply: Reply) -> tuple[str, float]:
    """The token, and for how many seconds it is good."""
    try:
        said = loads(reply.body)
    except orjson.JSONDecodeError:
        said = None
    token = said.get("access_token") if isinstance(said, dict) else None
    if not 200 <= reply.status < 300 or not isinstance(token, str):
        raise NoToken(f"{url} gives no token: it answered {reply.status}")
    seconds = said.get("expires_in")
    return token, float(seconds) if isinstance(seconds, int | float) else _USUAL_SECONDS
