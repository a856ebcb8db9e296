"""What systemd is told: ready, reloading, stopping, alive (sd_notify(3)).

Without ``$NOTIFY_SOCKET``, which is how it runs in a terminal, every call does nothing.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping

import structlog
import trio


class Notifier:
    """Sends datagrams to the service manager. Telling it must never fail the daemon: one that
    cannot be sent is logged."""

    def __init__(
        self, address: str, watchdog_seconds: float | None, log: structlog.stdlib.BoundLogger
    ) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._log = log
        self.watchdog_seconds = watchdog_seconds
        """systemd ends a daemon that it has not heard of for so long; None = it does not watch."""

    def ready(self, status: str) -> None:
        """The start or the reload is complete."""
        self._send("READY=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """A reload begins; ``ready`` ends it. Type=notify-reload wants the time in the message."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=Reloading")

    def stopping(self, status: str) -> None:
        """The drain has begun."""
        self._send("STOPPING=1", f"STATUS={status}")

    def extend(self, seconds: float) -> None:
        """What is going on (start, reload, stop) may take so much longer from now on."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1_000_000:.0f}")

    async def feed_watchdog(self) -> None:
        """Says that the event loop turns, twice in each interval, until cancelled."""
        if self.watchdog_seconds is None:
            return
        while True:
            self._send("WATCHDOG=1")
            await trio.sleep(self.watchdog_seconds / 2)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.setblocking(False)
                line.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            self._log.warning("systemd could not be told", told=lines[0], error=str(error))


def notifier(environ: Mapping[str, str], log: structlog.stdlib.BoundLogger) -> Notifier:
    """The notifier that the environment asks for."""
    return Notifier(environ.get("NOTIFY_SOCKET", ""), _watchdog_seconds(environ), log)


def _watchdog_seconds(environ: Mapping[str, str]) -> float | None:
    microseconds = environ.get("WATCHDOG_USEC", "")
    meant_for_us = environ.get("WATCHDOG_PID") in {None, str(os.getpid())}
    return int(microseconds) / 1_000_000 if microseconds.isdecimal() and meant_for_us else None
