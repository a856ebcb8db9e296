"""How a webhook's sender proves itself: one settings class for each scheme.

The check is over the raw bytes, before anything is parsed; comparisons take constant time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, TypeAlias

from pydantic import Field
from structlog.stdlib import BoundLogger

from gateway.sources.verify.credentials import Basic, Bearer
from gateway.sources.verify.signatures import Github, Hmac, StandardWebhooks
from gateway.sources.verify.sns import Sns
from gateway.sources.verify.sns_desk import sns_check
from gateway.sources.verify.verdict import Arrival, Check, Genuine, Verdict

Verify: TypeAlias = Annotated[
    Github | StandardWebhooks | Hmac | Bearer | Basic | Sns, Field(discriminator="type")
]


@asynccontextmanager
async def judge(
    verify: Verify | None, now: Callable[[], int], log: BoundLogger
) -> AsyncIterator[Check]:
    """The check of a scheme, with what it needs while it is used; ``now`` is in milliseconds."""
    if isinstance(verify, Sns):
        async with sns_check(verify, now, log) as check:
            yield check
        return

    async def check_alone(arrival: Arrival) -> Verdict:
        return Genuine() if verify is None else verify.check(arrival)

    yield check_alone
