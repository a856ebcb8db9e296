"""The ``webhook`` sink: one POST per notification, as Standard Webhooks 1.0.0 describes it."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    HttpUrl,
    SecretStr,
    WithJsonSchema,
    model_validator,
)

from gateway.durations import Duration
from gateway.errors import Gone, Unavailable
from gateway.http.targets import check_headers, check_url
from gateway.sinks.encoding import to_json
from gateway.sinks.protocol import Notification, Outlet
from gateway.strict import Strict

if TYPE_CHECKING:
    from gateway.sinks.post import Answer

_OURS = frozenset(
    {
        "connection",
        "content-length",
        "content-type",
        "host",
        "traceparent",
        "transfer-encoding",
        "user-agent",
        "webhook-id",
        "webhook-late",
        "webhook-signature",
        "webhook-timestamp",
    }
)


def _check_secret(secret: SecretStr) -> SecretStr:
    try:
        key = _key(secret)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError(
            "must be whsec_ and the base64 of 24 to 64 random bytes; "
            'make one with: echo "whsec_$(openssl rand -base64 32)"'
        )
    return secret


def _key(secret: SecretStr) -> bytes:
    encoded = secret.get_secret_value().removeprefix("whsec_")
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)


def _check_headers(headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
    check_headers(headers, _OURS)
    return headers


Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_check_secret)]
Secrets: TypeAlias = Annotated[
    tuple[Secret, ...],
    Field(max_length=10),
    BeforeValidator(lambda given: (given,) if isinstance(given, str) else given),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "maxItems": 10}),
]


class WebhookSink(Strict):
    """Posts each notification to a URL, as JSON and with the same ``webhook-id`` in every attempt.

    Only 2xx accepts it. 410 stops the whole sink. Whatever else is answered, a 400 or 404 as well
    as a 500, it is sent again later: a wrong URL or a missing right is usually put right by
    somebody, and the notification is still wanted then.
    """

    type: Literal["webhook"]
    """``webhook``"""
    url: Annotated[HttpUrl, Field(repr=False)]
    """Where to post to, ``http`` or ``https``. Redirects are not followed."""
    secret: Secrets = ()
    """Signs each request as Standard Webhooks says: ``whsec_`` and the base64 of 24 to 64 bytes.
    A list while rotating: the request then carries a signature by each."""
    headers: Annotated[dict[str, SecretStr], AfterValidator(_check_headers)] = Field(
        default_factory=dict
    )
    """Further headers, as ``Authorization``."""
    timeout: Annotated[Duration, Field(gt=0, le=60)] = 15.0
    """How long one attempt may take in all, from the name's resolution to the answer."""
    allow_private: bool = False
    """Also post to private, loopback and link-local addresses."""

    @model_validator(mode="after")
    def _check_url(self) -> WebhookSink:
        check_url(self.url, allow_private=self.allow_private)
        return self

    async def send(self, notification: Notification, outlet: Outlet) -> None:
        """Post it once. Raises Gone for 410 and Unavailable for every other failure."""
        document = notification.event if notification.message is None else notification.message
        body = to_json(document)
        headers = self._headers(notification, body, outlet.now())
        answer = await outlet.http.post(
            str(self.url),
            headers,
            body.encode(),
            timeout_seconds=self.timeout,
            allow_private=self.allow_private,
        )
        _judge(answer, outlet.now())

    def _headers(self, notification: Notification, body: str, now: int) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self.headers.items()}
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": "stategate",
            "webhook-id": notification.id,
            "webhook-timestamp": str(now // 1000),
        }
        if self.secret:
            headers["webhook-signature"] = self._signatures(notification.id, now, body)
        if notification.late:
            headers["webhook-late"] = "true"
        if notification.trace is not None:
            headers["traceparent"] = notification.trace
        return headers

    def _signatures(self, identity: str, now: int, body: str) -> str:
        from standardwebhooks import Webhook

        at = datetime.fromtimestamp(now // 1000, UTC)
        return " ".join(Webhook(_key(secret)).sign(identity, at, body) for secret in self.secret)


def _judge(answer: Answer, now: int) -> None:
    if 200 <= answer.status < 300:
        return
    if answer.status == 410:
        raise Gone("answered 410 Gone: it wants no more of these")
    reason = f"answered {answer.status}"
    if 300 <= answer.status < 400:
        reason += ", a redirect, which is not followed: set url to where it leads"
    raise Unavailable(reason, _seconds(answer.retry_after, now))


def _seconds(retry_after: str | None, now: int) -> float | None:
    """A Retry-After in seconds from now: it is a number of seconds or an HTTP date."""
    if retry_after is None:
        return None
    if re.fullmatch(r"\d{1,9}", retry_after, re.ASCII):
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return max(0.0, at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now / 1000)
