"""Each post of each sink fails once, in every way: nothing is lost, and the order stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from outlet_rig import NOW, make_outlet

from gateway.daemon.tools import open_tools
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox, SinkRoute
from gateway.sinks import sns, sqs
from gateway.sinks.post import open_post_client
from gateway.sinks.protocol import Sink
from gateway.sinks.retry import RetrySettings
from gateway.sinks.sns import SnsSink
from gateway.sinks.sqs import SqsSink
from gateway.sinks.webhook import WebhookSink
from gateway.store.rows import ExecutionRow
from gateway.store.sqlite import open_sqlite
from tests.kills.far_sides import TOPIC, Told
from tests.stand_ins.server import Fault, Refusal, StandIn
from tests.stand_ins.sns import Sns
from tests.stand_ins.sqs import SqsStandIn
from tests.stand_ins.webhooks import Webhooks

pytestmark = pytest.mark.slow

STATUSES = ["RUNNING", "SUCCEEDED"]
NAMES = ["order-1"]
POSTS = len(STATUSES) * len(NAMES)
REFUSALS = {
    "webhook": [Refusal("no", 500), Refusal("slow down", 429), Refusal("moved", 302)],
    "sns": [Refusal("Throttled", 429), Refusal("InternalError", 500)],
    "sqs": [Refusal("RequestThrottled"), Refusal("ServiceUnavailable", 503)],
}
CASES = [
    (kind, fault)
    for kind, refusals in REFUSALS.items()
    for fault in (*Fault, *refusals)
    # To the sender of a webhook, any page with a status of 200 says that it was taken.
    if (kind, fault) != ("webhook", Fault.GARBAGE)
]
ARN = "arn:aws:states:us-east-1:123456789012"


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch):
    """Credentials, and a hanging call that is given up soon."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(sqs, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(sns, "ANSWER_SECONDS", 1.0)


def far_side(kind: str, told: Told) -> tuple[StandIn, Callable[[], Sink]]:
    """Who is posted to, and once that listens, the sink that posts to it."""
    match kind:
        case "webhook":
            hook = StandIn(Webhooks(lambda identity, body: told.hear(kind, body, identity)))
            return hook, lambda: WebhookSink.model_validate(
                {"type": kind, "url": hook.url, "allow_private": True, "timeout": "500ms"}
            )
        case "sns":
            topic = StandIn(Sns(lambda _, body: told.hear(kind, body)))
            return topic, lambda: SnsSink(type="sns", topic_arn=TOPIC, endpoint_url=topic.url)
        case _:
            queue = SqsStandIn(heard=lambda _, body: told.hear(kind, body))
            return queue, lambda: SqsSink(
                type="sqs", queue_url=queue.queue_url("ended"), endpoint_url=queue.url
            )


def executions(status: str) -> list[ExecutionRow]:
    """All of them in this status."""
    machine, stop_at = f"{ARN}:stateMachine:fulfil", None if status == "RUNNING" else NOW
    return [
        ExecutionRow(number, f"{ARN}:execution:fulfil:{name}", machine, name, 1, NOW, "{}")
        ._replace(status=status, stop_at=stop_at)
        for number, name in enumerate(NAMES, 1)
    ]  # fmt: skip


async def play(kind: str, number: int, fault: Fault | Refusal, place: Path) -> None:
    """All is told in order, although that post fails so."""
    told = Told()
    stand_in, sink = far_side(kind, told)
    failed: list[int] = []

    def plan(_operation: str, count: int) -> Fault | Refusal | None:
        if count != number:
            return None
        failed.append(count)
        return fault

    stand_in.plan = plan
    retry = RetrySettings.model_validate({"first": "10ms", "max": "50ms"})
    async with (
        open_post_client() as http,
        open_tools("us-east-1") as tools,
        open_sqlite(str(place / f"{number}.db")) as store,
        trio.open_nursery() as nursery,
    ):
        with stand_in:
            route = SinkRoute(kind, sink(), frozenset(STATUSES), None, None, retry, 60.0)
            began = trio.current_time()
            clock = lambda: NOW + round((trio.current_time() - began) * 1000)  # noqa: E731
            outbox = Outbox(store, lambda _: make_outlet(http, tools.aws), clock, Metrics())
            outbox.configure([route])
            nursery.start_soon(outbox.run)
            for row in (row for status in STATUSES for row in executions(status)):
                unit = outbox.inserts(row, "fulfil")
                await store.commit(unit)
                outbox.committed(unit)
            with trio.fail_after(60):
                while (await store.stats()).notifications:  # noqa: ASYNC110 - a row tells nobody
                    await trio.sleep(0.02)
            nursery.cancel_scope.cancel()
    assert failed == [number]
    heard = told.arrivals[kind]
    assert sorted(heard) == NAMES
    for arrivals in heard.values():
        assert list(dict.fromkeys(status for _, status in arrivals)) == STATUSES
        assert len(set(arrivals)) == len(STATUSES), "the same id however often it is told"


@pytest.mark.parametrize(
    ("kind", "fault"), CASES, ids=lambda each: getattr(each, "name", None) or str(each)
)
async def test_any_one_post_fails(kind, fault, tmp_path):
    """The n-th post, for every n: it is made again until it is accepted, under the same id, and the
    end of an execution is never told before its start."""
    async with trio.open_nursery() as nursery:
        for number in range(1, POSTS + 1):
            nursery.start_soon(play, kind, number, fault, tmp_path)
