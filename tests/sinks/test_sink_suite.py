"""What every sink must hold, each run against a real server; and what SNS and SQS do besides."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

import boto3
import httpx
import pytest
import trio
from moto.server import ThreadedMotoServer
from outlet_rig import EXECUTION, MACHINE, make_notification, make_outlet
from pydantic import ValidationError
from receiver import Receiver, Reply, open_receiver

from gateway.daemon.tools import open_tools
from gateway.errors import Rejected, Unavailable
from gateway.sinks.post import open_post_client
from gateway.sinks.protocol import Json, Outlet, Sink
from gateway.sinks.sns import SnsSink
from gateway.sinks.sqs import SqsSink
from gateway.sinks.webhook import WebhookSink

pytestmark = pytest.mark.slow
LETTER = {"letter": "l-1", "trigger": "orders", "reason": "no id", "message": {"body": {}}}


class Arrival(NamedTuple):
    """What a far side got, in one form for all of them."""

    id: str | None
    document: Json
    late: bool


class Rig(NamedTuple):
    """A sink with its far side."""

    sink: Sink
    away: Sink
    """The same where nobody listens."""
    arrivals: Callable[[], list[Arrival]]


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """Endpoint of a moto server; credentials and region are in the environment."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "test")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
        environment.delenv("AWS_DEFAULT_REGION", raising=False)
        yield f"http://{host}:{port}"
    server.stop()


class Aws:
    """Topics and queues of one moto server."""

    def __init__(self, endpoint: str) -> None:
        client = partial(boto3.client, region_name="us-east-1", endpoint_url=endpoint)
        self.sns, self.sqs = client("sns"), client("sqs")
        self.endpoint = endpoint

    def queue(self, name: str, **attributes: str) -> str:
        """Make a queue; returns its URL."""
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def topic(self, name: str, **attributes: str) -> tuple[str, str]:
        """Make a topic and a queue that hears of it; returns ARN and URL."""
        url = self.queue(name, **attributes)
        topic = self.sns.create_topic(Name=name, Attributes=attributes)["TopicArn"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        self.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["Attributes"]["QueueArn"])
        return topic, url

    def receive(self, url: str) -> list[dict[str, Any]]:
        """All messages of the queue."""
        found: list[dict[str, Any]] = []
        while more := self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            found += more
        return found

    def close(self) -> None:
        """End the connections."""
        self.sns.close()
        self.sqs.close()


@pytest.fixture
def cloud(aws: str) -> Iterator[Aws]:
    """Topics and queues, none of them there yet."""
    with closing(Aws(aws)) as cloud:
        httpx.post(f"{aws}/moto-api/reset")
        yield cloud


@pytest.fixture
async def outlet() -> AsyncIterator[Outlet]:
    """What a sink may use."""
    async with open_post_client() as http, open_tools("us-east-1") as tools:
        yield make_outlet(http, tools.aws)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Who is posted to."""
    async with open_receiver() as receiver:
        yield receiver


def webhook_rig(receiver: Receiver, cloud: Aws) -> Rig:
    """The webhook sink and the receiver."""

    def sink(url: str) -> Sink:
        return WebhookSink(type="webhook", url=url, allow_private=True)  # type: ignore[arg-type]

    def arrivals() -> list[Arrival]:
        return [
            Arrival(
                request.headers["webhook-id"],
                json.loads(request.body),
                request.headers.get("webhook-late") == "true",
            )
            for request in receiver.requests
        ]

    return Rig(sink(receiver.url), sink("http://127.0.0.1:9/"), arrivals)


def sns_rig(receiver: Receiver, cloud: Aws) -> Rig:
    """The SNS sink, and an SQS queue that has subscribed."""
    topic, queue = cloud.topic("suite")

    def sink(endpoint: str) -> Sink:
        return SnsSink(type="sns", topic_arn=topic, endpoint_url=endpoint)

    def arrivals() -> list[Arrival]:
        envelopes = [json.loads(message["Body"]) for message in cloud.receive(queue)]
        return [
            Arrival(
                None,
                json.loads(envelope["Message"]),
                "late" in envelope.get("MessageAttributes", {}),
            )
            for envelope in envelopes
        ]

    return Rig(sink(cloud.endpoint), sink("http://127.0.0.1:9/"), arrivals)


def sqs_rig(receiver: Receiver, cloud: Aws) -> Rig:
    """The SQS sink and its queue."""
    queue = cloud.queue("suite-letters")

    def sink(endpoint: str) -> Sink:
        return SqsSink(type="sqs", queue_url=queue, endpoint_url=endpoint)

    def arrivals() -> list[Arrival]:
        messages = cloud.receive(queue)
        return [Arrival(None, json.loads(message["Body"]), False) for message in messages]

    return Rig(sink(cloud.endpoint), sink("http://127.0.0.1:9/"), arrivals)


@pytest.fixture(params=[webhook_rig, sns_rig, sqs_rig])
def rig(request: pytest.FixtureRequest, receiver: Receiver, cloud: Aws) -> Rig:
    """Each sink in turn."""
    return request.param(receiver, cloud)


async def test_the_event_arrives_whole(rig, outlet):
    """Without a template, what arrives is the event, member for member."""
    notification = make_notification()
    await rig.sink.send(notification, outlet)
    [arrival] = await trio.to_thread.run_sync(rig.arrivals)
    assert arrival == Arrival(arrival.id and "n-1", notification.event, late=False)


async def test_what_the_template_made_arrives(rig, outlet):
    """A message takes the place of the event."""
    await rig.sink.send(make_notification(message={"text": "é\u0001"}), outlet)
    [arrival] = await trio.to_thread.run_sync(rig.arrivals)
    assert arrival.document == {"text": "é\u0001"}


async def test_a_letter_arrives(rig, outlet):
    """A letter on its way to a dead-letter target has no execution."""
    await rig.sink.send(make_notification(event=LETTER), outlet)
    [arrival] = await trio.to_thread.run_sync(rig.arrivals)
    assert arrival.document == LETTER


async def test_what_orjson_refuses_arrives(rig, outlet):
    """A letter may hold integers over 64 bits and lone surrogates."""
    await rig.sink.send(make_notification(event={**LETTER, "n": 2**80, "s": "\ud800"}), outlet)
    [arrival] = await trio.to_thread.run_sync(rig.arrivals)
    assert (arrival.document["n"], arrival.document["s"]) == (2**80, "\ud800")


async def test_nobody_there_is_unavailable(rig, outlet):
    """A far side that is away is tried again later; nothing else is raised."""
    with pytest.raises(Unavailable):
        await rig.away.send(make_notification(), outlet)


async def test_many_at_a_time_all_arrive(rig, outlet):
    """``send`` may run many times side by side."""
    async with trio.open_nursery() as nursery:
        for number in range(8):
            notification = make_notification(id=f"n-{number}", message={"number": number})
            nursery.start_soon(rig.sink.send, notification, outlet)
    arrivals = await trio.to_thread.run_sync(rig.arrivals)
    assert sorted(arrival.document["number"] for arrival in arrivals) == list(range(8))


async def test_sns_says_status_machine_and_lateness_in_attributes(cloud, outlet):
    """Subscriptions can filter by them."""
    topic, queue = cloud.topic("attributes")
    sink = SnsSink(type="sns", topic_arn=topic, endpoint_url=cloud.endpoint)
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await sink.send(make_notification(late=True, trace=trace), outlet)
    [message] = await trio.to_thread.run_sync(cloud.receive, queue)
    attributes = json.loads(message["Body"])["MessageAttributes"]
    assert {name: value["Value"] for name, value in attributes.items()} == {
        "status": "SUCCEEDED",
        "stateMachineArn": MACHINE,
        "late": "true",
        "traceparent": trace,
    }


async def test_sns_fifo_groups_by_execution_and_deduplicates_by_id(cloud, outlet):
    """Every attempt carries the execution as its group and the id to deduplicate by."""
    topic, queue = cloud.topic("ordered.fifo", FifoTopic="true")
    sink = SnsSink(type="sns", topic_arn=topic, endpoint_url=cloud.endpoint)
    await sink.send(make_notification(), outlet)
    [message] = await trio.to_thread.run_sync(cloud.receive, queue)
    assert message["Attributes"]["MessageGroupId"] == EXECUTION
    assert message["Attributes"]["MessageDeduplicationId"] == "n-1"


@pytest.mark.parametrize("name", ["é", "x" * 80])
async def test_a_group_id_is_always_legal(cloud, outlet, name):
    """Over 128 characters, or with others than ASCII, the hash of the ARN stands for it."""
    topic, queue = cloud.topic("ordered.fifo", FifoTopic="true")
    sink = SnsSink(type="sns", topic_arn=topic, endpoint_url=cloud.endpoint)
    event = make_notification().event
    event["detail"]["executionArn"] = f"{EXECUTION}{name}"
    await sink.send(make_notification(event=event), outlet)
    [message] = await trio.to_thread.run_sync(cloud.receive, queue)
    assert re.fullmatch("[0-9a-f]{64}", message["Attributes"]["MessageGroupId"])


async def test_sqs_fifo_groups_by_trigger_and_deduplicates_by_id(cloud, outlet):
    """The same letter sent twice arrives once, in its trigger's group."""
    queue = cloud.queue("letters.fifo", FifoQueue="true")
    sink = SqsSink(type="sqs", queue_url=queue, endpoint_url=cloud.endpoint)
    await sink.send(make_notification(event=LETTER), outlet)
    await sink.send(make_notification(event=LETTER), outlet)
    [message] = await trio.to_thread.run_sync(cloud.receive, queue)
    assert message["Attributes"]["MessageGroupId"] == "orders"
    assert message["Attributes"]["MessageDeduplicationId"] == "n-1"


@pytest.mark.parametrize(
    ("input_bytes", "output_bytes", "included"),
    [(100, 100, (True, True)), (100, 262_000, (True, False)), (262_000, 262_000, (False, False))],
)
async def test_sns_leaves_out_output_then_input(cloud, outlet, input_bytes, output_bytes, included):
    """An event over 256 KB loses what it must, says so, and still arrives."""
    topic, queue = cloud.topic("large")
    sink = SnsSink(type="sns", topic_arn=topic, endpoint_url=cloud.endpoint)
    event = make_notification().event
    event["detail"] |= {"input": "é" * (input_bytes // 2), "output": "x" * output_bytes}
    await sink.send(make_notification(event=event), outlet)
    [message] = await trio.to_thread.run_sync(cloud.receive, queue)
    detail = json.loads(json.loads(message["Body"])["Message"])["detail"]
    assert (detail["inputDetails"]["included"], detail["outputDetails"]["included"]) == included
    assert (detail["input"] is not None, detail["output"] is not None) == included


async def test_sns_rejects_a_message_that_cannot_be_made_shorter(cloud, outlet):
    """What a template made is not cut: it becomes a letter with the remedy."""
    topic, _ = cloud.topic("large")
    sink = SnsSink(type="sns", topic_arn=topic, endpoint_url=cloud.endpoint)
    with pytest.raises(Rejected, match="let the sink's message take less"):
        await sink.send(make_notification(message="x" * 262_144), outlet)


async def test_what_aws_says_of_the_message_itself_is_final(receiver, outlet, aws):
    """The same message would be refused for ever."""
    body = (
        b"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code>"
        b"<Message>Invalid parameter: Empty message</Message></Error></ErrorResponse>"
    )
    receiver.replies.append(Reply(400, body=body))
    sink = SnsSink(
        type="sns",
        topic_arn="arn:aws:sns:us-east-1:123456789012:orders",
        endpoint_url=f"http://127.0.0.1:{receiver.port}",
    )
    with pytest.raises(Rejected, match="InvalidParameter: Invalid parameter: Empty message"):
        await sink.send(make_notification(message=""), outlet)


async def test_a_topic_or_queue_that_is_missing_may_come(cloud, outlet):
    """Somebody may create it: it is tried again, and the reason names AWS's error."""
    arn = "arn:aws:sns:us-east-1:123456789012:missing"
    with pytest.raises(Unavailable, match="NotFound"):
        await SnsSink(type="sns", topic_arn=arn, endpoint_url=cloud.endpoint).send(
            make_notification(), outlet
        )
    url = f"{cloud.endpoint}/123456789012/missing"
    with pytest.raises(Unavailable, match=r"NonExistentQueue|QueueDoesNotExist"):
        await SqsSink(type="sqs", queue_url=url, endpoint_url=cloud.endpoint).send(
            make_notification(), outlet
        )


async def test_the_standard_environment_names_the_endpoint(cloud, outlet, monkeypatch):
    """Without ``endpoint_url``, AWS_ENDPOINT_URL_SNS says where to."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", cloud.endpoint)
    topic, queue = cloud.topic("environment")
    await SnsSink(type="sns", topic_arn=topic).send(make_notification(), outlet)
    assert len(await trio.to_thread.run_sync(cloud.receive, queue)) == 1


async def test_nothing_is_tried_again_by_itself(receiver, outlet, aws):
    """The outbox must see each failure, with its Retry-After."""
    receiver.replies.append(Reply(503, (("Retry-After", "7"),)))
    sink = SnsSink(
        type="sns",
        topic_arn="arn:aws:sns:us-east-1:123456789012:orders",
        endpoint_url=f"http://127.0.0.1:{receiver.port}",
    )
    with pytest.raises(Unavailable) as failure:
        await sink.send(make_notification(), outlet)
    assert failure.value.retry_after == 7.0
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("arn", ["orders", "arn:aws:sqs:us-east-1:123456789012:orders"])
def test_what_is_no_topic_is_refused(arn):
    """``check`` sees it before SNS does."""
    with pytest.raises(ValidationError, match="topic_arn"):
        SnsSink(type="sns", topic_arn=arn)
