"""The daemon's lives in a virtual world: what it is made of, what befalls it, how it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import orjson
import structlog
import trio

from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.letters import Letters, dead_letter_sink
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox, SinkRoute
from gateway.errors import ApiError, Unavailable
from gateway.sinks.protocol import Outlet
from gateway.sinks.retry import RetrySettings
from gateway.sources.protocol import Message
from gateway.store.memory import MemoryStore
from gateway.store.protocol import LetterRow, Page, StoreClosed, StoreFull
from gateway.triggers.mapping import compile_mapping
from gateway.triggers.running import Running
from gateway.triggers.trigger import Trigger
from tests.simulation.disk import Connection, Faults, PowerCut
from tests.simulation.far_sides import Log, Queue, Receiver
from tests.simulation.machines import random_machine
from tests.simulation.people import Callers, Line, Workers
from tests.simulation.sources import call_hook, intake, read_log, read_queue
from tests.simulation.trace import Trace

START = 1_700_000_000_000
HOUR = 3600.0
FINAL = frozenset({"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"})
ORDERS = {"name": "States.Format('order-{}', $.body.id)"}
"""Queue and topic name alike: an order is started once, whichever brings it."""
FILTER = {"body": {"kind": [{"anything-but": "ignored"}]}}


class Clock:
    """Wall time: it goes with the virtual clock, but for jumps."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        """Milliseconds since the epoch."""
        return START + round(trio.current_time() * 1000) + self.offset


class _NoStart(Exception):
    """The disk is full before the machines are declared."""


@dataclass(frozen=True)
class Daemon:
    """What ``gateway.daemon.system`` puts together."""

    engine: Engine
    outbox: Outbox
    running: Running
    triggers: dict[str, Trigger]
    letters: Letters


class World:
    """Everything, over all lives of the daemon."""

    def __init__(self, seed: int) -> None:
        self.dice = dice = Random(seed)
        self.trace = trace = Trace()
        self.clock = Clock()
        self.disk = MemoryStore()
        self.definitions = {f"m{n}": random_machine(dice) for n in range(2)}
        self.queue = Queue(dice, trace)
        self.log = Log(dice.choice((1, 2)))
        self.line = Line(dice, trace)
        self.workers = Workers(self.line, dice, trace)
        self.callers = Callers(self.line, dice)
        names = ("ends", "all", dead_letter_sink("topic"))
        self.sinks = {name: Receiver(name, dice, trace, self.disk) for name in names}
        self.orders = [self._order(n) for n in range(dice.randint(1, 6))]
        self.hooks = [f"d-{n}" for n in range(dice.randint(0, 3))]
        self.calls = [(f"m{dice.randrange(2)}", f"call-{n}") for n in range(dice.randint(0, 3))]
        self.wrong: list[str] = []
        self.observer = self._observer()
        self._hook: Trigger | None = None
        self._max_running = dice.choice((None, None, 2))
        self._quiet = trio.Event()

    def _order(self, number: int) -> dict[str, Any]:
        kind = self.dice.choice(("ignored", "misfit", "order", "order", "order", "order"))
        body = {"id": number, "kind": kind, "items": [1, 2, 3][: self.dice.randrange(4)]}
        if kind == "misfit":
            body["order"] = body.pop("id")
        return body

    # ------------------------------------------------------------------------ the daemon
    def _observer(self) -> Engine:
        """Reads what is on disk, and does nothing."""
        catalog = Catalog(self.disk, self.clock, region="us-east-1", account="123456789012")
        outbox = Outbox(self.disk, self._outlet, self.clock, Metrics())
        return Engine(self.disk, catalog, outbox, self.clock, Metrics())

    async def build(self, store: Any) -> Daemon:
        """A daemon over the store as it is now."""
        metrics = Metrics()
        catalog = Catalog(store, self.clock, region="us-east-1", account="123456789012")
        await catalog.load()
        outbox = Outbox(store, self._outlet, self.clock, metrics, self.dice)
        outbox.configure(self._routes())
        engine = Engine(store, catalog, outbox, self.clock, metrics)
        running = Running((await store.stats()).running_by_trigger)
        engine.on_end.append(running.ended)
        if not catalog.activities():
            await catalog.create_activity("work")
        for name, definition in self.definitions.items():
            await catalog.create_machine(name, orjson.dumps(definition).decode())
        make = partial(Trigger, engine=engine, metrics=metrics, running=running)
        most = self._max_running
        triggers = {
            "queue": make(compile_mapping("queue", "sqs", filter=FILTER, **ORDERS), "m0"),
            "topic": make(
                compile_mapping("topic", "kafka", filter=FILTER, **ORDERS),
                "m0",
                dead_letter=True,
                max_running=most,
            ),
            "hook": make(compile_mapping("hook", "webhook"), "m1", max_running=most),
        }

        async def redeliver(letter: LetterRow) -> None:
            await triggers[letter.origin].redeliver(letter)

        letters = Letters(
            store, self.clock, has_sink=outbox.has_sink, wake=outbox.wake, redeliver=redeliver
        )
        return Daemon(engine, outbox, running, triggers, letters)

    def _outlet(self, _name: str) -> Outlet:
        log = structlog.get_logger("sink")
        return Outlet(http=None, in_thread=None, now=self.clock, log=log)  # type: ignore[arg-type]

    def _routes(self) -> list[SinkRoute]:
        when = {"ends": FINAL, "all": FINAL | {"RUNNING"}}
        retry = RetrySettings(first="1s", max="60s")
        return [
            SinkRoute(name, sink, when.get(name, frozenset()), None, None, retry, HOUR)
            for name, sink in self.sinks.items()
        ]

    # --------------------------------------------------------------------------- its lives
    async def run(self) -> Daemon:
        """All of it: some lives with faults, and a last one in which everything comes to its end.
        Returns the last daemon, which has stopped."""
        async with trio.open_nursery() as nursery:
            for n in range(3):
                nursery.start_soon(self.workers.work, f"w{n}")
            for machine, name in self.calls:
                arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{machine}"
                nursery.start_soon(self.callers.start, arn, name)
            nursery.start_soon(self._send)
            nursery.start_soon(self._stop_some)
            for _ in range(self.dice.randrange(5)):
                await self._one_life(nursery)
            self._heal()
            daemon = await self._last_life()
            nursery.cancel_scope.cancel()
        return daemon

    async def _one_life(self, nursery: trio.Nursery) -> None:
        dice = self.dice
        trouble = dice.choice((0, 0.1, 0.4))
        self.queue.trouble = self.line.trouble = trouble
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

        async def last(_daemon: Daemon) -> None:
            await trio.sleep(seconds)

        await self._live(faults, last, orderly=dice.random() < 0.4)
        await trio.sleep(dice.choice((0, 0, 5)))

    async def _jump(self, seconds: float) -> None:
        await trio.sleep(seconds)
        self.clock.offset += self.dice.choice((-600_000, -5_000, -1, 5_000, 600_000, 7_200_000))
        self.trace.say("clock", "jumps to an offset of", self.clock.offset, "ms")

    async def _live(self, faults: Faults, work: Any, *, orderly: bool) -> Daemon | None:
        connection = Connection(self.disk, faults, self.dice, self.trace)
        daemon: Daemon | None = None
        try:
            async with trio.open_nursery() as store:
                store.start_soon(connection.write)
                with connection.life, suppress(_NoStart):
                    daemon = await self._come_up(connection)
                    await self._pump(daemon, connection, work, orderly=orderly)
                store.cancel_scope.cancel()
        except* (PowerCut, StoreClosed):
            if connection.dead is None:
                raise
        finally:
            self._hang_up()
        self.trace.say("daemon", "has ended")
        await self.look(daemon)
        return daemon

    async def _come_up(self, connection: Connection) -> Daemon:
        try:
            return await self.build(connection)
        except (StoreFull, Unavailable) as failure:
            self.trace.say("daemon", "does not come up:", failure)
            raise _NoStart from None

    def _hang_up(self) -> None:
        self.line.close()
        self._hook = None

    async def _pump(
        self, daemon: Daemon, connection: Connection, work: Any, *, orderly: bool
    ) -> None:
        """The stages of ``gateway.daemon.daemon``, in an orderly end from the inside out."""
        async with trio.open_nursery() as pumps:
            await pumps.start(daemon.engine.run)
            async with trio.open_nursery() as api:
                self.line.open(daemon.engine, api)
                try:
                    await self._take_in_until(daemon, connection, work, orderly=orderly)
                finally:
                    self._hang_up()
                api.cancel_scope.cancel()
            pumps.cancel_scope.cancel()

    async def _take_in_until(
        self, daemon: Daemon, connection: Connection, work: Any, *, orderly: bool
    ) -> None:
        async with trio.open_nursery() as sources:
            self._take_in(daemon, connection, sources)
            await work(daemon)
            if not orderly:
                connection.die("at any moment")
                await trio.sleep_forever()
            self.trace.say("daemon", "stops")
            sources.cancel_scope.cancel()

    def _take_in(self, daemon: Daemon, connection: Connection, sources: trio.Nursery) -> None:
        of = {
            name: intake(trigger, connection, self.clock)
            for name, trigger in daemon.triggers.items()
        }
        if self.dice.random() < 0.3:
            sources.start_soon(self._forget, daemon.engine)
        sources.start_soon(read_queue, self.queue, of["queue"])
        sources.start_soon(read_log, self.log, of["topic"], self.dice)
        self._hook = daemon.triggers["hook"]
        for delivery in self.hooks:
            message = Message(
                delivery, {"id": delivery, "items": []}, self.clock(), delivery, delivery
            )
            sources.start_soon(call_hook, message, lambda: self._hook, self.dice)

    async def _forget(self, engine: Engine) -> None:
        """Other executions need the room in memory."""
        while True:
            await trio.sleep(self.dice.random() * 10)
            engine._door._hot.clear()

    async def look(self, daemon: Daemon | None) -> None:
        """Between two lives: see ``checks.py``."""
        from tests.simulation import checks

        await checks.between_lives(self, daemon)

    # ---------------------------------------------------------------------- those around it
    async def _send(self) -> None:
        """The orders come in by queue or topic, or both, some of them twice."""
        for order in self.orders:
            await trio.sleep(self.dice.random() * 10)
            way = self.dice.randrange(4)
            if way != 0:
                for _ in range(self.dice.choice((1, 1, 2))):
                    self.queue.send(order)
            if way in {0, 1}:
                for _ in range(self.dice.choice((1, 1, 2))):
                    self.log.append(self.dice.randrange(len(self.log.partitions)), order)
        self._quiet.set()

    async def _stop_some(self) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(self.dice.choice((0, 0, 1))):
                names = [f"m0:order-{order.get('id')}" for order in self.orders]
                names += [f"{machine}:{name}" for machine, name in self.calls]
                arn = f"arn:aws:states:us-east-1:123456789012:execution:{self.dice.choice(names)}"
                nursery.start_soon(self.callers.stop, arn)

    # ------------------------------------------------------------------------- the last life
    def _heal(self) -> None:
        self.queue.trouble = self.line.trouble = 0.0
        self.workers.well = True
        for sink in self.sinks.values():
            sink.trouble = 0.0

    async def _last_life(self) -> Daemon:
        async def work(daemon: Daemon) -> None:
            with trio.fail_after(20 * HOUR):
                await self._quiet.wait()
                await self._until(self._is_quiet)
                await self._retry_letters(daemon)
                await self._until(self._is_quiet)

        self.trace.say("world", "the last life")
        daemon = await self._live(Faults(), work, orderly=True)
        assert daemon is not None
        return daemon

    async def _until(self, holds: Any) -> None:
        while True:
            if await holds():
                return
            await trio.sleep(10)

    async def _is_quiet(self) -> bool:
        stats = await self.disk.stats()
        started = len(self.callers.started) == len(self.calls)
        return started and not (stats.running or stats.notifications or self._unread())

    def _unread(self) -> bool:
        offsets = {key[2]: row.offset for key, row in self.disk._tables.positions.items()}
        ends = [len(log) for log in self.log.partitions]
        read = all(offsets.get(n, 0) == end for n, end in enumerate(ends))
        taken = {row.name for row in self.disk._tables.executions.values()}
        hooked = all(f"hook-{delivery}" in taken for delivery in self.hooks)
        return bool(self.queue.left) or not read or not hooked

    async def _retry_letters(self, daemon: Daemon) -> None:
        """What was given up is sent by hand; what cannot be taken still cannot."""

        letters, _ = await self.disk.letters(None, Page(1000))
        for letter in letters:
            self.trace.say("person", "retries", letter.kind, letter.id, letter.reason)
            with suppress(ApiError):
                await daemon.letters.retry(letter.id)
