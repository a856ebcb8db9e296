"""Each call of an SQS source fails once, in every way: nothing is lost, it goes on by itself."""

from __future__ import annotations

import pytest
import trio
from intake_rig import FakeTrigger

from gateway.daemon.tools import open_tools
from gateway.sources import sqs_queue
from gateway.sources.sqs import SqsSource
from tests.stand_ins.server import Fault, PartOf, Refusal
from tests.stand_ins.sqs import SqsStandIn

pytestmark = pytest.mark.slow

MESSAGES = 25
CALLS = {"GetQueueAttributes": 1, "ReceiveMessage": 3, "DeleteMessageBatch": 3}
"""What the scenario asks for, at least."""
FAULTS = [
    *Fault,
    Refusal("RequestThrottled"),
    Refusal("AccessDenied", 403),
    Refusal("ServiceUnavailable", 503),
]
SAID = {Fault.HALF: {"ReceiveMessage", "GetQueueAttributes"}, Fault.DOUBLED: set()}
"""Operations whose failure the status tells; not named: those that are not DeleteMessageBatch."""


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch):
    """Credentials, and a hanging call that is given up soon."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(sqs_queue, "_READ_SLACK_SECONDS", 1)


async def play(operation: str, number: int, fault: Fault | Refusal | PartOf) -> None:
    """All messages start and are deleted, although that call of the operation fails so."""
    trigger = FakeTrigger()
    with SqsStandIn(visibility_seconds=2) as stand_in:
        stand_in.fill("orders", map(str, range(MESSAGES)))
        stand_in.plan = lambda asked, count: (
            fault if (asked, count) == (operation, number) else None
        )
        source = SqsSource(
            type="sqs",
            queue_url=stand_in.queue_url("orders"),
            endpoint_url=stand_in.url,
            wait_seconds=1,
        )
        async with open_tools("us-east-1") as tools, trio.open_nursery() as nursery:
            nursery.start_soon(source.run, trigger.intake(concurrency=10, aws=tools.aws))
            queue = stand_in.queue("orders")
            await trigger.until(lambda: queue.counts() == (0, 0), 60)
            await trigger.until(lambda: stand_in.calls[operation] > number - 1, 60)
            await trigger.until(lambda: trigger.states[-1] == "running", 60)
            nursery.cancel_scope.cancel()
    assert sorted(message.body for message in trigger.started) == list(range(MESSAGES))
    told = SAID.get(fault, {"ReceiveMessage", "GetQueueAttributes"})
    if operation in told:
        assert "backing-off" in trigger.states, (operation, number)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: getattr(fault, "name", fault))
async def test_any_one_call_fails(fault):
    """The n-th call of each operation, for every n; the status says so meanwhile."""
    async with trio.open_nursery() as nursery:
        for operation, calls in CALLS.items():
            for number in range(1, calls + 1):
                nursery.start_soon(play, operation, number, fault)


@pytest.mark.parametrize("part", [PartOf("InternalError"), PartOf("ReceiptHandleIsInvalid", True)])
async def test_a_part_of_a_deletion_fails(part):
    """The n-th deletion leaves one message of its batch, by SQS's fault or by ours: it is deleted
    in the end, at once or when it has come again, and started once."""
    async with trio.open_nursery() as nursery:
        for number in range(1, CALLS["DeleteMessageBatch"] + 1):
            nursery.start_soon(play, "DeleteMessageBatch", number, part)


async def extend(number: int, fault: Fault | Refusal | PartOf) -> None:
    """All messages start once, although that extension fails so."""
    trigger = FakeTrigger()
    trigger.gate = trio.Event()
    operation = "ChangeMessageVisibilityBatch"
    with SqsStandIn(visibility_seconds=2) as stand_in:
        stand_in.fill("orders", map(str, range(3)))
        stand_in.plan = lambda asked, count: (
            fault if (asked, count) == (operation, number) else None
        )
        source = SqsSource(
            type="sqs",
            queue_url=stand_in.queue_url("orders"),
            endpoint_url=stand_in.url,
            wait_seconds=1,
        )
        async with open_tools("us-east-1") as tools, trio.open_nursery() as nursery:
            nursery.start_soon(source.run, trigger.intake(concurrency=10, aws=tools.aws))
            await trigger.until(lambda: stand_in.calls[operation] > number, 60)
            trigger.gate.set()
            queue = stand_in.queue("orders")
            await trigger.until(lambda: queue.counts() == (0, 0), 60)
            nursery.cancel_scope.cancel()
    assert sorted(message.body for message in trigger.started) == [0, 1, 2], (number, fault)


@pytest.mark.parametrize("number", [1, 2])
async def test_any_one_extension_fails(number):
    """The n-th extension of the visibility of what is in work, in every way: the work goes on and
    is done once, also where the messages have come a second time meanwhile."""
    async with trio.open_nursery() as nursery:
        for fault in (*FAULTS, PartOf("InternalError")):
            nursery.start_soon(extend, number, fault)


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.RESET, Refusal("RequestThrottled")])
async def test_a_call_that_always_fails_is_no_hot_loop(fault):
    """Each receive call that fails is followed by a pause that the status tells of."""
    trigger = FakeTrigger()
    with SqsStandIn() as stand_in:
        stand_in.fill("orders", ["1"])
        stand_in.plan = lambda asked, _: fault if asked == "ReceiveMessage" else None
        source = SqsSource(
            type="sqs", queue_url=stand_in.queue_url("orders"), endpoint_url=stand_in.url
        )
        async with open_tools("us-east-1") as tools, trio.open_nursery() as nursery:
            nursery.start_soon(source.run, trigger.intake(aws=tools.aws))
            pauses = lambda: [s for s, _ in trigger.reports].count("backing-off")  # noqa: E731
            await trigger.until(lambda: pauses() == 3, 30)
            assert stand_in.calls["ReceiveMessage"] == 3
            stand_in.plan = lambda *_: None
            await trigger.until(lambda: len(trigger.started) == 1, 30)
            nursery.cancel_scope.cancel()


async def test_ten_messages_of_the_greatest_length_are_received():
    """A MiB each, every character of them escaped where the answer has it."""
    trigger, length = FakeTrigger(), 1024 * 1024
    with SqsStandIn() as stand_in:
        stand_in.fill("orders", ['"' * length] * 10)
        source = SqsSource(
            type="sqs",
            queue_url=stand_in.queue_url("orders"),
            endpoint_url=stand_in.url,
            wait_seconds=1,
        )
        async with open_tools("us-east-1") as tools, trio.open_nursery() as nursery:
            nursery.start_soon(source.run, trigger.intake(concurrency=10, aws=tools.aws))
            await trigger.until(lambda: stand_in.queue("orders").counts() == (0, 0), 30)
            nursery.cancel_scope.cancel()
    assert [len(message.body) for message in trigger.started] == [length] * 10
