"""Outbox, SQLite and webhook sink together, against a receiver that has its bad moments."""

import json
from random import Random

import pytest
import trio
from outlet_rig import make_outlet
from receiver import Reply, open_receiver

from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox, SinkRoute
from gateway.sinks.post import open_post_client
from gateway.sinks.retry import RetrySettings
from gateway.sinks.webhook import WebhookSink
from gateway.store.rows import ExecutionRow
from gateway.store.sqlite import open_sqlite

pytestmark = pytest.mark.slow
NOW = 1_700_000_000_000
ARN = "arn:aws:states:us-east-1:123456789012:{}:fulfil"


def execution(number: int, status: str) -> ExecutionRow:
    """An execution with this status."""
    return ExecutionRow(
        id=number,
        arn=f"{ARN.format('execution')}:order-{number}",
        machine_arn=ARN.format("stateMachine"),
        name=f"order-{number}",
        revision=1,
        start_at=NOW,
        input="{}",
        status=status,
        stop_at=None if status == "RUNNING" else NOW,
    )


async def test_every_status_arrives_in_order_whatever_the_receiver_answers(tmp_path):
    """500s, 429 with Retry-After, redirects and hangs delay, and lose nothing."""
    bad = [
        Reply(500),
        Reply(302, (("Location", "/"),)),
        Reply(429, (("Retry-After", "0"),)),
        Reply(503),
        Reply(hang=True),
        Reply(404),
    ]
    async with (
        open_receiver() as receiver,
        open_post_client() as http,
        open_sqlite(str(tmp_path / "s.db")) as store,
        trio.open_nursery() as nursery,
    ):
        receiver.replies.extend(Random(1).sample([*bad, *bad, *[Reply(204)] * 30], 42))
        sink = WebhookSink.model_validate(
            {"type": "webhook", "url": receiver.url, "allow_private": True, "timeout": "100ms"}
        )
        route = SinkRoute(
            "ops",
            sink,
            frozenset({"RUNNING", "SUCCEEDED"}),
            None,
            None,
            RetrySettings.model_validate({"first": "10ms", "max": "50ms"}),
            60.0,
        )
        start = trio.current_time()
        outbox = Outbox(
            store,
            lambda name: make_outlet(http, None),
            lambda: NOW + round((trio.current_time() - start) * 1000),
            Metrics(),
        )
        outbox.configure([route])
        nursery.start_soon(outbox.run)
        for status in ("RUNNING", "SUCCEEDED"):
            for number in range(1, 21):
                unit = outbox.inserts(execution(number, status), "fulfil")
                await store.commit(unit)
                outbox.committed(unit)
        with trio.fail_after(30):
            while (await store.stats()).notifications:  # noqa: ASYNC110 - a row tells nobody
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    told: dict[str, list[str]] = {}
    for request in receiver.requests:
        event = json.loads(request.body)
        assert request.headers["webhook-id"] == event["id"]
        told.setdefault(event["detail"]["name"], []).append(event["detail"]["status"])
    assert len(told) == 20
    assert all(set(statuses) == {"RUNNING", "SUCCEEDED"} for statuses in told.values())
    assert all(statuses == sorted(statuses) for statuses in told.values())
