"""One life of the daemon: ``gateway.daemon.daemon.Daemon`` itself, with virtual surroundings.

What is replaced is what touches the outside: the database's file, signals, both HTTP listeners, the
worker processes, the service manager, the clock and the configuration file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import structlog
import trio

from gateway.config.load import Config
from gateway.config.settings import Settings
from gateway.daemon.daemon import Daemon
from gateway.daemon.fatal import fatal_lines
from gateway.daemon.reload import Reloader
from gateway.daemon.services import Service
from gateway.daemon.signals import Stop
from gateway.daemon.state import State
from gateway.daemon.system import Core, Edge
from gateway.errors import ConfigError, Problem
from gateway.sources.webhook_request import ClientGone, Refusal, WebhookRequest
from gateway.sources.webhook_routes import Found, WebhookRoutes
from gateway.store.failures import StoreFull
from tests.simulation.disk import Connection, PowerCut, StoreClosed
from tests.simulation.objects import SlowS3

if TYPE_CHECKING:
    from tests.simulation.world import World


class Hooks:
    """As ``gateway.daemon.hooks.Hooks``, with a listener that nobody hears."""

    def __init__(self, _nursery: trio.Nursery, _log: object) -> None:
        self.routes = WebhookRoutes()
        self.url: str | None = None
        self.open = True

    async def bind(self, settings: Settings) -> None:
        """Another process may have the port."""
        await trio.lowlevel.checkpoint()
        address = str(settings.hooks.listen) if "hook" in settings.triggers else None
        if address is not None and address.endswith(":1"):
            raise ConfigError([Problem("hooks.listen", "cannot listen there")])
        self.url = address

    def close(self) -> None:
        """It listens no more."""
        self.open = False

    async def post(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """A request; returns its status. 0: nobody listens."""
        found = self.routes.find("POST", path)
        if not self.open or self.url is None:
            return 0
        if not isinstance(found, Found):
            return 404
        if found.route.rests_until is not None:
            return 503
        scope = {
            "method": "POST",
            "raw_path": path.encode(),
            "query_string": b"",
            "client": None,
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }

        async def receive() -> dict[str, Any]:
            await trio.lowlevel.checkpoint()
            return {"type": "http.request", "body": body}

        with found.route.work():
            try:
                request = WebhookRequest(scope, receive)
                return (await found.route.handler(request, found.parameters)).status_code
            except Refusal as refusal:
                return refusal.answer.status_code
            except ClientGone:
                return 0


class Notifier:
    """A service manager that does not watch."""

    def __init__(self, running: trio.Event) -> None:
        self._running = running

    def ready(self, _status: str) -> None:
        """The start, or a reload, is complete."""
        self._running.set()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None

    async def feed_watchdog(self) -> None:
        """Nothing to feed."""
        await trio.lowlevel.checkpoint()


class Life:
    """From the start to whatever end."""

    def __init__(self, world: World, connection: Connection, config: Config) -> None:
        self.connection = connection
        self.ready = trio.Event()
        """The API is served."""
        self.running = trio.Event()
        """The sources are started; a reload before that is refused."""
        self.ended = trio.Event()
        self.core: Core
        self.edge: Edge
        self.state: State
        self.reloader: Reloader
        self.stop: Stop
        self.reload: Callable[[], Awaitable[None]]
        self._world = world
        self._config = config

    async def run(self) -> None:
        """Raises what is not to be expected of a daemon with these faults."""
        daemon = Daemon(self._config, Notifier(self.running), structlog.get_logger("daemon"))  # type: ignore[arg-type]
        try:
            with self.connection.life:
                await daemon.run()
        except BaseException as failure:
            self._judge(failure)
        finally:
            self._world.line.close()
            self.ended.set()
        self._world.trace.say("daemon", "has ended")

    def _judge(self, failure: BaseException) -> None:
        """A dead daemon may say anything; a living one ends of itself only with a full disk."""
        dead = self.connection.dead is not None
        ends = (PowerCut, StoreClosed, StoreFull, trio.Cancelled) if dead else StoreFull
        _, others = _split(failure, ends)
        if others is not None:
            raise others
        if dead:
            return
        database = self._config.settings.store.path
        assert fatal_lines(failure, database), "a full disk is said in words"
        self._world.trace.seen("the daemon does not come up")
        self._world.trace.say("daemon", "does not come up")

    # ------------------------------------------------------------------- its surroundings
    async def obey_signals(
        self, stop: Stop, reload: Callable[[], Awaitable[None]], task_status: trio.TaskStatus[None]
    ) -> None:
        """Signals come from the world."""
        self.stop, self.reload = stop, reload
        task_status.started()
        await trio.sleep_forever()

    def api_server(self, core: Core, edge: Edge, state: State, reloader: Reloader) -> Life:
        """The world reaches the engine without HTTP."""
        self.core, self.edge, self.state, self.reloader = core, edge, state, reloader
        return self

    async def serve(
        self,
        _listener: None,
        closing: trio.Event,
        *,
        grace_seconds: float,
        task_status: trio.TaskStatus[str],
    ) -> None:
        """Until closing; what is in work then has the grace."""
        line = self._world.line
        async with trio.open_nursery() as serving:
            line.open(self.core.engine, serving)
            task_status.started("http://daemon")
            self.ready.set()
            try:
                await closing.wait()
            finally:
                line.close()
            with trio.move_on_after(grace_seconds):
                await line.idle()
            serving.cancel_scope.cancel()


def _split(failure: BaseException, kinds: Any) -> tuple[Any, BaseException | None]:
    if isinstance(failure, BaseExceptionGroup):
        return failure.split(kinds)
    return (failure, None) if isinstance(failure, kinds) else (None, failure)


def worker_services(world: World) -> Callable[..., dict[str, Service]]:
    """As ``gateway.daemon.crew.worker_services``: processes that end when they are cancelled."""

    def services(config: Config, *_: object) -> dict[str, Service]:
        return {
            name: Service(settings, partial(_processes, world, settings.processes), _running)
            for name, settings in config.settings.workers.items()
        }

    return services


def _running() -> dict[str, Any]:
    return {"state": "running"}


async def _processes(world: World, number: int) -> None:
    async with trio.open_nursery() as nursery:
        for n in range(number):
            nursery.start_soon(world.workers.work, f"process-{n}")


@contextmanager
def _no_listener(_address: str) -> Iterator[None]:
    yield None


@contextmanager
def surroundings(world: World) -> Iterator[None]:
    """Every daemon in here lives in this world."""
    clock, dice = world.clock, world.dice
    quiet = SimpleNamespace(
        dump_traceback_later=lambda *_, **__: None, cancel_dump_traceback_later=lambda: None
    )
    replaced = {
        "gateway.daemon.daemon.now": clock,
        "gateway.daemon.daemon.listen": _no_listener,
        "gateway.daemon.daemon.open_sqlite": partial(
            _of_life, world, lambda life: life.connection.open
        ),
        "gateway.daemon.daemon.obey_signals": partial(
            _of_life, world, lambda life: life.obey_signals
        ),
        "gateway.daemon.daemon.api_server": partial(_of_life, world, lambda life: life.api_server),
        "gateway.daemon.stopping.faulthandler": quiet,
        "gateway.daemon.reload.load_config": world.file.load,
        "gateway.daemon.system.now": clock,
        "gateway.daemon.system.Hooks": Hooks,
        "gateway.daemon.system.worker_services": worker_services(world),
        "gateway.daemon.system.runners": lambda _tools: [world.functions],
        "gateway.engine.engine.S3": lambda _region: SlowS3(world.bucket, dice),
        "gateway.engine.outbox.Random": lambda: dice,
        "gateway.sources.kafka_partition.Random": lambda: dice,
        "gateway.sources.sqs_work.SqsQueue": world.queue.connect,
        "trio.to_thread.run_sync": _at_once,
    }
    with ExitStack() as stack:
        for place, thing in replaced.items():
            stack.enter_context(patch(place, thing))
        yield


def _of_life(
    world: World, part: Callable[[Life], Callable[..., Any]], *arguments: Any, **options: Any
) -> Any:
    """Call that part of the life that there is then."""
    return part(world.life)(*arguments, **options)


async def _at_once(function: Callable[..., Any], *arguments: Any, **_options: Any) -> Any:
    """A thread that is none; what gives a coroutine is a long call."""
    await trio.lowlevel.checkpoint()
    found = function(*arguments)
    return await found if hasattr(found, "__await__") else found
