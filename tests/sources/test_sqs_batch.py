"""A batch of SQS messages where SQS fails at the edges: deletions, extensions, back-off."""

from __future__ import annotations

import pytest
import trio
from intake_rig import FakeTrigger

from gateway.errors import Unavailable
from gateway.sources.sqs import SqsSource
from gateway.sources.sqs_batch import Batch
from gateway.sources.sqs_flow import Slots, open_graceful_nursery
from gateway.sources.sqs_health import QueueHealth
from gateway.sources.sqs_queue import SqsQueue

SOURCE = SqsSource(type="sqs", queue_url="http://127.0.0.1:1/1/orders")


class FakeSqs:
    """The calls of a queue whose answers are scripted; what is asked of it is kept."""

    def __init__(self, failures: list[dict | Exception]) -> None:
        self.failures = failures
        self.deleted: list[list[str]] = []
        self.extended: list[list[str]] = []

    async def call(self, operation, _seconds, *, Entries):
        """A deletion fails as the script says, then succeeds. What was extended is by the queue's
        own timeout, and fails at first."""
        await trio.lowlevel.checkpoint()
        receipts = [entry["ReceiptHandle"] for entry in Entries]
        if operation == "DeleteMessageBatch":
            self.deleted.append(receipts)
            failure = self.failures.pop(0) if self.failures else {}
        else:
            assert {entry["VisibilityTimeout"] for entry in Entries} == {30}
            self.extended.append(receipts)
            failure = Unavailable("away") if len(self.extended) == 1 else {}
        if isinstance(failure, Exception):
            raise failure
        return failure


def batch_of(bodies: str, trigger: FakeTrigger, sqs: FakeSqs) -> Batch:
    """A batch of messages, one for each letter."""
    intake = trigger.intake()
    queue = SqsQueue(SOURCE, intake)
    queue._sqs = sqs
    records = [
        {"MessageId": body, "ReceiptHandle": f"r-{body}", "Body": f'"{body}"'} for body in bodies
    ]
    return Batch(records, queue, intake, QueueHealth(intake, "orders"))


async def test_a_deletion_that_failed_in_part_is_repeated(autojump_clock) -> None:
    """Only what SQS failed to delete is asked again; what the receipt spoilt is not."""
    trigger = FakeTrigger()
    sqs = FakeSqs(
        [
            {"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]},
            {"Failed": [{"Id": "0", "SenderFault": True, "Code": "ReceiptHandleIsInvalid"}]},
        ]
    )
    await batch_of("ab", trigger, sqs).work()
    assert sqs.deleted == [["r-a", "r-b"], ["r-a"]]


async def test_a_deletion_while_sqs_is_away_is_repeated(autojump_clock) -> None:
    """A call that fails as a whole is made again, a few times."""
    sqs = FakeSqs([Unavailable("away"), Unavailable("away")])
    await batch_of("ab", FakeTrigger(), sqs).work()
    assert sqs.deleted == [["r-a", "r-b"]] * 3


async def test_a_deletion_that_never_succeeds_is_given_up(autojump_clock) -> None:
    """The messages will come again as duplicates: the batch ends, it does not hang."""
    sqs = FakeSqs([Unavailable("away")] * 9)
    await batch_of("a", FakeTrigger(), sqs).work()
    assert len(sqs.deleted) == 4


async def test_what_cannot_be_taken_now_is_kept_and_tried_again(autojump_clock) -> None:
    """A disk that is full for minutes: the messages stay hidden, so that none of it counts as a
    receipt, with which the queue would park them."""
    trigger, sqs = FakeTrigger(), FakeSqs([])
    full_until = trio.current_time() + 150
    trigger.decide = lambda _: (
        Unavailable("the disk is full", 5) if trio.current_time() < full_until else None
    )
    await batch_of("ab", trigger, sqs).work()
    assert [message.body for message in trigger.started] == ["a", "b"]
    assert len(sqs.extended) >= 150 / 15
    assert sqs.deleted == [["r-a", "r-b"]]
    assert 3 < len(trigger.batches) < 40
    assert trigger.states[-1] == "running"


async def test_messages_in_work_are_extended_at_half_time(autojump_clock) -> None:
    """Every 15 of 30 seconds, for as long as the work lasts, also after one has failed."""
    trigger, sqs = FakeTrigger(), FakeSqs([])
    trigger.gate = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(batch_of("ab", trigger, sqs).work)
        await trio.sleep(50)
        trigger.gate.set()
    assert sqs.extended == [["r-a", "r-b"]] * 3
    assert sqs.deleted == [["r-a", "r-b"]]


async def test_the_back_off_grows_and_ends(autojump_clock) -> None:
    """Failures in a row double the time away up to a limit; one success ends it."""
    trigger = FakeTrigger()
    health = QueueHealth(trigger.intake(), "orders")
    waits = []
    for _ in range(9):
        health.failed("away")
        health.failed("the same trouble, seen by another call")
        before = trio.current_time()
        await health.recovered()
        waits.append(trio.current_time() - before)
    expected = [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert waits == [pytest.approx(seconds, rel=0.21) for seconds in expected]
    health.succeeded()
    assert trigger.reports[-1][0] == "running"
    health.failed("away", retry_after=20)
    assert trigger.reports[-1][1]["retry_in_seconds"] >= 16


async def test_slots_are_taken_up_to_what_is_free() -> None:
    """Somebody who finds none waits for the first to be given back."""
    slots = Slots(3)
    assert await slots.take(2) == 2
    assert await slots.take(10) == 1
    async with trio.open_nursery() as nursery:
        nursery.start_soon(slots.take, 1)
        await trio.testing.wait_all_tasks_blocked()
        slots.give(1)


async def test_a_graceful_nursery_ends_what_takes_too_long(autojump_clock) -> None:
    """After a cancellation its tasks have so many seconds, and not more."""
    ended: list[float] = []

    async def work(seconds: float) -> None:
        await trio.sleep(seconds)
        ended.append(seconds)

    with trio.move_on_after(1):
        async with open_graceful_nursery(5) as nursery:
            for seconds in (3, 5, 60):
                nursery.start_soon(work, seconds)
            await trio.sleep_forever()
    assert ended == [3, 5]
    assert trio.current_time() == pytest.approx(6, abs=0.01)
