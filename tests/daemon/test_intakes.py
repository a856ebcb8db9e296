"""What a source is given by the daemon."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gateway.config.load import load_config
from gateway.daemon.intakes import Intakes
from gateway.sources.webhook_routes import WebhookRoutes
from tests.triggers.world import NOW, PASS, world

CONFIG = {
    "machines": {"fast": {"definition": "fast.asl.json"}},
    "triggers": {
        "topic": {
            "source": {"type": "kafka", "brokers": ["b:1"], "topics": ["t"], "group": "g"},
            "start": "fast",
        },
        "queue": {"source": {"type": "sqs", "queue_url": "http://sqs/1/q"}, "start": "fast"},
        "few": {
            "source": {"type": "kafka", "brokers": ["b:1"], "topics": ["t"], "group": "h"},
            "start": "fast",
            "concurrency": 7,
        },
        "hook": {"source": {"type": "webhook", "path": "/in"}, "start": "fast"},
    },
}


@pytest.fixture
def config(tmp_path):
    """As it is loaded."""
    (tmp_path / "fast.asl.json").write_text(PASS)
    (tmp_path / "stategate.yaml").write_text(json.dumps(CONFIG))
    return load_config(tmp_path / "stategate.yaml", {})


def services_of(config, made):
    """The service of each trigger."""
    routes = WebhookRoutes()
    intakes = Intakes(made.engine, made.metrics, made.running, routes, None, lambda: NOW)
    return intakes.services(config)


def intake_of(service):
    """What its source is given."""
    return service.run.args[-1]


async def test_a_trigger_without_a_concurrency_has_that_of_its_source(config):
    """Kafka takes a whole batch at a time, other sources 64; what the file says goes before."""
    async with world() as made:
        services = services_of(config, made)
    given = {name: intake_of(service).concurrency for name, service in services.items()}
    assert given == {"topic": 500, "queue": 64, "few": 7, "hook": 64}


async def test_the_lag_of_a_source_that_has_ended_is_not_told_any_more(config):
    """A trigger that is taken out of the file leaves no number that nobody will ever correct."""
    async with world() as made:
        service = services_of(config, made)["hook"]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(service.run)
            await wait_all_tasks_blocked()
            intake_of(service).report("running", lag=5)
            assert made.metrics.source_lag == {"hook": 5}
            nursery.cancel_scope.cancel()
        assert made.metrics.source_lag == {}
