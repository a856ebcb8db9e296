"""SIGTERM and SIGINT stop, a second one hurries; SIGHUP reloads."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import trio


class Stop:
    """How far the end has come."""

    def __init__(self) -> None:
        self.requested = trio.Event()
        """Drain, within the grace."""
        self.hurry = trio.Event()
        """End now: the second signal, or the end of the grace."""

    def request(self) -> None:
        """The first call asks for a drain, the next one leaves it no more time."""
        if self.requested.is_set():
            self.hurry.set()
        self.requested.set()


async def obey_signals(
    stop: Stop,
    reload: Callable[[], Awaitable[None]],
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Until cancelled. Reloads come one by one; all that are asked for during one are one more."""
    wanted = trio.Event()

    async def reload_when_wanted() -> None:
        nonlocal wanted
        while True:
            await wanted.wait()
            wanted = trio.Event()
            await reload()

    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as arrived:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(reload_when_wanted)
            task_status.started()
            async for number in arrived:
                if number == signal.SIGHUP:
                    wanted.set()
                else:
                    stop.request()
