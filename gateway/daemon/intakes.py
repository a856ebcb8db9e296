"""From the configuration's triggers to services: each is its source, feeding its trigger."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from gateway.aws.client import Aws
from gateway.config.load import Config
from gateway.config.settings import TriggerSettings
from gateway.daemon.services import Service
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.errors import ApiError, Unavailable
from gateway.sources.protocol import Intake
from gateway.sources.webhook_routes import WebhookRoutes
from gateway.store.changes import MovePosition
from gateway.store.failures import StoreFull
from gateway.store.rows import LetterRow, PositionRow
from gateway.triggers.running import Running
from gateway.triggers.trigger import Trigger


class Report:
    """What a source last said of itself (``Intake.report``)."""

    def __init__(self, trigger: str, kind: str, metrics: Metrics) -> None:
        self._trigger = trigger
        self._metrics = metrics
        self._said: dict[str, Any] = {"type": kind, "state": "starting"}

    def __call__(self, state: str, **details: Any) -> None:
        """Takes the place of what was said before."""
        known = {name: value for name, value in details.items() if value is not None}
        self._said = {"type": self._said["type"], "state": state, **known}
        if "lag" in known:
            self._metrics.lag(self._trigger, known["lag"])

    def status(self) -> dict[str, Any]:
        """For /healthz."""
        return dict(self._said)


class Intakes:
    """Makes the services, and finds the trigger that a letter came from."""

    def __init__(
        self,
        engine: Engine,
        metrics: Metrics,
        running: Running,
        webhooks: WebhookRoutes,
        aws: Aws,
        now: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._running = running
        self._webhooks = webhooks
        self._aws = aws
        self._now = now
        self._triggers: dict[str, Trigger] = {}

    def services(self, config: Config) -> dict[str, Service]:
        """A service for each trigger; letters are from now on retried through these triggers."""
        triggers = config.settings.triggers
        self._triggers = {name: self._trigger(config, name) for name in triggers}
        return {
            name: self._service(settings, self._triggers[name])
            for name, settings in triggers.items()
        }

    async def redeliver(self, letter: LetterRow) -> None:
        """Take a letter's message through its trigger again; for ``Letters``."""
        trigger = self._triggers.get(letter.origin)
        if trigger is None:
            raise ApiError(
                "TriggerDoesNotExist",
                f"The trigger {letter.origin!r} of this letter is not configured: "
                "add it and reload, or drop the letter.",
            )
        await trigger.redeliver(letter)

    async def _rewind(self, row: PositionRow) -> None:
        try:
            await self._engine.store.commit([MovePosition(row, force=True)])
        except StoreFull as full:
            raise Unavailable(str(full)) from full

    def _trigger(self, config: Config, name: str) -> Trigger:
        settings = config.settings.triggers[name]
        return Trigger(
            config.mappings[name],
            settings.start,
            engine=self._engine,
            metrics=self._metrics,
            running=self._running,
            max_running=settings.max_running,
            dead_letter=settings.dead_letter is not None,
        )

    def _service(self, settings: TriggerSettings, trigger: Trigger) -> Service:
        report = Report(trigger.name, settings.source.type, self._metrics)
        intake = Intake(
            trigger=trigger.name,
            deliver=trigger.deliver,
            concurrency=settings.concurrency or settings.source.usual_concurrency,
            room=trigger.room,
            full=trigger.full,
            positions=self._engine.store.positions,
            rewind=self._rewind,
            report=report,
            aws=self._aws,
            now=self._now,
            log=structlog.get_logger("source").bind(source=trigger.name),
            webhooks=self._webhooks,
        )
        # A path may have two routes for a while: the newer one takes the requests. So a sender, who
        # may ask no second time, does not wait for a queue or a consumer group to be left.
        overlaps = settings.source.type == "webhook"
        return Service(settings, partial(self._run, settings, intake), report.status, overlaps)

    async def _run(self, settings: TriggerSettings, intake: Intake) -> None:
        try:
            await settings.source.run(intake)
        finally:
            # A trigger that has been removed would have its last lag for ever.
            self._metrics.lag(intake.trigger, None)
