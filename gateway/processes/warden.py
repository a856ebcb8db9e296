"""No process of ours outlives the daemon for long, even one that was killed with SIGKILL.

Linux's parent-death signal goes by the *thread* that started a process, and ours are started in
threads that come and go; so a small process (``warden_process.py``), one for each entry of
``workers:`` and one for all functions, watches for the daemon's end. After ``kill -9`` the workers
therefore get SIGTERM: they take no further task, and a ``gateway.worker`` delivers the answer of
its last one to the next daemon. The workers of that daemon are new processes; the old ones poll no
more, so there are no doubles. Functions have no grace: the next daemon calls them again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
import trio


class Warden:
    """The daemon's line to its warden process."""

    def __init__(self, line: int, log: structlog.stdlib.BoundLogger) -> None:
        self._line = line
        self._log = log

    def follow(self, group: int, grace_seconds: float) -> None:
        """From now on that process group ends with the daemon."""
        self._tell(f"+{group} {grace_seconds}\n")

    def forget(self, group: int) -> None:
        """That process group has ended."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        try:
            os.write(self._line, line.encode())
        except OSError as error:
            self._log.warning(
                "worker warden is gone; workers may outlive a crash", error=str(error)
            )


@asynccontextmanager
async def open_warden(log: structlog.stdlib.BoundLogger) -> AsyncIterator[Warden]:
    """A warden for as long as the block runs; leave the block after the last worker has ended."""
    script = Path(__file__).with_name("warden_process.py")
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        process = await trio.lowlevel.open_process(
            [sys.executable, "-I", "-S", str(script)],
            stdin=reading,
            # Whoever reads our output to its end must not wait for a process that outlives us.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    finally:
        os.close(reading)
    try:
        yield Warden(writing, log)
    finally:
        os.close(writing)
        with trio.CancelScope(shield=True):
            await process.wait()
