"""A function behind a URL."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, model_validator

from gateway.http.targets import check_headers, check_url
from gateway.tasks.functions.function import (
    Function,
    FunctionError,
    Invocation,
    Kit,
    LocalSettings,
    parsed_error,
    time_limit,
)

_OURS: Final = frozenset(
    {"connection", "content-length", "content-type", "host", "idempotency-key", "user-agent"}
)


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    check_headers(headers, _OURS)
    return headers


class HttpFunction(LocalSettings):
    """A POST of the payload to a URL: the body of an answer of 2xx is the result.

    Any other answer is the error `States.Http.StatusCode.N`, or `errorType` of an object in it; no
    answer is `States.Http.Socket`. `Idempotency-Key` is the same where a call is made again.
    """

    type: Literal["http"]
    """``http``"""
    url: Annotated[HttpUrl, Field(repr=False)]
    """Where to post to, ``http`` or ``https``. Redirects are not followed."""
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = Field(
        default_factory=dict
    )
    """Further headers, as ``Authorization``."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Calls at a time; further ones wait."""
    allow_private: bool = False
    """Also post to private, loopback and link-local addresses."""

    @model_validator(mode="after")
    def _check_url(self) -> HttpFunction:
        check_url(self.url, allow_private=self.allow_private)
        return self

    def open(self, _name: str, kit: Kit) -> Function:
        """The function."""
        return _Endpoint(self, kit)


class _Endpoint:
    def __init__(self, settings: HttpFunction, kit: Kit) -> None:
        self._settings = settings
        self._web = kit.web

    async def call(self, invocation: Invocation) -> bytes:
        from gateway.aws.connections import Unanswered
        from gateway.http.sizes import MOST_BYTES

        settings = self._settings
        headers = {name: value.get_secret_value() for name, value in settings.headers.items()}
        headers |= {
            "Content-Type": "application/json",
            "Idempotency-Key": invocation.key,
            "User-Agent": "stategate",
        }
        url = str(settings.url)
        connections = await self._web.connections(allow_private=settings.allow_private)
        with time_limit(settings.timeout, invocation.key):
            try:
                body = invocation.payload or b"{}"
                reply = await connections.request("POST", url, headers.items(), body, MOST_BYTES)
            except Unanswered as failure:
                raise FunctionError("States.Http.Socket", str(failure)) from None
        if not 200 <= reply.status < 300 or reply.header("x-amz-function-error") is not None:
            raise _failure(reply.status, reply.body)
        return reply.body if reply.body.strip() else b"null"

    def retire(self) -> None:
        """The connections are not its own."""


def _failure(status: int, body: bytes) -> FunctionError:
    told = parsed_error(body)
    if told is not None:
        return FunctionError.as_told(told)
    return FunctionError(f"States.Http.StatusCode.{status}", body.decode(errors="replace"))
