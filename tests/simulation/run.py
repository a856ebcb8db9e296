"""One seed: the world that it makes, run under a virtual clock, and what was wrong with it."""

from __future__ import annotations

import gc
import random
import signal
import traceback
from collections import Counter
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache, partial
from typing import Any, NamedTuple
from unittest.mock import patch

import structlog
import trio
from trio._core._run import GLOBAL_RUN_CONTEXT

from gateway.asl.advance import advance
from gateway.asl.jsonata.expression import compile_jsonata
from tests.simulation import checks, island
from tests.simulation.life import surroundings
from tests.simulation.world import World

SECONDS = 20.0
"""Of the processor's time, that a seed may take; most take a tenth of one."""
_COMPILED = {
    "gateway.asl.jsonata.expression.compile_jsonata": lru_cache(10_000)(compile_jsonata),
}
"""What is the same in every life of every seed, and is made once: a tenth of the time."""
_DEFECTS = ("a bug", "bug", "it crashed", "it ended by itself", "reload failed")
"""How the daemon's own words for a defect begin."""


class JumpingClock(trio.abc.Clock):
    """When nothing can go on, the next deadline has come: trio's MockClock in a third of the time.

    A call from another thread can go on, and is not jumped over.
    """

    def __init__(self) -> None:
        self._now = 0.0

    def start_clock(self) -> None:
        """Nothing ticks."""

    def current_time(self) -> float:
        """Seconds since the start."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Asked only when no task can run."""
        calls = GLOBAL_RUN_CONTEXT.runner.entry_queue
        if not (calls.queue or calls.idempotent_queue):
            self._now = max(self._now, deadline)
        return 0.0


class Result(NamedTuple):
    """What came of a seed."""

    wrong: str | None
    """None: nothing."""
    trace: list[str]
    """What happened; told only where something was wrong."""
    kinds: Counter[str]
    """How often what happened."""


@contextmanager
def _only_these_dice(world: World) -> Iterator[None]:
    """Whatever is left to chance follows from the seed, trio's scheduling included; long executions
    are those of some states, and the Kafka loop looks less often where nothing has happened."""
    dice = world.dice
    random.seed(dice.random())
    replaced: dict[str, Any] = {
        "trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING": True,
        "trio._core._run._r": random.Random(dice.random()),
        "gateway.engine.door.advance": partial(advance, budget=dice.choice((3, 200))),
        "gateway.engine.door.UNIT_RECORDS": dice.choice((8, 1000)),
        "gateway.daemon.disk._LOOK_SECONDS": 20.0,
        "gateway.daemon.retention.EVERY_SECONDS": dice.choice((5.0, 60.0)),
        "gateway.engine.histories.WINDOW_BYTES": dice.choice((2_000, 2**25)),
        "gateway.engine.histories.READERS": dice.choice((1, 16)),
        "gateway.engine.histories._ROWS": dice.choice((1, 25)),
        "gateway.engine.timers.WINDOW_ROWS": dice.choice((4, 10_000)),
        "gateway.engine.map_runs.ExpressChildren": world.limits.express_children,
        "gateway.sources.kafka_group.KafkaLoop": island.IslandLoop,
        "gateway.sources.kafka_loop.AIOKafkaConsumer": world.cluster.consumer,
        "gateway.sources.kafka_loop.asyncio": island.asyncio_over_trio(dice),
        "gateway.sources.kafka_loop._Assignment": island.Assignment,
        "gateway.sources.kafka_loop._race": island.race,
        "gateway.sources.kafka_loop.POLL_SECONDS": 600.0,
        "gateway.sources.kafka_loop.UPKEEP_SECONDS": 3.0,
        "gateway.tasks.s3._CHUNK_BYTES": 4,
        "os.urandom": dice.randbytes,
        "random._urandom": dice.randbytes,
        **_COMPILED,
    }
    with ExitStack() as stack:
        for place, thing in replaced.items():
            stack.enter_context(patch(place, thing))
        stack.enter_context(surroundings(world))
        stack.enter_context(_listening(world))
        yield


@contextmanager
def _listening(world: World) -> Iterator[None]:
    """The daemon's own word for a defect is never in its log, but for the one that we made."""

    def judge(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> Any:
        said = str(entry["event"])
        ours = "sink" in entry or "runner" in entry or world.life.connection.dead is not None
        if said.startswith(_DEFECTS) and not ours:
            world.wrong.append(f"{said}: {entry} {_now()}")
        raise structlog.DropEvent

    processors = structlog.get_config()["processors"]
    former = list(processors)
    processors[:] = [judge]
    structlog.configure(processors=processors)
    try:
        yield
    finally:
        processors[:] = former
        structlog.configure(processors=processors)


def _now() -> str:
    return traceback.format_exc()


class Endless(BaseException):
    """The run takes no end."""


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """For loops in which even the virtual clock stands still."""

    def give_up(_signal: int, _frame: object) -> None:
        raise Endless

    former = signal.signal(signal.SIGPROF, give_up)
    # Again and again: the first may come where nobody lets it through.
    signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, former)


def spare_the_collector() -> None:
    """For a process of many seeds: what is imported stays, and a seed leaves little garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def run_seed(seed: int, *, told: bool = False) -> Result:
    """Run it; the trace is given where something was wrong, or (``told``) always."""
    world = World(seed)

    async def main() -> None:
        await world.run()
        await checks.in_the_end(world)

    wrong = None
    try:
        with _time_limit(SECONDS), _only_these_dice(world):
            trio.run(main, clock=JumpingClock())
    except BaseException as failure:
        if isinstance(failure, KeyboardInterrupt):
            raise
        wrong = "".join(traceback.format_exception(failure))
    finally:
        world.disk.close()
    trace = world.trace.lines() if wrong or told else []
    return Result(wrong, trace, world.trace.kinds)
