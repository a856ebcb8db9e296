"""From the configuration's workers to services."""

from __future__ import annotations

from collections.abc import Callable

import structlog
import trio

from gateway.config.load import Config
from gateway.daemon.services import Service
from gateway.engine.catalog import Catalog
from gateway.workers.environment import Post
from gateway.workers.group import WorkerGroup


def worker_services(
    config: Config, catalog: Catalog, endpoint_url: str, hurry: trio.Event, now: Callable[[], int]
) -> dict[str, Service]:
    """A service for each entry of ``workers:``; ``hurry`` ends their grace."""
    services = {}
    for name, settings in config.settings.workers.items():
        arn = catalog.activity_arn(settings.activity)
        post = Post(arn, endpoint_url, config.settings.region)
        log = structlog.get_logger("worker")
        group = WorkerGroup(name, settings, post, hurry=hurry, now=now, log=log)
        services[name] = Service(settings, group.run, group.status)
    return services


def local_url(url: str) -> str:
    """The API's URL as a worker on this machine reaches it."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
