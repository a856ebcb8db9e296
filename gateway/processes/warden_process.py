"""A tiny process that outlives the daemon by the time it takes to stop its workers.

The daemon starts it (``warden.py``) and writes ``+<group> <grace seconds>`` or ``-<group>`` to its
standard input, a line for each worker that starts or has ended. The end of that input is the end
of the daemon, whatever ended it, ``kill -9`` included: each group left gets SIGTERM, so that a
worker can finish the task in hand and answer the next daemon, and SIGKILL when its grace is over.

It runs as a script with ``-I -S``: the standard library alone, no site packages, a few megabytes.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_LOOK_SECONDS = 0.05


def main() -> None:
    """Follow the daemon's workers to the end of the input, then stop what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: dict[int, float] = {}
    for line in sys.stdin:
        group, _, grace = line[1:].strip().partition(" ")
        if line.startswith("+"):
            groups[int(group)] = float(grace)
        else:
            groups.pop(int(group), None)
    _stop(groups)


def _stop(groups: dict[int, float]) -> None:
    begun = time.monotonic()
    left = {group: grace for group, grace in groups.items() if _send(group, signal.SIGTERM)}
    while left:
        time.sleep(_LOOK_SECONDS)
        for group, grace in list(left.items()):
            over = time.monotonic() - begun > grace
            if not _send(group, signal.SIGKILL if over else 0) or over:
                del left[group]


def _send(group: int, number: int) -> bool:
    """False where the group has gone; signal 0 only asks."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
