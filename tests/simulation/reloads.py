"""A reload in the middle: all of the file is in force then, or nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.engine.letters import dead_letter_sink
from gateway.errors import ApiError
from gateway.store.failures import StoreFull
from tests.simulation.people import Down

if TYPE_CHECKING:
    from tests.simulation.life import Life
    from tests.simulation.world import World


async def reload(world: World, life: Life) -> None:
    """By signal or by the API; what the daemon goes by afterwards is looked at."""
    async with world.reloading:
        await life.running.wait()
        before = _picture(life)
        by_signal = world.dice.random() < 0.5
        how = life.reload if by_signal else life.reloader.reload
        refused = hung_up = False
        try:
            await world.line.ask(lambda _: how(), 3600.0)
        except Down:
            hung_up = True
        except (ApiError, StoreFull):
            refused = True
        if life.ended.is_set() or life.connection.dead is not None:
            return
        # Also while it drains, and after a refusal: what the daemon goes by is in force.
        world.file.took(life.state.config)
        if hung_up or life.state.stage != "running":
            return
        last = life.state.last_reload or {}
        refused = refused or "problems" in last
        world.trace.say("person", "has reloaded", "in vain" if refused else "", last)
        world.trace.seen("reload: refused" if refused else "reload: taken")
        after = _picture(life)
        if refused:
            other = {what for what, was in before.items() if after[what] != was}
            assert not other, (f"a refused reload changed the {other}", last)
        else:
            _is_in_force(world, life, before, after)


def _picture(life: Life) -> dict[str, Any]:
    """What the daemon goes by."""
    core, edge = life.core, life.edge
    return {
        "config": life.state.config,
        "revisions": {
            row.name: core.catalog.current(row.arn)
            for row in core.catalog.machines()
            # Others are made by callers at any moment.
            if row.managed is not None
        },
        "sinks": dict(core.outbox._routes),
        "sources": _settings(edge.sources),
        "workers": _settings(edge.workers),
        "hooks": edge.hooks.url,
    }


def _settings(services: Any) -> dict[str, Any]:
    return {name: running.service.settings for name, running in services._running.items()}


def _is_in_force(world: World, life: Life, before: dict[str, Any], after: dict[str, Any]) -> None:
    config = life.state.config
    settings = config.settings
    files = {name: after["revisions"].get(name) for name in config.definitions}
    definitions = {name: row and row.definition for name, row in files.items()}
    assert definitions == config.definitions, "the machines are not those of the file"
    sinks = {*settings.sinks} | {dead_letter_sink(n) for n in settings.triggers if n == "topic"}
    assert set(after["sinks"]) == sinks, "the sinks are not those of the file"
    assert after["sources"] == settings.triggers, "the sources are not those of the file"
    assert after["workers"] == settings.workers, "the workers are not those of the file"
    for what in ("sinks", "sources", "workers", "revisions"):
        if before[what] != after[what]:
            world.trace.seen(f"reload: other {what}")
    running = [row for row in world.disk.tables().executions.values() if row.status == "RUNNING"]
    current = {row.id for row in after["revisions"].values()}
    if any(row.revision not in current for row in running):
        world.trace.seen("reload: an execution goes on with its old definition")
