"""The HTTP that sinks speak: one POST, bounded in time and size, never redirected.

It stands on httpcore rather than on a whole HTTP client, because the guard must sit where
connections are made (its network backend is the seam for that), and because cookies, redirects and
decoding are unwanted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import NamedTuple

import httpcore
import trio

from gateway.errors import Unavailable
from gateway.http.client import Client, Response
from gateway.http.guard import PublicOnly

_DRAIN_BYTES = 65_536
_DRAIN_SECONDS = 1.0
_NETWORK_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
)


class Answer(NamedTuple):
    """What the far side said; its body is of no interest."""

    status: int
    retry_after: str | None
    """The Retry-After header as it came."""


class PostClient:
    """Posts to URLs. Connections are reused, those of guarded and unguarded sinks kept apart."""

    def __init__(self, guarded: Client, unguarded: Client) -> None:
        self._guarded = guarded
        self._unguarded = unguarded

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_seconds: float,
        allow_private: bool,
    ) -> Answer:
        """Returns whatever status was answered. Raises Unavailable where nothing was answered in
        time, or where only private addresses are left and ``allow_private`` is not set."""
        client = self._unguarded if allow_private else self._guarded
        answer = None
        try:
            with trio.move_on_after(timeout_seconds):
                async with client.ask("POST", url, headers.items(), body) as response:
                    answer = _answer(response)
                    await _drain(response)
        except httpcore.LocalProtocolError:
            # Its text quotes the header that it does not like, which may be a secret.
            raise Unavailable("the request breaks HTTP's rules: look at its headers") from None
        except _NETWORK_ERRORS as failure:
            raise Unavailable(f"{type(failure).__name__}: {failure}".rstrip(": ")) from None
        if answer is None:
            raise Unavailable(f"no answer within {timeout_seconds:g} s")
        return answer


@asynccontextmanager
async def open_post_client() -> AsyncIterator[PostClient]:
    """A client whose connections end with the context. It trusts SSL_CERT_FILE or SSL_CERT_DIR."""
    import httpx

    trust = httpx.create_ssl_context()
    direct = httpcore.TrioBackend()
    async with (
        aclosing(Client(trust, PublicOnly(direct))) as guarded,
        aclosing(Client(trust, direct)) as unguarded,
    ):
        yield PostClient(guarded, unguarded)


def _answer(response: Response) -> Answer:
    named = (value for name, value in response.headers if name.lower() == "retry-after")
    return Answer(response.status, next(named, None))


async def _drain(response: Response) -> None:
    # A short body is read to its end, so that the connection can be used again. One that is long or
    # slow, or breaks off, changes nothing about the answer: the connection is dropped.
    room = _DRAIN_BYTES
    with trio.move_on_after(_DRAIN_SECONDS, shield=True), suppress(*_NETWORK_ERRORS):
        while room > 0 and (piece := await response.piece()):
            room -= len(piece)
