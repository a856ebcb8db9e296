"""What the task integrations use, for as long as the pumps run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import trio

from gateway.aws.client import Aws
from gateway.tasks.protocol import Tools

_THREADS = 4
"""For what AWS's libraries do by themselves: looking for credentials and endpoints."""


@asynccontextmanager
async def open_tools(region: str) -> AsyncIterator[Tools]:
    """The tools; their connections end with the context."""
    limiter = trio.CapacityLimiter(_THREADS)
    in_thread = partial(trio.to_thread.run_sync, abandon_on_cancel=True, limiter=limiter)
    aws = Aws(in_thread, region)
    try:
        yield Tools(aws)
    finally:
        await aws.aclose()
