"""Who may call the API, and what of it: access keys with their secrets and permissions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, TypeAlias

import structlog
from pydantic import BeforeValidator, Field, SecretStr
from starlette.datastructures import Headers
from starlette.types import Scope

from gateway.api.model import Request
from gateway.api.signatures import read_signature, verify
from gateway.engine.arns import read_arn
from gateway.engine.metrics import Metrics
from gateway.errors import ApiError
from gateway.strict import Strict

OWN: Final = "stategate:"
"""What stands before the names of Stategate's own operations."""
_OWN_PREFIX: Final = "Stategate"
_MACHINE_KINDS: Final = ("stateMachine", "execution", "express", "mapRun")
_NOBODY: Final = "no secret of anybody"


def _secrets(written: Any) -> Any:
    """A key with a text after it has that secret and may do everything."""
    return {"secret": written} if isinstance(written, str) else written


class AccessKey(Strict):
    """Who signs with one access key, and what they may do."""

    secret: Annotated[SecretStr, Field(min_length=1)]
    """The secret access key, as `${ORDERS_SECRET}`."""
    previous_secret: Annotated[SecretStr, Field(min_length=1)] | None = None
    """Taken as well, while the secret is being changed."""
    actions: tuple[str, ...] = ("*",)
    """Operations that are allowed, with `*` for any text: `StartExecution`, `Describe*`. Those of
    Stategate itself are named `stategate:*`; `*` alone does not mean them. TestState with
    `revealSecrets` asks for `RevealSecrets`, too."""
    machines: tuple[str, ...] = ("*",)
    """Names of the state machines that may be named in a request, with `*` for any text."""

    def secrets(self) -> Iterator[str]:
        """Those that a signature may be made with."""
        yield self.secret.get_secret_value()
        if self.previous_secret is not None:
            yield self.previous_secret.get_secret_value()


Credentials: TypeAlias = dict[str, Annotated[AccessKey, BeforeValidator(_secrets)]]
"""Access keys by their id."""


class Guard:
    """Lets a request through, or raises an ApiError that is logged and counted."""

    def __init__(
        self, keys: Callable[[], Mapping[str, AccessKey]], now: Callable[[], int], metrics: Metrics
    ) -> None:
        """``keys`` is asked for every request, so that a reload changes them; where there are none,
        everybody may do everything."""
        self._keys = keys
        self._now = now
        self._metrics = metrics
        self._log = structlog.get_logger("api")

    def caller(self, scope: Scope, body: bytes) -> str | None:
        """The access key that the request is signed with; None where nobody signs.

        Raises ApiError with AWS's codes for one that is not signed as it should be.
        """
        keys = self._keys()
        if not keys:
            return None
        try:
            return self._verified(keys, scope, body)
        except ApiError as error:
            raise self._refused(error, "signature") from None

    def _verified(self, keys: Mapping[str, AccessKey], scope: Scope, body: bytes) -> str:
        headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
        signature = read_signature(headers, scope["query_string"])
        key = keys.get(signature.key)
        # A key that is unknown takes as long to be refused as a wrong signature.
        at = datetime.fromtimestamp(self._now() / 1000, UTC)
        if key is None:
            with suppress(ApiError):
                verify(signature, [_NOBODY], headers, body, at)
            message = "The security token included in the request is invalid."
            raise ApiError("UnrecognizedClientException", message)
        verify(signature, key.secrets(), headers, body, at)
        return signature.key

    def allow(self, caller: str | None, prefix: str, operation: str, request: Request) -> None:
        """Raises ApiError AccessDeniedException where the caller may not do this."""
        if caller is None:
            return
        key = self._keys().get(caller)
        for action in _actions(prefix, operation, request):
            if key is None or not _may(key, action, request):
                resource = next(_machines(request), "*")
                message = f"{caller} is not authorized to perform: {action} on resource: {resource}"
                error = ApiError("AccessDeniedException", message)
                raise self._refused(error, "permission", key=caller, action=action)

    def _refused(self, error: ApiError, reason: str, **said: str) -> ApiError:
        self._metrics.refused(reason)
        self._log.warning("request refused", reason=reason, code=error.code, **said)
        return error


def _actions(prefix: str, operation: str, request: Request) -> Iterator[str]:
    """What the caller has to be allowed to do."""
    yield f"{OWN}{operation}" if prefix == _OWN_PREFIX else operation
    if request.get("revealSecrets"):
        yield "RevealSecrets"


def _may(key: AccessKey, action: str, request: Request) -> bool:
    own = action.startswith(OWN)
    patterns = [each for each in key.actions if each.startswith(OWN) is own]
    return any(fnmatchcase(action, each) for each in patterns) and all(
        any(fnmatchcase(name, each) for each in key.machines) for name in _machines(request)
    )


def _machines(value: Any, member: str = "") -> Iterator[str]:
    """The names of the machines that a request is about, at whatever depth."""
    match value:
        case dict():
            if "definition" in value and "name" in value:
                yield value["name"]  # CreateStateMachine
            for name, below in value.items():
                yield from _machines(below, name)
        case list():
            for item in value:
                yield from _machines(item, member)
        case str() if member.endswith("Arn"):
            yield from _machine_of(value)
        case _:
            pass


def _machine_of(arn: str) -> Iterator[str]:
    try:
        read = read_arn(arn, *_MACHINE_KINDS)
    except ApiError:  # No machine's: the operation itself refuses what is no ARN.
        return
    yield read.name.partition("/")[0]
