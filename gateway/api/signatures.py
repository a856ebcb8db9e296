"""AWS's signature, version 4, of a request to the API: clients make it, the server verifies it.
Pure.

Only what the API takes is understood: ``POST /`` without a query, signed in its headers, over its
whole body.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from gateway.errors import ApiError

SERVICE: Final = "states"
SKEW_SECONDS: Final = 300
"""So much may the clocks of client and server differ."""
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_END: Final = "aws4_request"
_DATE: Final = "%Y%m%dT%H%M%SZ"


class Signature(NamedTuple):
    """What an Authorization header says."""

    key: str
    """The access key."""
    scope: str
    """``<date>/<region>/states/aws4_request``"""
    headers: tuple[str, ...]
    """Names of those that are signed, in lower case."""
    value: str


def sign(
    key: str, secret: str, region: str, headers: Mapping[str, str], body: bytes, at: datetime
) -> dict[str, str]:
    """The headers to add to a request that has these (names in lower case)."""
    date = at.strftime(_DATE)
    signed = {**headers, "x-amz-date": date}
    names = tuple(sorted(signed))
    scope = f"{date[:8]}/{region}/{SERVICE}/{_END}"
    value = _value(secret, scope, names, signed, body)
    said = f"Credential={key}/{scope}, SignedHeaders={';'.join(names)}, Signature={value}"
    return {"x-amz-date": date, "authorization": f"{_ALGORITHM} {said}"}


def read_signature(headers: Mapping[str, str], query: bytes) -> Signature:
    """What the request says of its signature.

    Raises ApiError MissingAuthenticationTokenException for one without, and
    IncompleteSignatureException for one that is presigned or misses a part.
    """
    if query:
        raise _incomplete("presigned requests and those with a query are not taken")
    written = headers.get("authorization")
    if written is None:
        raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
    algorithm, _, rest = written.partition(" ")
    parts = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    key, _, scope = parts.get("Credential", "").partition("/")
    names = tuple(parts.get("SignedHeaders", "").split(";"))
    value = parts.get("Signature", "")
    if algorithm != _ALGORITHM or not (key and value):
        raise _incomplete(f"Authorization has to be {_ALGORITHM} with Credential and Signature")
    if scope.split("/")[2:] != [SERVICE, _END] or len(scope.split("/")) != 4:
        raise _incomplete(f"Credential has to be scoped to <date>/<region>/{SERVICE}/{_END}")
    needed = {"host", "x-amz-date"} | {name for name in headers if name.startswith("x-amz-")}
    if not needed <= set(names) or not headers.keys() >= set(names):
        raise _incomplete(f"SignedHeaders has to name {', '.join(sorted(needed))}")
    return Signature(key, scope, names, value)


def verify(
    signature: Signature,
    secrets: Iterable[str],
    headers: Mapping[str, str],
    body: bytes,
    at: datetime,
) -> None:
    """Raises ApiError InvalidSignatureException unless one of the secrets made the signature, over
    this body and within a few minutes."""
    hashed = headers.get("x-amz-content-sha256", "")
    if hashed and not hmac.compare_digest(hashed.encode(), sha256(body).hexdigest().encode()):
        raise _invalid("x-amz-content-sha256 is not the hash of the body")
    date = headers["x-amz-date"]
    try:
        signed_at = datetime.strptime(date, _DATE).replace(tzinfo=UTC)
    except ValueError:
        raise _incomplete("X-Amz-Date has to be of the form YYYYMMDDTHHMMSSZ") from None
    if date[:8] != signature.scope.partition("/")[0]:
        raise _invalid("the date of the Credential is not that of X-Amz-Date")
    if abs((at - signed_at).total_seconds()) > SKEW_SECONDS:
        raise _invalid(f"Signature expired: {date} is too far from {at.strftime(_DATE)}")
    given = signature.value.encode()
    wanted = [
        _value(secret, signature.scope, signature.headers, headers, body).encode()
        for secret in secrets
    ]
    if not sum(hmac.compare_digest(given, one) for one in wanted):
        raise _invalid(
            "The request signature we calculated does not match the signature you provided. "
            "Check your AWS Secret Access Key and signing method."
        )


def _value(
    secret: str, scope: str, names: tuple[str, ...], headers: Mapping[str, str], body: bytes
) -> str:
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    hashed = sha256(body).hexdigest()
    request = "\n".join(["POST", "/", "", *lines, "", ";".join(names), hashed])
    digest = sha256(request.encode()).hexdigest()
    text = "\n".join([_ALGORITHM, headers["x-amz-date"], scope, digest])
    return hmac.new(_key(secret, scope), text.encode(), sha256).hexdigest()


@lru_cache(maxsize=64)
def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key


def _incomplete(reason: str) -> ApiError:
    return ApiError("IncompleteSignatureException", f"Incomplete signature: {reason}")


def _invalid(reason: str) -> ApiError:
    return ApiError("InvalidSignatureException", reason)
