"""Services that may crash and may be swapped: the sources and the workers of the configuration.

Each runs by itself: one that crashes is shown as failed and is started again after a pause, and a
reload replaces those that changed while the others go on undisturbed. What must never crash (the
store, the timers, the outbox) does not belong here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
import trio

from gateway.store.failures import StoreClosed

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
HEALTHY_SECONDS = 60.0
"""After so long a run the next crash counts as the first."""


@dataclass(frozen=True, slots=True)
class Service:
    """Something to run until it is cancelled."""

    settings: object
    """What it was made from: a reload leaves a service alone while this is equal."""
    run: Callable[[], Awaitable[None]]
    """Its cancellation may take as long as a graceful end needs."""
    status: Callable[[], dict[str, Any]]
    """What it is doing, for /healthz; has at least ``state``."""
    overlaps: bool = False
    """Whether it may begin before those that it takes over from have ended."""


@dataclass(eq=False, slots=True)
class _Running:
    service: Service
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ended: trio.Event = field(default_factory=trio.Event)
    crashes: int = 0
    crash: str | None = None
    """Why it does not run at the moment; None while it does."""


class Services:
    """The running services of one kind, by name."""

    def __init__(self, kind: str, nursery: trio.Nursery, log: structlog.stdlib.BoundLogger) -> None:
        """``kind`` (source, worker) is the word for one of them in the log. They live in
        ``nursery``: cancel that to stop them all."""
        self._kind = kind
        self._nursery = nursery
        self._log = log
        self._running: dict[str, _Running] = {}
        self._changing = trio.Lock()

    def status(self) -> dict[str, dict[str, Any]]:
        """What each is doing; one that crashed has state ``failed`` and the reason."""
        return {name: _status(running) for name, running in sorted(self._running.items())}

    async def configure(self, wanted: Mapping[str, Service]) -> list[str]:
        """Run these from now on; returns the names of those that were started, stopped or replaced.

        A changed one is started only after all old ones have ended, so that no two of them ever
        hold the same queue or partition; unless it ``overlaps``.
        """
        async with self._changing:
            obsolete = {
                name: running
                for name, running in self._running.items()
                if name not in wanted or wanted[name].settings != running.service.settings
            }
            fresh = {
                name: service
                for name, service in wanted.items()
                if name not in self._running or name in obsolete
            }
            for name, service in fresh.items():
                if service.overlaps:
                    self._start(name, service)
            await self._stop_all(obsolete)
            for name, service in fresh.items():
                if not service.overlaps:
                    self._start(name, service)
            return sorted({*obsolete, *fresh})

    @asynccontextmanager
    async def paused(self, names: Iterable[str]) -> AsyncIterator[None]:
        """None of these runs inside the block, and nothing is configured; afterwards those that did
        are started anew."""
        async with self._changing:
            running = {name: self._running[name] for name in names if name in self._running}
            await self._stop_all(running)
            try:
                yield
            finally:
                for name, one in running.items():
                    self._start(name, one.service)

    def _start(self, name: str, service: Service) -> None:
        running = self._running[name] = _Running(service)
        self._nursery.start_soon(self._supervise, name, running)

    async def _stop_all(self, obsolete: Mapping[str, _Running]) -> None:
        async with trio.open_nursery() as stopping:
            for name, running in obsolete.items():
                stopping.start_soon(self._stop, name, running)

    async def _stop(self, name: str, running: _Running) -> None:
        running.scope.cancel()
        await running.ended.wait()
        if self._running.get(name) is running:  # and not one that has taken over already
            del self._running[name]

    async def _supervise(self, name: str, running: _Running) -> None:
        try:
            with running.scope:
                while True:
                    began = trio.current_time()
                    running.crash = None
                    running.crash = await self._run_once(name, running.service)
                    if trio.current_time() - began >= HEALTHY_SECONDS:
                        running.crashes = 0
                    await trio.sleep(_pause(running.crashes))
                    running.crashes += 1
        finally:
            running.ended.set()

    async def _run_once(self, name: str, service: Service) -> str:
        """Why it ended, which it never should."""
        log = self._log.bind(**{self._kind: name})
        try:
            await service.run()
        except StoreClosed:
            # It is the daemon that is at its end.
            raise
        except Exception as bug:
            log.exception("it crashed and will be started again")
            return _reason(bug)
        log.error("it ended by itself and will be started again")
        return "ended by itself"


def _pause(crashes: int) -> float:
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(crashes, 30), LONGEST_PAUSE_SECONDS)


def _status(running: _Running) -> dict[str, Any]:
    shown = running.service.status()
    if running.crash is not None:
        shown |= {"state": "failed", "reason": running.crash}
    return shown if not running.crashes else {**shown, "crashes": running.crashes}


def _reason(bug: BaseException) -> str:
    """The first exception that is no group, in one line."""
    while isinstance(bug, BaseExceptionGroup):
        bug = bug.exceptions[0]
    return f"{type(bug).__name__}: {bug}"
