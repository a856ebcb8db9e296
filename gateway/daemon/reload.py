"""Taking a changed configuration while everything runs: all of it, or nothing with the reasons."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter

import structlog
import trio

from gateway.config.load import Config, load_config
from gateway.config.settings import Settings
from gateway.daemon.declare import declare
from gateway.daemon.fatal import fatal_lines
from gateway.daemon.notify import Notifier
from gateway.daemon.outlets import sink_routes
from gateway.daemon.state import Parts, State
from gateway.errors import ApiError, ConfigError, Problem
from gateway.tasks.protocol import Tools

_FIXED = ("region", "account", "store.path", "api.listen")
"""What is built into rows, ARNs and open sockets."""


class Reloader:
    """Reloads the file that the daemon was started with, one reload at a time."""

    def __init__(self, state: State, notify: Notifier, log: structlog.stdlib.BoundLogger) -> None:
        self._state = state
        self._notify = notify
        self._log = log
        self._one_by_one = trio.Lock()
        self._given_up = False
        self._scope = trio.CancelScope()
        """Of the reload that is under way; each has its own, for a scope can be entered once."""

    def give_up(self) -> None:
        """The daemon is being stopped: end a reload that is under way, begin no further one."""
        self._given_up = True
        self._scope.cancel()

    async def obey(self) -> None:
        """For SIGHUP: what is wrong is logged and shown on /healthz, and changes nothing."""
        try:
            await self.reload()
        except ApiError:
            pass
        except Exception:
            self._log.exception("reload failed")

    async def reload(self) -> list[str]:
        """Take the file as it is now; returns what was changed, in words.

        Raises ApiError InvalidConfiguration with every problem, nothing having been changed.
        """
        async with self._one_by_one:
            self._notify.reloading()
            try:
                self._scope = trio.CancelScope()
                with self._scope:
                    if not self._given_up:
                        return await self._reload()
                raise ApiError("Unavailable", "the daemon is being stopped")
            finally:
                self._notify.ready(self._state.summary())

    async def _reload(self) -> list[str]:
        parts = self._state.parts
        if parts is None or self._state.stage != "running":
            raise ApiError("InvalidConfiguration", f"the daemon is {self._state.stage}")
        try:
            changed = await self._take(parts)
        except Exception as error:
            problems = fatal_lines(error, self._state.config.settings.store.path)
            if problems is None:
                raise
            self._state.last_reload = {"at": self._state.now(), "problems": problems}
            self._log.error("reload refused, the old configuration stays", problems=problems)
            raise ApiError("InvalidConfiguration", "\n".join(problems)) from error
        self._state.last_reload = {"at": self._state.now()}
        self._log.info("reloaded", changed=changed)
        return changed

    async def _take(self, parts: Parts) -> list[str]:
        old, core = self._state.config, parts.core
        new = await trio.to_thread.run_sync(load_config, old.path)
        _check_fixed(old, new)
        for warning in new.warnings:
            self._log.warning("configuration", problem=str(warning))
        await parts.edge.hooks.bind(new.settings)
        try:
            machines = await declare(new, core.catalog, self._log)
        except BaseException:
            # The disk may be full: the webhooks, too, stay where they were.
            await parts.edge.hooks.bind(old.settings)
            raise
        core.outbox.configure(sink_routes(new))
        tools = _configure(core.tools, old.settings, new.settings)
        self._state.config = new
        swapped = await parts.edge.configure(new, parts.api_url)
        declared = [f"machine {name}" for name in machines]
        return declared + _sinks(old, new) + tools + swapped


def _check_fixed(old: Config, new: Config) -> None:
    """Raises ConfigError where the new configuration changes what only a restart can change."""
    problems = list(_changed(old.settings, new.settings, str(new.path)))
    if problems:
        raise ConfigError(problems)


def _changed(old: Settings, new: Settings, file: str) -> Iterator[Problem]:
    for path in _FIXED:
        was, wanted = attrgetter(path)(old), attrgetter(path)(new)
        if was != wanted:
            yield Problem(path, f"is {was} until the daemon is restarted, not {wanted}", file)


def _configure(tools: Tools, old: Settings, new: Settings) -> list[str]:
    """Gives tasks what they use; returns what was changed."""
    tools.aws.configure(new.roles)
    functions = tools.functions.configure(new.functions)
    connections = tools.connections.configure(new.connections)
    return [
        *(["roles"] if old.roles != new.roles else []),
        *(f"function {name}" for name in functions),
        *(f"connection {name}" for name in connections),
    ]


def _sinks(old: Config, new: Config) -> list[str]:
    before, after = old.settings.sinks, new.settings.sinks
    names = sorted(before.keys() | after.keys())
    return [f"sink {name}" for name in names if before.get(name) != after.get(name)]
