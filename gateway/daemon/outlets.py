"""From the configuration's sinks and dead-letter targets to the routes of the outbox."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from gateway.aws.client import Aws
from gateway.config.load import Config
from gateway.engine.letters import dead_letter_sink
from gateway.engine.outbox import SinkRoute
from gateway.sinks.protocol import Outlet, Poster
from gateway.sinks.retry import RetrySettings

_DEAD_LETTER_SECONDS = 3 * 86_400.0
"""A dead letter that its target does not take for so long stays a letter here."""


def sink_routes(config: Config) -> list[SinkRoute]:
    """A route for each sink, and for the ``dead_letter`` of each trigger."""
    sinks = [
        SinkRoute(
            name=name,
            sink=settings.to,
            when=frozenset(settings.when),
            machines=None if settings.machines is None else frozenset(settings.machines),
            message=config.messages[name],
            retry=settings.retry,
            give_up_after_seconds=settings.give_up_after,
        )
        for name, settings in config.settings.sinks.items()
    ]
    dead_letters = [
        SinkRoute(
            name=dead_letter_sink(name),
            sink=settings.dead_letter,
            when=frozenset(),
            machines=None,
            message=None,
            retry=RetrySettings(),
            give_up_after_seconds=_DEAD_LETTER_SECONDS,
        )
        for name, settings in config.settings.triggers.items()
        if settings.dead_letter is not None
    ]
    return sinks + dead_letters


def outlet_maker(http: Poster, aws: Aws, now: Callable[[], int]) -> Callable[[str], Outlet]:
    """What each sink may use."""

    def outlet(sink: str) -> Outlet:
        return Outlet(http, aws, now, structlog.get_logger("sink").bind(sink=sink))

    return outlet
