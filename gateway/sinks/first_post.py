"""The HTTP client of the sinks, opened when one of them posts for the first time.

A daemon without webhook sinks never does: its libraries, its certificates and its connection pools
would be a fifth of the memory of an idle daemon, and of the time until it is ready.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from gateway.sinks.post import Answer, PostClient


class PostOnFirstUse:
    """Posts as ``PostClient`` does."""

    def __init__(self, stack: AsyncExitStack) -> None:
        """The client is closed with ``stack``."""
        self._stack = stack
        self._opening = trio.Lock()
        self._client: PostClient | None = None

    async def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeout_seconds: float,
        allow_private: bool,
    ) -> Answer:
        """See ``PostClient.post``."""
        client = self._client or await self._open()
        return await client.post(
            url, headers, body, timeout_seconds=timeout_seconds, allow_private=allow_private
        )

    async def _open(self) -> PostClient:
        from gateway.sinks.post import open_post_client

        async with self._opening:
            if self._client is None:
                self._client = await self._stack.enter_async_context(open_post_client())
            return self._client


@asynccontextmanager
async def open_on_first_use() -> AsyncIterator[PostOnFirstUse]:
    """A client whose connections end with the context."""
    async with AsyncExitStack() as stack:
        yield PostOnFirstUse(stack)
