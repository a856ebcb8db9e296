"""HTTP to wherever a configuration or a definition says, opened when it is first wanted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from gateway.aws.connections import Connections


class Web:
    """Connections to public addresses, and, kept apart from them, to any."""

    def __init__(self, in_thread: Callable[..., Awaitable[Any]]) -> None:
        self._in_thread = in_thread
        self._opening = trio.Lock()
        self._open: dict[bool, Connections] = {}

    async def connections(self, *, allow_private: bool) -> Connections:
        """Those that may lead to private addresses, or those that may not."""
        if allow_private not in self._open:
            async with self._opening:
                if allow_private not in self._open:
                    self._open[allow_private] = await self._in_thread(_connections, allow_private)
        return self._open[allow_private]

    async def aclose(self) -> None:
        """Close the connections."""
        for each in self._open.values():
            await each.aclose()


def _connections(allow_private: bool) -> Connections:
    """Blocks: it reads the certificates that are trusted."""
    import httpx

    from gateway.aws.connections import Connections

    return Connections(httpx.create_ssl_context(), guarded=not allow_private)
