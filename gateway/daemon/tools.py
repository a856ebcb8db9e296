"""What the task integrations use, for as long as the pumps run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import structlog
import trio

from gateway.aws.client import Aws
from gateway.processes.warden import Warden, open_warden
from gateway.tasks.functions.function import Kit
from gateway.tasks.functions.registry import Functions
from gateway.tasks.http_invoke import HttpConnections
from gateway.tasks.protocol import Tools
from gateway.tasks.web import Web

_THREADS = 4
"""For what libraries do by themselves: looking for credentials, endpoints and certificates."""


@asynccontextmanager
async def open_tools(region: str, account: str = "123456789012") -> AsyncIterator[Tools]:
    """The tools; their connections and processes end with the context."""
    limiter = trio.CapacityLimiter(_THREADS)
    in_thread = partial(trio.to_thread.run_sync, abandon_on_cancel=True, limiter=limiter)
    aws, web = Aws(in_thread, region), Web(in_thread)
    log = structlog.get_logger("function")
    # The warden stays until the processes have ended.
    async with AsyncExitStack() as stack, trio.open_nursery() as processes:
        warden = _WardenOnFirstUse(stack, log)
        kit = Kit(processes, warden.get, web, region, account, log)
        try:
            yield Tools(aws, Functions(kit), HttpConnections(web))
        finally:
            processes.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await aws.aclose()
                await web.aclose()


class _WardenOnFirstUse:
    """A daemon that runs no program needs no warden."""

    def __init__(self, stack: AsyncExitStack, log: structlog.stdlib.BoundLogger) -> None:
        self._stack = stack
        self._log = log
        self._opening = trio.Lock()
        self._warden: Warden | None = None

    async def get(self) -> Warden:
        """The one for all functions."""
        async with self._opening:
            if self._warden is None:
                self._warden = await self._stack.enter_async_context(open_warden(self._log))
            return self._warden
