"""What an entry of ``connections:`` says: how HTTP tasks prove themselves and where they may go."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, Field, HttpUrl, SecretStr, model_validator

from gateway.http.targets import UserName, check_headers, check_url
from gateway.strict import Strict

if TYPE_CHECKING:
    from gateway.tasks.tokens import Tokens

_OURS: Final = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_PORTS: Final = {"http": 80, "https": 443}


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    check_headers(headers, _OURS)
    return headers


def _check_beginning(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is no beginning of a URL, as https://api.example.com/v1/")
    return url


class Connection(Strict):
    """What every connection has."""

    endpoints: tuple[Annotated[str, AfterValidator(_check_beginning)], ...] = ()
    """Beginnings of the URLs that it may be used for, as `https://api.example.com/v1/`; a task that
    asks for another one fails. Default: any."""
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = Field(
        default_factory=dict
    )
    """Headers of each request, in the place of the task's own."""
    query: dict[str, SecretStr] = Field(default_factory=dict)
    """Parameters in each request's URL, in the place of the task's own."""
    body: dict[str, SecretStr] = Field(default_factory=dict)
    """Members of each body that is an object, in the place of the task's own."""
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 200
    """Calls at a time to one host; further tasks wait, and their clocks do not run yet."""
    allow_private: bool = False
    """Also ask private, loopback and link-local addresses."""
    interrupted: Literal["again", "fail"] = "again"
    """A call that a crash of the daemon cut off is made `again`, under the same `Idempotency-Key`,
    or taken to `fail` with `States.TaskFailed`, so that Retry decides."""

    async def prove(self, tokens: Tokens) -> dict[str, str]:
        """The headers that say who asks. Raises NoToken."""
        raise NotImplementedError

    def bare(self) -> Connection:
        """The same, which adds nothing to a request."""
        return self.model_copy(update={"headers": {}, "query": {}, "body": {}})

    def permits(self, url: str) -> bool:
        """Whether a task may ask there."""
        return not self.endpoints or any(_begins(urlsplit(url), each) for each in self.endpoints)


class OpenConnection(Connection):
    """Requests of nobody in particular."""

    type: Literal["none"]
    """``none``"""

    async def prove(self, _tokens: Tokens) -> dict[str, str]:
        """Nothing."""
        return {}


class BasicConnection(Connection):
    """Requests with `Authorization: Basic`."""

    type: Literal["basic"]
    """``basic``"""
    username: UserName
    """The user's name; it has no colon."""
    password: SecretStr
    """The password."""

    async def prove(self, _tokens: Tokens) -> dict[str, str]:
        """Name and password."""
        return {"Authorization": basic(self.username, self.password)}


class ApiKeyConnection(Connection):
    """Requests with a key in a header."""

    type: Literal["api_key"]
    """``api_key``"""
    name: str
    """Name of the header, as `X-Api-Key`."""
    value: SecretStr
    """The key."""

    @model_validator(mode="after")
    def _check_key(self) -> ApiKeyConnection:
        check_headers({self.name: self.value}, _OURS)
        return self

    async def prove(self, _tokens: Tokens) -> dict[str, str]:
        """The key."""
        return {self.name: self.value.get_secret_value()}


class OAuthConnection(Connection):
    """Requests with a token of OAuth 2.0 for these client credentials, kept until it expires."""

    type: Literal["oauth"]
    """``oauth``"""
    token_url: Annotated[HttpUrl, Field(repr=False)]
    """Where tokens are given."""
    client_id: str
    """Who asks for them."""
    client_secret: SecretStr
    """The secret of that client."""
    client_in: Literal["header", "body"] = "header"
    """Where the two stand in the request for a token."""
    parameters: dict[str, SecretStr] = Field(default_factory=dict)
    """What else the request for a token says, as `scope` or `audience`."""

    @model_validator(mode="after")
    def _check_token_url(self) -> OAuthConnection:
        check_url(self.token_url, allow_private=self.allow_private)
        return self

    async def prove(self, tokens: Tokens) -> dict[str, str]:
        """A token."""
        return {"Authorization": f"Bearer {await tokens.get(self)}"}


AnyConnection: TypeAlias = Annotated[
    OpenConnection | BasicConnection | ApiKeyConnection | OAuthConnection,
    Field(discriminator="type"),
]
"""What an entry of ``connections:`` may say; a new kind adds its name here."""


def basic(username: str, password: SecretStr) -> str:
    """The value of an Authorization header."""
    text = f"{username}:{password.get_secret_value()}"
    return f"Basic {base64.b64encode(text.encode()).decode()}"


def _begins(asked: SplitResult, beginning: str) -> bool:
    allowed = urlsplit(beginning)
    # Segments of dots lead elsewhere than the path seems to.
    dots = any(segment in {".", ".."} for segment in unquote(asked.path).split("/"))
    path = asked.path or "/"
    return _origin(asked) == _origin(allowed) and path.startswith(allowed.path) and not dots


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
