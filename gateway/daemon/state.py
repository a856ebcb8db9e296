"""What the daemon knows of itself: for /healthz, for systemd, for whoever reloads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal, TypeAlias

from gateway.api.health import Health
from gateway.config.load import Config
from gateway.daemon.services import Services
from gateway.daemon.system import Core, Edge

Stage: TypeAlias = Literal["starting", "running", "stopping"]


@dataclass(frozen=True, slots=True)
class Parts:
    """What runs once the daemon is ready."""

    core: Core
    edge: Edge
    pumps: Services
    api_url: str


@dataclass(slots=True)
class State:
    """One for the daemon's whole life."""

    config: Config
    now: Callable[[], int]
    stage: Stage = "starting"
    parts: Parts | None = None
    """None until the API is served."""
    last_reload: dict[str, Any] | None = None
    """When it was (``at``, ms since the epoch) and, where it was refused, its ``problems``."""
    disk_full: bool = False
    """Whether the last commit found no room on the disk."""
    disk_stalled: bool = False
    """Whether the disk has not answered for a while."""
    started_at: int = field(init=False)

    def __post_init__(self) -> None:
        self.started_at = self.now()

    async def health(self) -> Health:
        """Ready while the stage is ``running`` and the disk answers, with everything that runs."""
        details = {
            "stage": self.stage,
            "version": version("stategate"),
            "started_at": self.started_at,
            "config": str(self.config.path),
            "database": str(self.config.settings.store.path.absolute()),
            "disk_full": self.disk_full,
            "disk_stalled": self.disk_stalled,
            **({"reload": self.last_reload} if self.last_reload else {}),
            **(await _parts(self.parts, self.disk_stalled) if self.parts else {}),
        }
        return Health(self.stage == "running" and not self.disk_stalled, details)

    def summary(self) -> str:
        """One line: ``2 sources, 1 sink, 0 workers, 3 functions; API at http://127.0.0.1:8083``."""
        settings = self.config.settings
        counts = ", ".join(
            f"{len(entries)} {word}{'' if len(entries) == 1 else 's'}"
            for word, entries in (
                ("source", settings.triggers),
                ("sink", settings.sinks),
                ("worker", settings.workers),
                ("function", settings.functions),
            )
        )
        return f"{counts}; API at {self.parts.api_url}" if self.parts else counts


async def _parts(parts: Parts, disk_stalled: bool) -> dict[str, Any]:
    # A question to a disk that does not answer would have no answer either.
    sinks = {} if disk_stalled else {"sinks": await parts.core.outbox.status()}
    return {
        "api": parts.api_url,
        "webhooks": parts.edge.hooks.url,
        "sources": parts.edge.sources.status(),
        **sinks,
        "workers": parts.edge.workers.status(),
        "pumps": parts.pumps.status(),
    }
