"""What the daemon is made of: built once from the configuration, reconfigured by reloads.

Building and configuring live here; the order of starting and stopping is ``run.py``'s.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog
import trio

from gateway.callbacks.desk import CallbackDesk
from gateway.config.load import Config
from gateway.daemon.clock import now
from gateway.daemon.crew import local_url, worker_services
from gateway.daemon.declare import declare
from gateway.daemon.hooks import Hooks
from gateway.daemon.intakes import Intakes
from gateway.daemon.outlets import outlet_maker, sink_routes
from gateway.daemon.services import Services
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.letters import Letters
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.sinks.protocol import Poster
from gateway.store.protocol import Store
from gateway.tasks.integrations import runners
from gateway.tasks.protocol import Tools
from gateway.triggers.running import Running


@dataclass(frozen=True, slots=True)
class Core:
    """The engine and what it stands on."""

    store: Store
    catalog: Catalog
    metrics: Metrics
    outbox: Outbox
    engine: Engine
    running: Running
    tools: Tools


async def build_core(
    config: Config, store: Store, metrics: Metrics, http: Poster, tools: Tools
) -> Core:
    """The core, with the machines, activities and sinks of the configuration."""
    settings = config.settings
    catalog = Catalog(store, now, region=settings.region, account=settings.account)
    await catalog.load()
    outbox = Outbox(store, outlet_maker(http, tools.aws, now), now, metrics)
    outbox.configure(sink_routes(config))
    tools.aws.configure(settings.roles)
    tools.functions.configure(settings.functions)
    tools.connections.configure(settings.connections)
    engine = Engine(store, catalog, outbox, now, metrics, runners(tools))
    running = Running((await store.stats()).running_by_trigger)
    engine.on_end.append(running.ended)
    engine.on_redrive.append(running.redriven)
    await declare(config, catalog, structlog.get_logger("daemon"))
    return Core(store, catalog, metrics, outbox, engine, running, tools)


class Edge:
    """What touches the outside and may be swapped: the listener for webhooks and callbacks,
    sources and workers."""

    def __init__(
        self, core: Core, listeners: trio.Nursery, services: trio.Nursery, hurry: trio.Event
    ) -> None:
        self._core = core
        self._hurry = hurry
        self._log = structlog.get_logger("daemon")
        self.hooks = Hooks(listeners, self._log)
        self.callbacks = CallbackDesk(core.engine)
        parts = (core.engine, core.metrics, core.running, self.hooks.routes, core.tools.aws)
        self.intakes = Intakes(*parts, now)
        self.sources = Services("source", services, self._log)
        self.workers = Services("worker", services, self._log)

    def letters(self) -> Letters:
        """What a person may do with letters."""
        return Letters(
            self._core.store,
            now,
            has_sink=self._core.outbox.has_sink,
            wake=self._core.outbox.wake,
            redeliver=self.intakes.redeliver,
        )

    async def configure(self, config: Config, api_url: str) -> list[str]:
        """Start, stop and replace what the configuration says; returns what it was, in words.

        Raises ConfigError, with nothing changed, where the webhooks cannot be listened for.
        """
        await self.hooks.bind(config.settings)
        sources = await self.sources.configure(self.intakes.services(config))
        catalog, url = self._core.catalog, local_url(api_url)
        hands = worker_services(config, catalog, url, self._hurry, now)
        workers = await self.workers.configure(hands)
        return [f"source {name}" for name in sources] + [f"worker {name}" for name in workers]
