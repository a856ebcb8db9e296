"""The routes of the listener that all webhook sources share: which request belongs to whom.

A source registers its route for as long as it runs. For a while after that, requests to it are told
to come back: while a source is reloaded or restarted, senders must not hear that nothing is there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import unquote

import trio
from starlette.responses import Response

from gateway.sources.webhook_request import WebhookRequest

_DRAIN_SECONDS = 5.0
"""How long the end of a route waits for the requests that are in work."""
_RESTING_SECONDS = 60.0
"""How long a route that has ended answers 503 instead of 404."""

Handler: TypeAlias = Callable[[WebhookRequest, Mapping[str, str]], Awaitable[Response]]
"""Answers a request, given the parameters of its path. Raises Refusal, ClientGone."""


@dataclass(eq=False, slots=True)
class Route:
    """One path with its methods, and how many of its requests are in work."""

    methods: frozenset[str]
    segments: tuple[str, ...]
    handler: Handler
    rests_until: float | None = None
    """On trio's clock: when a route that has ended is forgotten; None while it is served."""
    _in_work: int = 0
    _idle: trio.Event = field(default_factory=trio.Event)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Around a request until its answer is written."""
        self._in_work += 1
        try:
            yield
        finally:
            self._in_work -= 1
            if not self._in_work:
                self._idle.set()

    async def drain(self) -> None:
        """Wait until no request is in work."""
        while self._in_work:
            self._idle = trio.Event()
            await self._idle.wait()

    def parameters(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The parameters of a path that fits, None for one that does not."""
        if len(segments) != len(self.segments):
            return None
        found: dict[str, str] = {}
        for pattern, segment in zip(self.segments, segments, strict=True):
            if pattern.startswith("{") and segment:
                found[pattern[1:-1]] = segment
            elif pattern != segment:
                return None
        return found

    @property
    def specificity(self) -> tuple[bool, ...]:
        """Sorts ``/hooks/github`` before ``/hooks/{tenant}``."""
        return tuple(segment.startswith("{") for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Found:
    """The route of a request."""

    route: Route
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NoPath:
    """No route has this path."""


@dataclass(frozen=True, slots=True)
class NoMethod:
    """Routes have this path, with other methods."""

    allowed: tuple[str, ...]


class WebhookRoutes:
    """The table of routes. The most specific one that fits a request takes it."""

    def __init__(self) -> None:
        self._routes: list[Route] = []

    @asynccontextmanager
    async def registered(
        self, methods: Sequence[str], path: str, handler: Handler
    ) -> AsyncIterator[Route]:
        """Serve a route inside the block; its end waits a few seconds for the requests in work."""
        route = Route(frozenset(methods), _split(path), handler)
        self._replace_resting(route)
        try:
            yield route
        finally:
            route.rests_until = trio.current_time() + _RESTING_SECONDS
            with trio.move_on_after(_DRAIN_SECONDS, shield=True):
                await route.drain()

    def find(self, method: str, raw_path: str) -> Found | NoPath | NoMethod:
        """Whose request it is; ``raw_path`` is percent-encoded, as it was sent."""
        segments = _split(raw_path)
        fitting = [
            Found(route, parameters)
            for route in self._remembered()
            if (parameters := route.parameters(segments)) is not None
        ]
        if not fitting:
            return NoPath()
        for found in fitting:
            if method in found.route.methods:
                return found
        return NoMethod(tuple(sorted({name for one in fitting for name in one.route.methods})))

    def _replace_resting(self, route: Route) -> None:
        """The newest comes first among equals: after a reload it takes over."""
        kept = [
            other
            for other in self._remembered()
            if other.rests_until is None or other.segments != route.segments
        ]
        self._routes = sorted([route, *kept], key=lambda one: one.specificity)

    def _remembered(self) -> list[Route]:
        now = trio.current_time()
        self._routes = [
            route for route in self._routes if route.rests_until is None or now < route.rests_until
        ]
        return self._routes


def _split(path: str) -> tuple[str, ...]:
    """Segments, decoded one by one, so that an encoded slash stays inside its segment."""
    return tuple(unquote(segment) for segment in path.split("/"))
