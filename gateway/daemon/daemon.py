"""The order in which the daemon starts and stops: store ⊃ pumps ⊃ API ⊃ intake.

Each stage is a nursery inside the one that it needs, so the end comes from the inside out: intake
first, then the API, then the pumps, and the store when nobody can write any more.
"""

from __future__ import annotations

import socket
from functools import partial

import structlog
import trio

from gateway.api.server import listen
from gateway.config.load import Config
from gateway.daemon.clock import now
from gateway.daemon.disk import watch_disk
from gateway.daemon.notify import Notifier
from gateway.daemon.operations import api_server
from gateway.daemon.own_api import serve_tasks
from gateway.daemon.reload import Reloader
from gateway.daemon.retention import sweep_forever
from gateway.daemon.services import Service, Services
from gateway.daemon.signals import Stop, obey_signals
from gateway.daemon.state import Parts, State
from gateway.daemon.stopping import STUCK_SECONDS, limit_drain
from gateway.daemon.system import Core, Edge, build_core
from gateway.daemon.tools import open_tools
from gateway.engine.metrics import Metrics
from gateway.sinks.first_post import open_on_first_use
from gateway.store.protocol import Store
from gateway.store.sqlite import open_sqlite


class Daemon:
    """One run of the daemon, from a loaded configuration to a closed store."""

    def __init__(self, config: Config, notify: Notifier, log: structlog.stdlib.BoundLogger) -> None:
        self._notify = notify
        self._log = log
        self._stop = Stop()
        self._state = State(config, now)
        self._reloader = Reloader(self._state, notify, log)
        self._metrics = Metrics()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT has been obeyed. Raises what ``fatal.py`` puts into words."""
        everything = trio.CancelScope()
        async with trio.open_nursery() as watch:
            await watch.start(obey_signals, self._stop, self._reloader.obey)
            watch.start_soon(self._notify.feed_watchdog)
            watch.start_soon(self._drain_when_asked, everything)
            # The port comes before the database: whoever cannot listen has touched nothing.
            with everything, listen(str(self._state.config.settings.api.listen)) as listener:
                await self._run_store(listener)
            watch.cancel_scope.cancel()
        self._log.info("stopped")

    async def _drain_when_asked(self, everything: trio.CancelScope) -> None:
        await self._stop.requested.wait()
        self._state.stage = "stopping"
        grace = self._state.config.settings.grace
        self._log.info("stopping", grace_seconds=grace)
        self._notify.stopping("Stopping")
        self._notify.extend(grace + STUCK_SECONDS)
        self._reloader.give_up()
        await limit_drain(self._stop, grace, everything)

    async def _run_store(self, listener: socket.socket) -> None:
        path = str(self._state.config.settings.store.path)
        committed = self._metrics.committed
        async with (
            open_sqlite(
                path, on_commit=lambda _, seconds: committed(seconds), on_full=self._disk_full
            ) as store,
            trio.open_nursery() as watch,
        ):
            watch.start_soon(watch_disk, store.under_way_seconds, self._disk_stalled)
            await self._run_pumps(store, listener)
            watch.cancel_scope.cancel()

    def _disk_stalled(self, stalled: bool) -> None:
        self._state.disk_stalled = stalled
        database = str(self._state.config.settings.store.path.absolute())
        if stalled:
            said = "the disk does not answer, or somebody holds the database: everything waits"
            self._log.error(said, database=database)
            self._notify.status(f"The disk does not answer: {database}")
        else:
            self._log.info("the disk answers again", database=database)
            self._notify.status(self._state.summary())

    def _disk_full(self, full: bool) -> None:
        self._state.disk_full = full
        database = str(self._state.config.settings.store.path.absolute())
        if full:
            said = "the disk is full: intake pauses until there is room"
            self._log.error(said, database=database)
            self._notify.status(f"The disk is full: make room for {database}")
        else:
            self._log.info("the disk has room again: intake goes on", database=database)
            self._notify.status(self._state.summary())

    async def _run_pumps(self, store: Store, listener: socket.socket) -> None:
        config = self._state.config
        async with (
            open_on_first_use() as http,
            open_tools(config.settings.region, config.settings.account) as tools,
            trio.open_nursery() as nursery,
        ):
            core = await build_core(config, store, self._metrics, http, tools)
            await nursery.start(core.engine.run)
            pumps = Services("pump", nursery, self._log)
            await pumps.configure({"retention": self._retention(core)})
            with serve_tasks(core.engine, tools):
                await self._run_api(core, pumps, listener)
            await core.engine.drain()
            nursery.cancel_scope.cancel()

    async def _run_api(self, core: Core, pumps: Services, listener: socket.socket) -> None:
        closing = trio.Event()
        async with trio.open_nursery() as nursery:
            async with trio.open_nursery() as intake:
                edge = Edge(core, nursery, intake, self._stop.hurry)
                server = api_server(core, edge, self._state, self._reloader)
                grace = self._state.config.settings.grace
                serve = partial(server.serve, listener, closing, grace_seconds=grace)
                url = await nursery.start(serve)
                self._state.parts = Parts(core, edge, pumps, url)
                await intake.start(edge.callbacks.serve, edge.hooks.routes)
                await self._run_intake(edge, url)
                intake.cancel_scope.cancel()
            edge.hooks.close()
            closing.set()

    async def _run_intake(self, edge: Edge, url: str) -> None:
        await edge.configure(self._state.config, url)
        if not self._stop.requested.is_set():
            self._state.stage = "running"
            self._log.info("ready", summary=self._state.summary())
            self._notify.ready(self._state.summary())
        await self._stop.requested.wait()

    def _retention(self, core: Core) -> Service:
        def keep_seconds() -> float:
            return self._state.config.settings.store.keep

        spared = core.engine.awaited
        sweep = partial(
            sweep_forever, core.store, core.catalog, now, keep_seconds, spared, self._log
        )
        return Service("retention", sweep, lambda: {"state": "running"})
