"""What ``kafka_loop`` uses of asyncio, over trio: its own code runs under the virtual clock.

One thread is as good as two here, because the two sides talk through calls that come late, and
through events; both are kept.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from random import Random
from types import SimpleNamespace
from typing import Any

import trio

from gateway.sources import kafka_loop


class Event:
    """asyncio's, which can be cleared."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self.set = self._event.set

    def clear(self) -> None:
        """Whoever waits from now on waits for the next ``set``."""
        self._event = trio.Event()
        self.set = self._event.set

    async def wait(self) -> None:
        """Until it is set."""
        await self._event.wait()


@asynccontextmanager
async def timeout(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError after so long."""
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise TimeoutError


class Commands:
    """An event loop, as far as other threads call into it: in order, and at times late."""

    def __init__(self, dice: Random) -> None:
        self.ended = False
        self._dice = dice
        self._waiting: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._news = trio.Event()

    def call_soon_threadsafe(self, command: Callable[..., None], *arguments: Any) -> None:
        """Raises RuntimeError where the loop has ended."""
        if self.ended:
            raise RuntimeError("Event loop is closed")
        self._waiting.append((command, arguments))
        self._news.set()

    async def obey(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            if self._dice.random() < 0.1:
                await trio.sleep(self._dice.choice((0.001, 0.3)))
            self._news = trio.Event()
            waiting, self._waiting = self._waiting, []
            for command, arguments in waiting:
                command(*arguments)


class Assignment(kafka_loop._Assignment):
    """With events of ours."""

    def __init__(self, generation: int = 0) -> None:
        super().__init__(generation, None, Event(), Event())  # type: ignore[arg-type]


async def race(*contenders: Coroutine[Any, Any, Any]) -> None:
    """As ``kafka_loop._race``: raises what the one that ended first raised."""
    failures: list[Exception] = []

    async def run(contender: Coroutine[Any, Any, Any]) -> None:
        try:
            await contender
        except Exception as failure:
            failures.append(failure)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for contender in contenders:
            nursery.start_soon(run, contender)
    if failures:
        raise failures[0]


class IslandLoop(kafka_loop.KafkaLoop):
    """The Kafka loop of the product; ``run`` gives a coroutine, for a thread that is none."""

    def run(self) -> Coroutine[Any, Any, None]:  # type: ignore[override]
        """See ``threads_at_once`` in ``run.py``."""
        return self._run()

    async def _run(self) -> None:
        commands: Commands = self._loop  # type: ignore[assignment]
        failures: list[Exception] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(commands.obey)
            try:
                await self._main()
            except Exception as failure:
                failures.append(failure)
            finally:
                commands.ended = True
            nursery.cancel_scope.cancel()
        if failures:
            raise failures[0]


def asyncio_over_trio(dice: Random) -> SimpleNamespace:
    """Takes the place of the module in ``kafka_loop``."""
    return SimpleNamespace(
        Event=Event,
        timeout=timeout,
        sleep=trio.sleep,
        new_event_loop=lambda: Commands(dice),
    )
