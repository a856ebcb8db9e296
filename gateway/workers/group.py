"""The processes of one ``workers:`` entry, kept running.

A process that ends, whatever its exit code, is started again after a pause that doubles up to
``restart_max`` and begins anew once a process has run for a healthy minute.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import structlog
import trio

from gateway.processes.process import Command, exit_words, resolved, run_process
from gateway.processes.warden import Warden, open_warden
from gateway.workers.environment import Post, environment
from gateway.workers.settings import WorkerSettings

HEALTHY_SECONDS = 60.0

State: TypeAlias = Literal["starting", "running", "backing-off", "stopped"]


@dataclass(slots=True)
class ProcessStatus:
    """One process as /healthz shows it."""

    name: str
    state: State = "starting"
    since: int = 0
    """When it got into that state, in ms since the epoch."""
    pid: int | None = None
    restarts: int = 0
    last_exit: str | None = None
    """How the one before it ended: ``exit code 3``, ``killed by SIGKILL``, ``cannot start: …``."""


class WorkerGroup:
    """One entry: ``run`` until cancelled, ``status`` at any time."""

    def __init__(
        self,
        name: str,
        settings: WorkerSettings,
        post: Post,
        *,
        hurry: trio.Event,
        now: Callable[[], int],
        log: structlog.stdlib.BoundLogger,
    ) -> None:
        self._settings = settings
        self._post = post
        self._hurry = hurry
        self._now = now
        self._log = log
        self.processes = [ProcessStatus(f"{name}-{n}") for n in range(1, settings.processes + 1)]

    def status(self) -> dict[str, Any]:
        """For /healthz: ``{"state", "restarts", "processes"}``; running only if each process is."""
        states = {process.state for process in self.processes}
        return {
            "state": states.pop() if len(states) == 1 else "backing-off",
            "restarts": sum(process.restarts for process in self.processes),
            "processes": [asdict(process) for process in self.processes],
        }

    async def run(self) -> None:
        """Keeps the processes running. Cancelled, it stops them within their grace (``hurry`` ends
        that at once) and returns when they have ended."""
        async with open_warden(self._log) as warden, trio.open_nursery() as nursery:
            for process in self.processes:
                nursery.start_soon(self._keep, process, warden)

    async def _keep(self, process: ProcessStatus, warden: Warden) -> None:
        log = self._log.bind(worker=process.name)
        failures = 0
        try:
            while True:
                began = trio.current_time()
                process.last_exit = await self._run_once(process, warden, log)
                healthy = trio.current_time() - began >= HEALTHY_SECONDS
                failures = 1 if healthy else failures + 1
                pause = self._pause(failures)
                log.warning("worker ended", exit=process.last_exit, restart_in_seconds=pause)
                self._enter(process, "backing-off")
                await trio.sleep(pause)
                process.restarts += 1
        finally:
            self._enter(process, "stopped")

    async def _run_once(
        self, process: ProcessStatus, warden: Warden, log: structlog.stdlib.BoundLogger
    ) -> str:
        settings = self._settings
        command = Command(
            resolved(settings.command),
            environment(os.environ, self._post, settings, process.name),
            settings.cwd,
            settings.stop_grace,
        )
        try:
            async with run_process(command, warden, self._hurry, log) as running:
                self._enter(process, "running", running.pid)
                log.info("worker started", pid=running.pid, restarts=process.restarts)
                ended = exit_words(await running.wait())
        except OSError as error:
            # Python's own words give a directory as it is inside the program: PosixPath('…').
            return f"cannot start: {error.strerror}: {error.filename}"
        return ended

    def _pause(self, failures: int) -> float:
        """Seconds to wait after so many ends in a row."""
        doublings = min(failures - 1, 30)
        return min(self._settings.restart * 2.0**doublings, self._settings.restart_max)

    def _enter(self, process: ProcessStatus, state: State, pid: int | None = None) -> None:
        process.state, process.pid, process.since = state, pid, self._now()
