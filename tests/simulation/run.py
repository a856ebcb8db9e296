"""One seed: the world that it makes, run under a virtual clock, and what was wrong with it."""

from __future__ import annotations

import random
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import structlog
import trio
from trio.testing import MockClock

from gateway.asl.advance import advance
from tests.simulation import checks
from tests.simulation.world import World

SECONDS = 10.0
"""Of real time, that a seed may take; most take a fiftieth of one."""


@contextmanager
def _only_these_dice(world: World) -> Iterator[list[dict[str, object]]]:
    """Whatever is left to chance follows from the seed, trio's scheduling included; long executions
    are those of some states. Gives the log."""
    from trio._core import _run

    dice = world.dice
    random.seed(dice.random())
    with (
        patch.object(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True),
        patch.object(_run, "_r", random.Random(dice.random())),
        patch("gateway.engine.door.advance", partial(advance, budget=dice.choice((3, 200)))),
        patch("gateway.engine.door.UNIT_RECORDS", dice.choice((8, 1000))),
        patch("gateway.engine.timers.WINDOW_ROWS", dice.choice((4, 10_000))),
        patch("gateway.sources.kafka_partition.Random", lambda: dice),
        patch("os.urandom", dice.randbytes),
        structlog.testing.capture_logs() as log,
    ):
        yield log


class Endless(BaseException):
    """The run takes no end."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """For loops in which even the virtual clock stands still."""

    def give_up(_signal: int, _frame: object) -> None:
        raise Endless

    former = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


def run_seed(seed: int) -> tuple[str | None, list[str]]:
    """What was wrong (None: nothing), and the trace."""
    world = World(seed)

    async def main() -> None:
        daemon = await world.run()
        await checks.in_the_end(world, daemon)

    try:
        with _time_limit(SECONDS), _only_these_dice(world) as log:
            trio.run(main, clock=MockClock(autojump_threshold=0))
            _no_bugs(log)
    except BaseException as failure:
        if isinstance(failure, KeyboardInterrupt):
            raise
        return "".join(traceback.format_exception(failure)), world.trace.lines()
    return None, world.trace.lines()


def _no_bugs(log: list[dict[str, object]]) -> None:
    """The daemon's own word for a defect is nowhere in its log; the sink's was made by us."""
    bugs = [entry for entry in log if entry["event"] == "bug" and "sink" not in entry]
    assert bugs == [], bugs[0]
