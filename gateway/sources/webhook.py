"""The source ``webhook``: a route on the listener that all webhooks share."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from gateway.durations import Duration
from gateway.sources.protocol import Intake
from gateway.sources.verify import Verify
from gateway.sources.webhook_work import serve_route
from gateway.strict import Strict

_SEGMENT = r"([A-Za-z0-9._~!$&'()*+,;=:@%-]+|\{[A-Za-z_][A-Za-z0-9_]*\})"
_PATH = rf"^/$|^(/{_SEGMENT})+/?$"

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class WebhookSource(Strict):
    """Takes HTTP requests; `202` is answered only when the start of the execution is on disk.

    The message has `headers` (names in lower case, without credentials), `query`, `method` and
    `path_parameters`; its `body` is the parsed JSON or form, or the text. Its id is that of the
    header `webhook-id`, `X-GitHub-Delivery` or `Idempotency-Key`, else the CloudEvent's source and
    id, else a fresh one: without any of these, and without a `name` that comes from the body, a
    request that is sent twice starts twice."""

    usual_concurrency: ClassVar[int] = 64

    type: Literal["webhook"]
    """`webhook`"""
    path: Annotated[str, Field(pattern=_PATH, examples=["/hooks/{tenant}"])]
    """Where it listens; a parameter is one whole segment."""
    methods: tuple[Method, ...] = Field(default=("POST",), min_length=1)
    """The HTTP methods that it takes."""
    verify: Verify | None = None
    """How the sender proves itself; without it, anybody who reaches the listener may send."""
    max_body_bytes: int = Field(default=1_048_576, ge=1, le=104_857_600)
    """A larger body is refused with `413`."""
    timeout: Duration = 10.0
    """The time in which a request must have arrived; a slower one is refused with `408`."""

    @field_validator("path")
    @classmethod
    def _distinct_parameters(cls, path: str) -> str:
        names = [part for part in path.split("/") if part.startswith("{")]
        if len(names) != len(set(names)):
            raise ValueError("two parameters have the same name")
        return path

    async def run(self, intake: Intake) -> None:
        """Answer requests for as long as it runs."""
        await serve_route(self, intake)
