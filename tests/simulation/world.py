"""The virtual world: what it is made of, what befalls the daemon in it, how it ends."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from random import Random
from typing import Any

import orjson
import trio

from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.letters import dead_letter_sink
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.errors import ApiError, ConfigError
from gateway.sinks.protocol import Outlet
from gateway.store.changes import EndExecution, Insert, RedriveExecution, Unit, Upsert
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.protocol import Page
from gateway.store.rows import ExecutionRow, NotificationRow, TaskRow
from tests.simulation import checks, map_runs
from tests.simulation.cluster import GROUP, TOPIC, Cluster
from tests.simulation.disk import Connection, Faults, PowerCut
from tests.simulation.disks import Disk, MemoryDisk, SqliteDisk
from tests.simulation.express import ExpressCallers, ExpressLedger
from tests.simulation.far_sides import Queue, Receiver
from tests.simulation.file import HOUR, File
from tests.simulation.functions import Functions
from tests.simulation.life import Life
from tests.simulation.map_limits import Limiter, MapLimits
from tests.simulation.nested import Nested
from tests.simulation.objects import Bucket
from tests.simulation.operators import EXPRESS, Publisher, Redriver
from tests.simulation.people import Callers, Down, Line, Workers
from tests.simulation.readers import Readers
from tests.simulation.reloads import reload
from tests.simulation.trace import Trace

START = 1_700_000_000_000
SQLITE_EVERY = 10
"""One seed of so many runs over a real database."""
_ACCOUNT = "arn:aws:states:us-east-1:123456789012"


class Clock:
    """Wall time: it goes with the virtual clock, but for jumps."""

    def __init__(self) -> None:
        self.offset = 0
        self.latest = 0
        """The latest time that it ever showed to anybody."""

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        now = START + round(trio.current_time() * 1000) + self.offset
        self.latest = max(self.latest, now)
        return now


class World:
    """Everything, over all lives of the daemon."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = Random(seed)
        self.trace = trace = Trace()
        self.clock = Clock()
        self.disk: Disk = SqliteDisk() if seed % SQLITE_EVERY == 3 else MemoryDisk()
        trace.seen(f"store: {self.disk.kind}")
        self.queue = Queue(dice, trace)
        self.cluster = Cluster(dice, trace, dice.choice((1, 2)))
        self.cluster.position = self._position
        self.cluster.power = self._power
        self.line = Line(dice, trace)
        self.workers = Workers(self.line, dice, trace)
        self.callers = Callers(self.line, dice)
        self.account = _ACCOUNT
        self.functions = Functions(self, dice, trace)
        self.bucket = Bucket(dice, trace)
        self.publisher = Publisher(self, dice, trace)
        self.redriver = Redriver(self, dice, trace)
        self.readers = Readers(self, dice, trace)
        self.express = ExpressCallers(self, dice)
        self.ledger = ExpressLedger(trace)
        self.lives = map_runs.Lives(trace)
        self.nested = Nested(self)
        self.limits = MapLimits()
        self.limiter = Limiter(self, dice)
        self.witnesses = (self.lives, self.nested, self.ledger, self.limits)
        """Who sees every durable unit."""
        names = ("ends", "all", dead_letter_sink("topic"))
        self.sinks = {name: Receiver(name, dice, trace, self.disk) for name in names}
        self.file = File(dice, trace, self.sinks)
        self.life: Life
        self.post_room: trio.Nursery
        self.items = dice.choice((3, 3, 3, 8))
        """Of an order, at the most."""
        self.orders = [self._order(n) for n in range(dice.randint(1, 6))]
        self.queued: set[int] = set()
        """Orders that came by the queue."""
        self.hooks = [f"d-{n}" for n in range(dice.randint(0, 3))]
        self.calls = [(f"m{dice.randrange(2)}", f"call-{n}") for n in range(dice.randint(0, 3))]
        self.wrong: list[str] = []
        self.observer = self._observer()
        self.promised: dict[str, NotificationRow] = {}
        """Every notification that ever was on disk."""
        self.attempts: dict[str, int] = {}
        """Failed ones of each, as they were written."""
        self.record = checks.Record()
        self.reloading = trio.Lock()
        self._quiet = trio.Event()

    def _order(self, number: int) -> dict[str, Any]:
        kind = self.dice.choice(("ignored", "misfit", "order", "order", "order", "order"))
        items = range(1, self.dice.randint(1, self.items + 1))
        body = {"id": number, "kind": kind, "items": list(items)}
        if kind == "misfit":
            body["order"] = body.pop("id")
        return body

    def _observer(self) -> Engine:
        """Reads what is on disk, and does nothing."""
        catalog = Catalog(self.disk.store, self.clock, region="us-east-1", account="123456789012")
        outbox = Outbox(self.disk.store, _no_outlet, self.clock, Metrics())
        return Engine(self.disk.store, catalog, outbox, self.clock, Metrics())

    # ------------------------------------------------------------------ what it witnesses
    def written(self, unit: Unit) -> None:
        """What has to hold of every unit that is durable."""
        for witness in self.witnesses:
            witness.written(unit)
        for change in unit:
            match change:
                case Insert(TaskRow() as row) | Upsert(TaskRow() as row):
                    self.functions.started(row)
                case Upsert(NotificationRow() as row):
                    self._attempted(row)
        self._all_are_told(unit)

    def _attempted(self, row: NotificationRow) -> None:
        if row.last_error is None:
            self.attempts[row.id] = 0
            return
        if row.attempts != self.attempts.get(row.id, 0) + 1:
            self.wrong.append(f"an attempt is not counted: {row}")
        self.attempts[row.id] = row.attempts

    def _all_are_told(self, unit: Unit) -> None:
        """Who has to hear of a status is told in the very unit that gives it."""
        told: dict[tuple[int, str], set[str]] = {}
        for change in unit:
            match change:
                case Insert(NotificationRow() as row):
                    self.promised[row.id] = row
                    status = orjson.loads(row.body)["detail"]["status"]
                    told.setdefault((row.execution, status), set()).add(row.sink)
                case Insert(ExecutionRow(item=None) as row):
                    told.setdefault((row.id, "RUNNING"), set())
                    # One that ends as it begins is written once.
                    told.setdefault((row.id, row.status), set())
                case RedriveExecution(execution=execution):
                    if execution not in self.lives.children:
                        told.setdefault((execution, "RUNNING"), set())
                case EndExecution(execution=execution, status=status):
                    if execution not in self.lives.children:
                        told.setdefault((execution, status), set())
        for (execution, status), sinks in told.items():
            if frozenset(sinks) not in self.file.sinks_of(status):
                self.wrong.append(f"{execution} is {status}, and {sorted(sinks)} are told of it")

    async def sweeping(self, before: int) -> None:
        """All that may be forgotten is looked at while it is there."""
        if before > self.clock.latest - self.file.text.keep * 1000:
            self.wrong.append(f"what ended before {before} is forgotten at {self.clock()}")
        while unseen := self.record.unseen(self.disk.tables(), before):
            for row in unseen:
                await checks.examine(self, row)

    def swept(self, before: int, spared: Collection[int]) -> None:
        """What is gone was over, and nobody was still to hear of it; what is ``spared`` has tasks
        that wait for it, though they did not begin it."""
        tables = self.disk.tables()
        for row in self.record.gone(tables.executions):
            self.trace.seen("retention: an execution is forgotten")
            self.trace.say("disk", "has forgotten", row.arn)
            if row.stop_at is None or row.stop_at >= before:
                self.wrong.append(f"{row} is forgotten too early")
            waiting = [n.id for n in tables.notifications.values() if n.execution == row.id]
            if waiting:
                self.wrong.append(f"{row.arn} is forgotten before {waiting} are sent")
        telling = {row.execution for row in tables.notifications.values()}
        for row in tables.executions.values():
            if row.stop_at is not None:
                self.trace.seen("retention: one that has ended stays")
                if row.stop_at < before and row.id in telling:
                    self.trace.seen("retention: one that still has to be told of stays")
                elif row.stop_at < before and self.record.was_over(row) and row.id not in spared:
                    self.wrong.append(f"{row.arn} is not forgotten, although its keep is over")

    def post(self, token: str) -> None:
        """A message with the token of a task that waits for it."""
        self.post_room.start_soon(self.workers.reply, token)

    def died(self) -> None:
        """The connections of the dead break."""
        self.line.close()
        self.cluster.cut()

    def _power(self) -> None:
        dead = self.life.connection.dead
        if isinstance(dead, PowerCut):
            raise dead

    def _position(self, partition: int) -> int | None:
        row = self.disk.tables().positions.get((GROUP, TOPIC, partition))
        return None if row is None else row.offset

    # --------------------------------------------------------------------------- its lives
    async def run(self) -> None:
        """All of it: some lives with faults, and a last one in which everything comes to its
        end."""
        async with trio.open_nursery() as nursery:
            self.cluster.nursery = self.post_room = nursery
            for n in range(2):
                nursery.start_soon(self.workers.work, f"w{n}")
            for machine, name in self.calls:
                arn = f"{_ACCOUNT}:stateMachine:{machine}"
                nursery.start_soon(self.callers.start, arn, name)
            for delivery in self.hooks:
                nursery.start_soon(self._call_hook, delivery)
            nursery.start_soon(self._send)
            nursery.start_soon(self._stop_some)
            self._change_some(nursery)
            troubles = trio.CancelScope()
            nursery.start_soon(self._trouble_kafka, troubles)
            for _ in range(self.dice.randrange(5)):
                await self._one_life(nursery)
            await self._heal(troubles)
            await self._last_life()
            nursery.cancel_scope.cancel()

    def _change_some(self, nursery: trio.Nursery) -> None:
        """In some worlds somebody publishes, redrives, changes limits, or starts Express ones."""
        dice = self.dice
        if dice.random() < 0.4:
            nursery.start_soon(self.publisher.work, dice.randint(1, 6))
        for _ in range(dice.choice((0, 0, 1, 3))):
            nursery.start_soon(self.redriver.work)
        for _ in range(dice.choice((0, 0, 1, 2))):
            nursery.start_soon(self.readers.work)
        if dice.random() < 0.4:
            nursery.start_soon(self.limiter.work)
        if dice.random() < 0.4:
            nursery.start_soon(self.publisher.create_express)
            arn = f"{_ACCOUNT}:stateMachine:{EXPRESS}"
            for n in range(dice.randint(0, 3)):
                nursery.start_soon(self.express.start, arn, f"express-{n}")
            for n in range(dice.randint(0, 2)):
                nursery.start_soon(self.express.start_sync, arn, f"sync-{n}")

    async def _one_life(self, nursery: trio.Nursery) -> None:
        dice = self.dice
        trouble = dice.choice((0, 0.1, 0.4))
        self.queue.trouble = self.line.trouble = self.cluster.trouble = trouble
        self.bucket.trouble = trouble
        for sink in self.sinks.values():
            sink.trouble = dice.choice((0, 0.3, 1))
        faults = Faults(
            full=dice.choice((0, 0, 0.1, 0.5)),
            slow=dice.choice((0, 0.1, 0.5)),
            batches=dice.choice((None, dice.randrange(60))),
            death=dice.choice((PowerCut, StoreClosed)),
        )
        seconds = dice.choice((0.01, 3, 20, 90)) * dice.random()
        self.trace.say("world", "a life of", seconds, faults, "trouble", trouble)
        if dice.random() < 0.3:
            nursery.start_soon(self._jump, dice.random() * seconds)
        orderly = dice.random() < 0.4

        async def last(life: Life, besides: trio.Nursery) -> None:
            besides.start_soon(self._edit_some, life)
            with trio.move_on_after(seconds):
                await life.ended.wait()
            if orderly:
                await self._stop(life)
            else:
                life.connection.die("at any moment")

        await self._live(faults, last)
        await trio.sleep(dice.choice((0, 0, 5)))

    async def _stop(self, life: Life) -> None:
        """SIGTERM, and again where somebody has no time."""
        if life.ended.is_set() or not hasattr(life, "stop"):
            return
        self.trace.say("daemon", "is to stop")
        self.trace.seen("an orderly stop")
        life.stop.request()
        if self.dice.random() < 0.2:
            await trio.sleep(self.dice.random())
            life.stop.request()
        await life.ended.wait()

    async def _jump(self, seconds: float) -> None:
        await trio.sleep(seconds)
        jump = self.dice.choice((-600_000, -5_000, -1, 5_000, 600_000, 7_200_000))
        self.clock.offset += jump
        self.trace.seen("the clock jumps " + ("back" if jump < 0 else "ahead"))
        self.trace.say("clock", "jumps to an offset of", self.clock.offset, "ms")

    async def _live(self, faults: Faults, work: Any) -> None:
        try:
            config = self.file.start()
        except ConfigError:
            self.trace.say("daemon", "does not start with this file")
            self.file.mend()
            return
        connection = Connection(self.disk, faults, self.dice, self.trace, self)
        life = self.life = Life(self, connection, config)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(life.run)
            if self.dice.random() < 0.3:
                nursery.start_soon(self._forget, life)
            await work(life, nursery)
            await life.ended.wait()
            nursery.cancel_scope.cancel()
        await checks.between_lives(self, life)

    async def _forget(self, life: Life) -> None:
        """Other executions need the room in memory."""
        await life.ready.wait()
        hot = life.core.engine._door._hot
        while True:
            await trio.sleep(self.dice.random() * 10)
            for execution in list(hot):
                self.trace.seen("an execution leaves the memory")
                hot.drop(execution)

    # ----------------------------------------------------------------- those who operate it
    async def _edit_some(self, life: Life) -> None:
        """The configuration changes while everything runs."""
        for _ in range(self.dice.choice((0, 0, 1, 3))):
            await trio.sleep(self.dice.choice((0.5, 5, 30)) * self.dice.random())
            self.file.edit()
            await life.ready.wait()
            await reload(self, life)

    async def _send(self) -> None:
        """The orders come in by queue or topic, or both, some of them twice, and some late."""
        dice = self.dice
        late: list[dict[str, Any]] = []
        for number, order in enumerate(self.orders):
            await trio.sleep(dice.random() * 10)
            way = dice.randrange(4)
            if way != 0:
                self.queued.add(number)
                for _ in range(dice.choice((1, 1, 2))):
                    self.queue.send(order)
            if way in {0, 1}:
                for _ in range(dice.choice((1, 1, 2))):
                    self.cluster.append(dice.randrange(len(self.cluster.logs)), order)
                if dice.random() < 0.3:
                    await trio.sleep(dice.random())
                    await self._befall_kafka()
            if dice.random() < 0.2:
                late.append(order)
        for order in late:
            await trio.sleep(dice.random() * 60)
            self.queued.add(self.orders.index(order))
            self.queue.send(order)
        self._quiet.set()

    async def _trouble_kafka(self, scope: trio.CancelScope) -> None:
        """Now and then."""
        with scope:
            for _ in range(self.dice.choice((0, 1, 3))):
                await trio.sleep(self.dice.choice((3, 20)) * self.dice.random())
                with trio.CancelScope(shield=True):
                    await self._befall_kafka()

    async def _befall_kafka(self) -> None:
        """Something of what a group and its logs go through."""
        dice, cluster = self.dice, self.cluster
        number = dice.randrange(len(cluster.logs))
        match dice.randrange(9):
            case 0:
                self.trace.seen("kafka: a log expires")
                cluster.expire(number)
            case 1:
                self.trace.seen("kafka: a log is made anew")
                cluster.make_anew(number)
            case 2 | 3:
                self.trace.seen("kafka: a rebalance")
                cluster.disturb()
            case 4 | 5 | 6:
                cluster.fence()
            case 7:
                cluster.fail_membership()
            case _:
                await cluster.other_member()

    async def _call_hook(self, delivery: str) -> None:
        """One sender of a webhook: it sends again until it is told that the message is taken."""
        body = orjson.dumps({"id": delivery, "items": []})
        headers = {"webhook-id": delivery, "content-type": "application/json"}
        while True:
            await trio.sleep(self.dice.random() * 8)
            status = await self._post(headers, body)
            if status == 202 and self.dice.random() < 0.8:
                return
            self.trace.seen("webhook: sent again")

    async def _post(self, headers: dict[str, str], body: bytes) -> int:
        life = getattr(self, "life", None)
        if life is None or not life.ready.is_set() or life.ended.is_set():
            return 0
        status = 0

        async def post(_engine: Engine) -> int:
            return await life.edge.hooks.post("/hook", headers, body)

        with suppress(Down, ApiError, StoreFull, trio.TooSlowError):
            status = await self.line.ask(post)
        return status

    async def _stop_some(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(self.dice.choice((0, 0, 1))):
                names = [f"m0:order-{order.get('id')}" for order in self.orders]
                names += [f"{machine}:{name}" for machine, name in self.calls]
                arn = f"{_ACCOUNT}:execution:{self.dice.choice(names)}"
                nursery.start_soon(self.callers.stop, arn)

    # ------------------------------------------------------------------------- the last life
    async def _heal(self, troubles: trio.CancelScope) -> None:
        self.queue.trouble = self.line.trouble = self.cluster.trouble = 0.0
        self.bucket.trouble = 0.0
        self.workers.well = self.functions.well = True
        troubles.cancel()
        for sink in self.sinks.values():
            sink.trouble = 0.0
        self.file.complete()

    async def _last_life(self) -> None:
        async def work(life: Life, _besides: trio.Nursery) -> None:
            await life.ready.wait()
            # What finds the disk full at first has to be done later by the same daemon.
            life.connection.faults.full = self.dice.choice((0, 0.3))
            await self._edit_some(life)
            await trio.sleep(self.dice.choice((1, 30)))
            life.connection.faults.full = 0
            await self._quiet.wait()
            self.file.complete()
            await reload(self, life)
            await self._until_quiet()
            await self._retry_letters(life)
            await self._until_quiet()
            await self._stop(life)

        self.trace.say("world", "the last life")
        await self._live(Faults(), work)

    async def _until_quiet(self) -> None:
        begun = trio.current_time()
        while loud := await self._loud():
            assert not self.life.ended.is_set(), "the last daemon has ended by itself"
            assert trio.current_time() - begun < 2 * HOUR, f"it takes no end: {loud}"
            await trio.sleep(10)

    async def _loud(self) -> dict[str, Any]:
        """What still goes on."""
        stats = await self.disk.store.stats()
        names = {name for _, name in self.calls}
        loud = {
            "calls": names - set(self.callers.started),
            "running": stats.running,
            "notifications": stats.notifications,
            "queue": list(self.queue.left),
            "logs": self._unread(),
            "hooks": self._unheard(),
            "people": self.publisher.busy + self.redriver.busy + self.express.busy,
            "express": sorted(self.disk.tables().express),
            "deleted": [
                row for row in self.disk.tables().machines.values() if row.status != "ACTIVE"
            ],
            "map runs": [run for run in self.disk.tables().map_runs.values() if run.open],
        }
        return {what: rest for what, rest in loud.items() if rest}

    def _unread(self) -> dict[int, Any]:
        """Logs that are not read to their ends; one whose rest has expired is."""
        logs = self.cluster.logs if self.cluster.exists else ()
        places = {n: (self._position(n), log) for n, log in enumerate(logs)}
        return {
            n: (position, log.start, log.end)
            for n, (position, log) in places.items()
            if position is None or position > log.end or max(position, log.start) < log.end
        }

    def _unheard(self) -> set[str]:
        taken = {row.name for row in self.record.rows(self.disk.tables().executions)}
        return {delivery for delivery in self.hooks if f"hook-{delivery}" not in taken}

    async def _retry_letters(self, life: Life) -> None:
        """What was given up is sent by hand; what cannot be taken still cannot."""
        book = life.edge.letters()
        letters, _ = await self.disk.store.letters(None, Page(1000))
        for letter in letters:
            self.trace.say("person", "retries", letter.kind, letter.id, letter.reason)
            with suppress(ApiError):
                await book.retry(letter.id)


def _no_outlet(_name: str) -> Outlet:
    raise NotImplementedError
