"""The time that a stop may take, and what happens when it takes longer."""

from __future__ import annotations

import faulthandler

import trio

from gateway.daemon.signals import Stop

STUCK_SECONDS = 20.0
"""After the end of the grace: what has not ended by then hangs."""


async def limit_drain(stop: Stop, grace_seconds: float, everything: trio.CancelScope) -> None:
    """Gives a drain that has begun its grace, or less if a second signal hurries, then cancels
    ``everything``; runs until it is cancelled itself.

    A process that even then does not end is ended, with the traceback of each thread on standard
    error, by a thread that needs neither trio nor the interpreter's lock.
    """
    try:
        faulthandler.dump_traceback_later(grace_seconds + STUCK_SECONDS, exit=True)
        with trio.move_on_after(grace_seconds):
            await stop.hurry.wait()
        faulthandler.dump_traceback_later(STUCK_SECONDS, exit=True)
        stop.hurry.set()
        everything.cancel()
        await trio.sleep_forever()
    finally:
        faulthandler.cancel_dump_traceback_later()
