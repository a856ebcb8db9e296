"""What the demo talks to instead of AWS and a real broker, all on free ports of the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.cli.output import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Producer

KEYS: Final = {
    "aws_access_key_id": "demo",
    "aws_secret_access_key": "demo",
    "region_name": "us-east-1",
}
Heard = tuple[str, dict[str, Any]]
"""Which sink (sns or webhook), and the status-change event."""


class Cloud(NamedTuple):
    """An SQS and SNS endpoint with the demo's queues and topic."""

    endpoint: str
    sqs: Any
    orders_url: str
    heard_url: str
    topic_arn: str

    def heard(self) -> list[dict[str, Any]]:
        """The events that the topic has delivered since the last call."""
        answer = self.sqs.receive_message(QueueUrl=self.heard_url, MaxNumberOfMessages=10)
        events = []
        for message in answer.get("Messages", []):
            events.append(json.loads(json.loads(message["Body"])["Message"]))
            self.sqs.delete_message(QueueUrl=self.heard_url, ReceiptHandle=message["ReceiptHandle"])
        return events


@contextmanager
def cloud() -> Iterator[Cloud]:
    """moto's server: a queue of orders, and a topic of completions that a second queue hears."""
    import boto3

    try:
        from moto.server import ThreadedMotoServer
    except ImportError:
        fail("the demo needs moto: pip install 'stategate[demo]'")
    import logging

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    try:
        endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
        sqs = boto3.client("sqs", endpoint_url=endpoint, **KEYS)
        sns = boto3.client("sns", endpoint_url=endpoint, **KEYS)
        orders = sqs.create_queue(QueueName="orders")["QueueUrl"]
        heard = sqs.create_queue(QueueName="completions")["QueueUrl"]
        topic = sns.create_topic(Name="completed")["TopicArn"]
        attributes = sqs.get_queue_attributes(QueueUrl=heard, AttributeNames=["QueueArn"])
        arn = attributes["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        yield Cloud(endpoint, sqs, orders, heard, topic)
    finally:
        server.stop()


@contextmanager
def broker() -> Iterator[tuple[str, Producer]]:
    """librdkafka's mock cluster with the topic ``orders``: the address of its one broker, and a
    producer."""
    try:
        from confluent_kafka import Producer
    except ImportError:
        fail("the demo needs confluent-kafka: pip install 'stategate[demo]'")
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    node = next(iter(producer.list_topics(timeout=10).brokers.values()))
    address = f"{node.host}:{node.port}"
    producer.list_topics("orders", timeout=10)  # makes the topic
    yield address, producer
    producer.flush(5)


@contextmanager
def receiver(hear: Callable[[Heard], None]) -> Iterator[str]:
    """A webhook receiver that passes on what it hears; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing: the demo does the talking."""

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hear(("webhook", json.loads(body)))
            self.send_response(204)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/completions"
    finally:
        server.shutdown()
        server.server_close()
