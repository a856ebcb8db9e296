"""A world in which the disk fills up, the daemon dies between any two commits, and workers and
sinks do what they like; all of it follows from one seed, under a virtual clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from functools import partial
from random import Random
from unittest.mock import patch

import structlog
import trio

from gateway.asl.advance import advance
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.engine.starts import StartRequest
from gateway.errors import ApiError, Unavailable
from gateway.store.changes import Insert
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.memory import MemoryStore
from gateway.store.rows import NotificationRow
from tests.engine.outbox_rig import FINAL, OUTLET, FakeSink, route
from tests.engine.rig import ACTIVITY, clock

PAUSES = (0, 0, 0.01, 1, 4.9, 4.99, 5)
"""Of workers, in seconds; some end with a heartbeat's deadline."""
HOUR = 3600.0


class Disk(MemoryStore):
    """Rows that outlive the daemon; a full disk now and then, and a last commit of each life."""

    def __init__(self, dice: Random) -> None:
        super().__init__()
        self.dice = dice
        self.full_share = 0.0
        self.commits_left: int | None = None
        self.told: Counter[str] = Counter()
        """How often each notification was written for the first time."""

    async def commit(self, unit):
        """Write the unit, or refuse it, or die before or after it is written."""
        if self.commits_left is not None:
            self.commits_left -= 1
            if self.commits_left < 0 or (self.commits_left == 0 and self.dice.random() < 0.5):
                raise StoreClosed("the daemon is dead")
        if self.dice.random() < self.full_share:
            await trio.lowlevel.checkpoint_if_cancelled()
            raise StoreFull("the disk is full")
        await super().commit(unit)
        for change in unit:
            if isinstance(change, Insert) and isinstance(change.row, NotificationRow):
                self.told[change.row.id] += 1
        if self.commits_left == 0:
            raise StoreClosed("the daemon is dead")
        if self.dice.random() < 0.3:
            with trio.CancelScope(shield=True):
                await trio.sleep(self.dice.random())


class World:
    """What is there over all lives of the daemon."""

    def __init__(self, seed: int) -> None:
        self.dice = Random(seed)
        self.disk = Disk(self.dice)
        self.failing = 0.3
        self.sinks = {"ends": FakeSink(self._answer), "all": FakeSink(self._answer)}
        self.ended: Counter[str] = Counter()
        """How often ``on_end`` was called for each name."""
        self.ids: dict[str, int] = {}
        """The execution that a start of this name was told of."""

    def _answer(self, _notification: object) -> Exception | None:
        return Unavailable("no") if self.dice.random() < self.failing else None

    async def daemon(self) -> Engine:
        """A daemon over the disk as it is now."""
        catalog = Catalog(self.disk, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(self.disk, lambda _name: OUTLET, clock, metrics, self.dice)
        every = FINAL | {"RUNNING"}
        outbox.configure(
            [route(self.sinks["ends"], "ends"), route(self.sinks["all"], "all", when=every)]
        )
        engine = Engine(self.disk, catalog, outbox, clock, metrics)
        engine.on_end.append(lambda row: self.ended.update([row.name]))
        return engine

    async def live(self, seconds: float, starts: Sequence[StartRequest]) -> Engine:
        """One life: workers work, clients start and stop, until the time is up or it dies."""
        engine = await self.daemon()
        try:
            async with trio.open_nursery() as nursery:
                await nursery.start(engine.run)
                for _ in range(3):
                    nursery.start_soon(self._work, engine)
                for request in starts:
                    nursery.start_soon(self._start, engine, request)
                if starts and self.dice.random() < 0.2:
                    nursery.start_soon(self._stop, engine, self.dice.choice(starts))
                await trio.sleep(seconds)
                nursery.cancel_scope.cancel()
        except* StoreClosed:
            pass
        return engine

    async def finish(self, starts: Sequence[StartRequest]) -> Engine:
        """The last life: all is well, and it lasts until nothing is left to do."""
        self.failing = self.disk.full_share = 0.0
        self.disk.commits_left = None
        engine = await self.daemon()
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            nursery.start_soon(self._work, engine)
            for request in starts:
                nursery.start_soon(self._start, engine, request)
            with trio.fail_after(10 * HOUR):
                while await self._goes_on(starts):  # noqa: ASYNC110 - the clock is virtual
                    await trio.sleep(10)
            # A timer may be in memory until it would have been due, though its row is gone.
            await trio.sleep(120)
            nursery.cancel_scope.cancel()
        return engine

    async def _goes_on(self, starts: Sequence[StartRequest]) -> bool:
        stats = await self.disk.stats()
        return len(self.ids) < len(starts) or bool(stats.running or stats.notifications)

    # ------------------------------------------------------------------- its people
    async def _start(self, engine: Engine, request: StartRequest) -> None:
        """Start until it is told that it is started."""
        while True:
            await trio.sleep(self.dice.random() * 5)
            try:
                [result] = await engine.start([request])
            except Unavailable:
                continue
            known = self.ids.setdefault(request.name, result.row.id)
            assert known == result.row.id, "a name was given to two executions"
            if self.dice.random() < 0.5:
                return

    async def _stop(self, engine: Engine, request: StartRequest) -> None:
        await trio.sleep(self.dice.random() * 10)
        arn = engine.catalog.execution_arn("m0", request.name)
        with suppress(ApiError, StoreFull):
            await engine.stop_execution(arn, "Enough", None)

    async def _work(self, engine: Engine) -> None:
        while True:
            try:
                task = await engine.get_activity_task(ACTIVITY, "w", 60 * self.dice.random())
                if task is not None:
                    await self._take(engine, task.token)
            except (ApiError, StoreFull):
                await trio.sleep(self.dice.random())

    async def _take(self, engine: Engine, token: str) -> None:
        for _ in range(self.dice.randrange(3)):
            await trio.sleep(self.dice.choice(PAUSES))
            await engine.task_heartbeat(token)
        await trio.sleep(self.dice.choice(PAUSES))
        match self.dice.randrange(6):
            case 0:
                await engine.task_failed(token, "Custom", "because")
            case 1:
                await engine.return_task(token)
            case 2:
                pass  # It is never heard of again.
            case _:
                output = self.dice.choice(['{"items": [1, 2], "a": null}', '"text"', "7"])
                await engine.task_succeeded(token, output)


@contextmanager
def small_steps(dice: Random):
    """Long executions are those of some states; the operating system's dice come from the seed; the
    log is kept."""
    with (
        patch("gateway.engine.door.advance", partial(advance, budget=3)),
        patch("gateway.engine.door.UNIT_RECORDS", 8),
        patch("os.urandom", dice.randbytes),
        structlog.testing.capture_logs() as log,
    ):
        yield log
