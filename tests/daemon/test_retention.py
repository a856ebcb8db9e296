"""Retention: executions go when their time is over, and a full disk only delays it."""

from __future__ import annotations

import pytest
import structlog
import trio

from gateway.daemon.retention import BATCH, EVERY_SECONDS, sweep_forever
from gateway.store.failures import StoreFull


class Sweeps:
    """Stands for the store and the catalog; ``left`` executions are to go."""

    def __init__(self, left=0, full=0):
        self.left = left
        self.full = full
        self.asked = []
        self.reaped = 0

    async def sweep(self, before, limit, spared):
        """At most ``limit`` of them, once the disk has room."""
        assert spared == [7]
        if self.full:
            self.full -= 1
            raise StoreFull
        self.asked.append((before, limit))
        gone = min(limit, self.left)
        self.left -= gone
        return gone

    async def reap(self):
        """Machines that are being deleted."""
        self.reaped += 1


async def run(sweeps, seconds, keep=90.0):
    """The pump, for so long; the time is 100 s."""
    log = structlog.get_logger()
    with trio.move_on_after(seconds):
        await sweep_forever(sweeps, sweeps, lambda: 100_000, lambda: keep, lambda: [7], log)


async def test_all_that_is_due_goes_batch_by_batch(autojump_clock):
    """Everything that ended before now minus keep, however much it is."""
    sweeps = Sweeps(left=2 * BATCH + 1)
    await run(sweeps, EVERY_SECONDS + 1)
    assert sweeps.left == 0
    assert set(sweeps.asked) == {(10_000, BATCH)}
    assert sweeps.reaped == 1


async def test_a_full_disk_is_waited_out(autojump_clock):
    """The next minute tries again."""
    sweeps = Sweeps(left=5, full=1)
    await run(sweeps, 2 * EVERY_SECONDS + 1)
    assert sweeps.left == 0


@pytest.mark.parametrize(("keep", "rounds"), [(0.0, 60), (10.0, 6), (86_400.0, 1)])
async def test_a_short_keep_is_kept_short(autojump_clock, keep, rounds):
    """What is over goes at the latest after twice its ``keep``, but for a second or a minute."""
    sweeps = Sweeps()
    await run(sweeps, EVERY_SECONDS + 0.5, keep)
    assert sweeps.reaped == rounds
