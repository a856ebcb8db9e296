"""What a source is given by the daemon."""

from __future__ import annotations

import json

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
    },
}


async def test_a_trigger_without_a_concurrency_has_that_of_its_source(tmp_path):
    """Kafka takes a whole batch at a time, other sources 64; what the file says goes before."""
    (tmp_path / "fast.asl.json").write_text(PASS)
    (tmp_path / "stategate.yaml").write_text(json.dumps(CONFIG))
    config = load_config(tmp_path / "stategate.yaml", {})
    async with world() as made:
        intakes = Intakes(
            made.engine, made.metrics, made.running, WebhookRoutes(), None, lambda: NOW
        )
        services = intakes.services(config)
    given = {name: service.run.args[0].concurrency for name, service in services.items()}
    assert given == {"topic": 500, "queue": 64, "few": 7}
