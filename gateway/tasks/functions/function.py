"""The seam between a task that calls a function and whatever the function is."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, NamedTuple, Protocol

import orjson
import structlog
import trio
from pydantic import Field

from gateway.durations import Duration
from gateway.json_text import loads
from gateway.processes.warden import Warden
from gateway.strict import Strict
from gateway.tasks.web import Web

_NAME: Final = re.compile(
    r"(?:arn:[^:]+:lambda:[^:]*:[^:]*:function:|[^:]+:function:)?([A-Za-z0-9_-]+)(?::[^:]+)?"
)


class Invocation(NamedTuple):
    """One call of a function."""

    payload: bytes
    """JSON; none is an empty object."""
    key: str
    """The same where the call is made again after a crash, and for no other call: UUID."""


class FunctionError(Exception):
    """The function failed: with what Lambda would answer, a JSON object with ``errorType`` and
    ``errorMessage``."""

    def __init__(self, kind: str, message: str, **more: Any) -> None:
        super().__init__(f"{kind}: {message}")
        self.payload = orjson.dumps({"errorMessage": message, "errorType": kind, **more})

    @classmethod
    def as_told(cls, payload: bytes) -> FunctionError:
        """The function said itself what its error is."""
        error = cls("", "")
        error.payload = payload
        return error


class Function(Protocol):
    """What a name runs. It is called at most ``concurrency`` times at a time."""

    async def call(self, invocation: Invocation) -> bytes:
        """What it returned, as JSON. Raises FunctionError, and TooLarge for a result that nobody
        would read. May be cancelled at any time; nothing of the call goes on then."""
        ...

    def retire(self) -> None:
        """There are no further calls; those that are under way end as they would."""
        ...


@dataclass(frozen=True, slots=True)
class Kit:
    """What a function may use."""

    nursery: trio.Nursery
    """For its processes; it ends after the last call."""
    warden: Callable[[], Awaitable[Warden]]
    """Gives the warden of the processes."""
    web: Web
    region: str
    account: str
    log: structlog.stdlib.BoundLogger


class FunctionSettings(Strict):
    """What an entry of ``functions:`` has, whatever its type."""

    concurrency: int
    interrupted: Literal["again", "fail"] = "again"
    """A call that a crash of the daemon cut off is made `again`, under the same request id, or
    taken to `fail` with `Lambda.Unknown`, so that Retry decides."""


class LocalSettings(FunctionSettings):
    """What a function of our own has."""

    concurrency: Annotated[int, Field(ge=1, le=10_000)]
    timeout: Annotated[Duration, Field(gt=0)] = 60.0
    """How long a call may take; then it is cut and fails with `Sandbox.Timedout`."""


def parsed_error(text: bytes) -> bytes | None:
    """The text itself, where it is an error as Lambda's functions write them."""
    try:
        said = loads(text)
    except orjson.JSONDecodeError:
        return None
    is_error = isinstance(said, dict) and isinstance(said.get("errorType"), str)
    return text.strip() if is_error and said["errorType"] else None


def function_name(function: str) -> str:
    """Of a function as a task names it: an ARN, a part of one, or a name; each with or without a
    version or alias."""
    found = _NAME.fullmatch(function)
    return function if found is None else found[1]


@contextmanager
def time_limit(seconds: float, key: str) -> Iterator[None]:
    """Raises the FunctionError that Lambda answers when the time is up."""
    try:
        with trio.fail_after(seconds):
            yield
    except trio.TooSlowError:
        said = f"RequestId: {key} Error: Task timed out after {seconds:.2f} seconds"
        raise FunctionError("Sandbox.Timedout", said) from None
