"""The SQS source against a real endpoint: what is started, what is deleted, what is left."""

from __future__ import annotations

import pytest
import trio
from intake_rig import FakeTrigger
from sqs_rig import Queue, source_on, sqs_endpoint

from gateway.errors import Unavailable
from gateway.sources.protocol import Filtered, Refused


@pytest.fixture(scope="module")
def endpoint():
    """An SQS endpoint for all tests of this file."""
    with sqs_endpoint() as url:
        yield url


@pytest.fixture(autouse=True)
def _aws_environment(monkeypatch):
    """Credentials, and nothing else of the machine's AWS configuration."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/dev/null")


@pytest.fixture
def make_queue(endpoint):
    """Makes queues whose clients are closed in the end."""
    made: list[Queue] = []

    def make(**settings) -> Queue:
        made.append(Queue(endpoint, **settings))
        return made[-1]

    yield make
    for queue in made:
        queue.close()


async def test_messages_are_started_and_then_deleted(make_queue) -> None:
    """Each becomes one start, and the queue is empty afterwards."""
    queue, trigger = make_queue(), FakeTrigger()
    queue.send(*range(25))
    async with source_on(queue, trigger):
        await trigger.until(lambda: len(trigger.started) == 25)
        await queue.until(0, 0)
    assert sorted(message.body for message in trigger.started) == list(range(25))
    assert trigger.states == ["starting", "running"]


async def test_a_message_has_its_members(make_queue) -> None:
    """Attributes as SQS names them, message attributes as Lambda does; the body is parsed."""
    queue, trigger = make_queue(), FakeTrigger()
    sent = queue.client.send_message(
        QueueUrl=queue.url,
        MessageBody="no JSON",
        MessageAttributes={
            "kind": {"DataType": "String", "StringValue": "order"},
            "blob": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            "traceparent": {"DataType": "String", "StringValue": "00-1-2-03"},
        },
    )
    async with source_on(queue, trigger):
        await trigger.until(lambda: len(trigger.started) == 1)
    [message] = trigger.started
    assert message.id == message.default_name == sent["MessageId"]
    assert message.coordinates == f"queue {queue.name}, message {sent['MessageId']}"
    assert message.body == "no JSON"
    assert message.members["attributes"]["ApproximateReceiveCount"] == "1"
    assert message.members["message_attributes"]["kind"] == {
        "dataType": "String",
        "stringValue": "order",
    }
    assert message.members["message_attributes"]["blob"]["binaryValue"] == "AP8="
    assert message.trace == "00-1-2-03"


async def test_nothing_is_deleted_before_it_is_on_disk(make_queue) -> None:
    """While deliver has not returned, the message is still the queue's."""
    queue, trigger = make_queue(), FakeTrigger()
    trigger.gate = trio.Event()
    queue.send(1)
    async with source_on(queue, trigger):
        await trigger.until(lambda: trigger.in_work == 1)
        assert queue.counts() == (0, 1)
        trigger.gate.set()
        await queue.until(0, 0)


async def test_filtered_and_parked_messages_are_deleted(make_queue) -> None:
    """A rejected one and one that a letter keeps are acknowledged, like a duplicate."""
    queue, trigger = make_queue(), FakeTrigger()
    outcomes = {1: Filtered(), 2: Refused("no", "letter-1"), 3: None}
    trigger.decide = lambda message: outcomes[message.body]
    queue.send(1, 2, 3)
    async with source_on(queue, trigger):
        await trigger.until(lambda: sum(map(len, trigger.batches)) == 3)
        await queue.until(0, 0)
    assert not any(trigger.redrives)


@pytest.mark.slow
async def test_what_the_queue_redrives_is_left_to_it(make_queue) -> None:
    """With a redrive policy a refused message moves to its queue after so many receipts."""
    letters = make_queue()
    arn = letters.client.get_queue_attributes(QueueUrl=letters.url, AttributeNames=["QueueArn"])
    policy = f'{{"deadLetterTargetArn":"{arn["Attributes"]["QueueArn"]}","maxReceiveCount":"2"}}'
    queue, trigger = make_queue(VisibilityTimeout="1", RedrivePolicy=policy), FakeTrigger()
    trigger.decide = lambda message: Refused("no", None) if message.body == 1 else None
    queue.send(1, 2)
    async with source_on(queue, trigger):
        await letters.until(1, 0)
    assert all(trigger.redrives)
    assert [message.body for message in trigger.started] == [2]
    assert sum(message.body == 1 for batch in trigger.batches for message in batch) == 2


@pytest.mark.slow
async def test_a_trigger_that_takes_nothing_now_is_tried_again(make_queue) -> None:
    """Unavailable: back-off, and the message is tried again."""
    queue, trigger = make_queue(VisibilityTimeout="1"), FakeTrigger()
    answers = iter([Unavailable("disk full"), None])
    trigger.decide = lambda message: next(answers)
    queue.send(1)
    async with source_on(queue, trigger):
        await trigger.until(lambda: len(trigger.started) == 1)
        await queue.until(0, 0)
    assert trigger.states == ["starting", "running", "backing-off", "running"]


@pytest.mark.slow
async def test_a_message_in_work_stays_hidden(make_queue) -> None:
    """Work that takes longer than the visibility timeout is not handed to another receiver."""
    queue, trigger = make_queue(VisibilityTimeout="1"), FakeTrigger()
    trigger.gate = trio.Event()
    queue.send(1)
    async with source_on(queue, trigger, concurrency=1):
        await trigger.until(lambda: trigger.in_work == 1)
        assert await trio.to_thread.run_sync(queue.received, 3) == []
        trigger.gate.set()
        await queue.until(0, 0)
    assert len(trigger.batches) == 1


async def test_concurrency_bounds_what_is_received(make_queue) -> None:
    """No more messages are taken from the queue than may be in work."""
    queue, trigger = make_queue(), FakeTrigger()
    trigger.gate = trio.Event()
    queue.send(*range(12))
    async with source_on(queue, trigger, concurrency=3, receivers=2):
        await trigger.until(lambda: trigger.in_work == 3)
        assert queue.counts() == (9, 3)
        trigger.gate.set()
        await trigger.until(lambda: len(trigger.started) == 12)
        await queue.until(0, 0)
    assert trigger.most_in_work == 3


@pytest.mark.slow
async def test_a_fifo_queue_keeps_the_order_of_a_group(make_queue) -> None:
    """Within each group the starts have the order in which the messages were sent."""
    queue, trigger = make_queue(fifo=True), FakeTrigger()
    for number in range(6):
        queue.send({"group": "a", "n": number}, group="a")
        queue.send({"group": "b", "n": number}, group="b")
    async with source_on(queue, trigger):
        await trigger.until(lambda: len(trigger.started) == 12)
        await queue.until(0, 0)
    for group in "ab":
        started = [m.body["n"] for m in trigger.started if m.body["group"] == group]
        assert started == list(range(6))


async def test_a_failed_start_stops_its_group(make_queue) -> None:
    """What follows it in its group is not delivered; other groups go on."""
    queue, trigger = make_queue(fifo=True), FakeTrigger()
    trigger.decide = lambda message: Refused("no", None) if message.body == "a2" else None
    queue.send("a1", "a2", "a3", group="a")
    queue.send("b1", "b2", group="b")
    async with source_on(queue, trigger):
        await trigger.until(lambda: len(trigger.started) == 3)
        await queue.until(0, 2)
    assert sorted(message.body for message in trigger.started) == ["a1", "b1", "b2"]
    assert "a3" not in [message.body for batch in trigger.batches for message in batch]


@pytest.mark.slow
async def test_a_stopped_group_goes_on_in_order(make_queue) -> None:
    """When the failed message can be taken, it and those behind it start, still in order.

    One at a time, because moto, unlike SQS, mixes up a group of which it had handed out several.
    """
    queue, trigger = make_queue(fifo=True, VisibilityTimeout="1"), FakeTrigger()
    refusals = iter([Refused("no", None)])
    trigger.decide = lambda message: next(refusals, None) if message.body == 2 else None
    queue.send(1, 2, 3, group="a")
    async with source_on(queue, trigger, batch_size=1):
        await trigger.until(lambda: len(trigger.started) == 3)
        await queue.until(0, 0)
    assert [message.body for message in trigger.started] == [1, 2, 3]


@pytest.mark.slow
async def test_an_endpoint_that_goes_away_and_comes_back(make_queue) -> None:
    """The source says so, stays away, and goes on by itself; nothing is lost."""
    trigger = FakeTrigger()
    with sqs_endpoint() as url:
        port = int(url.rsplit(":", 1)[1])
        queue = Queue(url)
        queue.send(1)
    async with source_on(queue, trigger):
        await trigger.until(lambda: trigger.states == ["starting", "backing-off"])
        with sqs_endpoint(port):
            await trigger.until(lambda: len(trigger.started) == 1)
            await queue.until(0, 0)
        await trigger.until(lambda: trigger.states[-1] == "backing-off")
        assert "ConnectError" in trigger.reports[-1][1]["reason"]
        with sqs_endpoint(port):
            queue.send(2)
            await trigger.until(lambda: len(trigger.started) == 2)
            await trigger.until(lambda: trigger.states[-1] == "running")
    queue.close()


@pytest.mark.slow
async def test_a_queue_that_does_not_exist_yet(make_queue) -> None:
    """The source says what to check, and begins when the queue is there."""
    queue, trigger = make_queue(), FakeTrigger()
    queue.client.delete_queue(QueueUrl=queue.url)
    async with source_on(queue, trigger):
        await trigger.until(lambda: "backing-off" in trigger.states)
        assert "check queue_url" in trigger.reports[-1][1]["reason"]
        queue.client.create_queue(QueueName=queue.name)
        await trigger.until(lambda: trigger.states[-1] == "running")


async def test_missing_credentials_are_named(make_queue, monkeypatch) -> None:
    """Without credentials the source backs off and says which variables to set."""
    queue, trigger = make_queue(), FakeTrigger()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    async with source_on(queue, trigger):
        await trigger.until(lambda: "backing-off" in trigger.states)
    assert "AWS_ACCESS_KEY_ID" in trigger.reports[-1][1]["reason"]


async def test_a_stop_acknowledges_what_became_durable(make_queue) -> None:
    """What deliver had when the source was cancelled is deleted if it ends in time."""
    queue, trigger = make_queue(), FakeTrigger()
    trigger.gate = trio.Event()
    queue.send(1)
    async with source_on(queue, trigger) as nursery:
        await trigger.until(lambda: trigger.in_work == 1)
        nursery.cancel_scope.cancel()
        trigger.gate.set()
    assert queue.counts() == (0, 0)
    assert len(trigger.started) == 1


async def test_the_lag_is_reported(make_queue) -> None:
    """The report has the number of messages that waited when the source began."""
    queue, trigger = make_queue(), FakeTrigger()
    queue.send(1, 2, 3)
    async with source_on(queue, trigger):
        await trigger.until(lambda: ("running", {"queue": queue.name, "lag": 3}) in trigger.reports)
