"""Queues of a real SQS endpoint on loopback (moto's server), for tests of the source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import boto3
import orjson
import trio
from intake_rig import FakeTrigger
from moto.server import ThreadedMotoServer

from gateway.daemon.tools import open_tools
from gateway.sources.sqs import SqsSource


@contextmanager
def sqs_endpoint(port: int = 0) -> Iterator[str]:
    """The URL of an SQS endpoint; its queues outlive it, for they are kept in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        host, bound = server.get_host_and_port()
        yield f"http://{host}:{bound}"
    finally:
        server.stop()


class Queue:
    """One queue, seen by the one who sends to it."""

    def __init__(self, endpoint: str, *, fifo: bool = False, **attributes: str) -> None:
        self.endpoint = endpoint
        self.client = boto3.client("sqs", endpoint_url=endpoint, region_name="us-east-1")
        self.name = f"q-{uuid4()}" + (".fifo" if fifo else "")
        more = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if fifo else {}
        self.url = self.client.create_queue(
            QueueName=self.name, Attributes={"VisibilityTimeout": "30", **more, **attributes}
        )["QueueUrl"]

    def send(self, *bodies: Any, group: str | None = None) -> None:
        """Send bodies as JSON; ``group`` is the message group of a FIFO queue."""
        more = {"MessageGroupId": group} if group else {}
        for body in bodies:
            self.client.send_message(
                QueueUrl=self.url, MessageBody=orjson.dumps(body).decode(), **more
            )

    def counts(self) -> tuple[int, int]:
        """Messages that wait, and messages that somebody has received and not deleted."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return tuple(int(found["Attributes"][name]) for name in names)

    def received(self, seconds: int) -> list[str]:
        """Bodies that another receiver gets who waits for so long."""
        found = self.client.receive_message(
            QueueUrl=self.url, WaitTimeSeconds=seconds, MaxNumberOfMessages=10
        )
        return [message["Body"] for message in found.get("Messages", [])]

    def close(self) -> None:
        """Close the client's connections."""
        self.client.close()

    async def until(self, waiting: int, in_flight: int, seconds: float = 15.0) -> None:
        """Wait for the counts to be these."""
        with trio.fail_after(seconds):
            while await trio.to_thread.run_sync(self.counts) != (waiting, in_flight):
                await trio.lowlevel.checkpoint()


@asynccontextmanager
async def source_on(
    queue: Queue, trigger: FakeTrigger, *, concurrency: int = 32, **settings: Any
) -> AsyncIterator[trio.Nursery]:
    """Runs a source on the queue inside the block; cancel the nursery to stop it sooner."""
    settings = {
        "type": "sqs",
        "queue_url": queue.url,
        "endpoint_url": queue.endpoint,
        "wait_seconds": 1,
        **settings,
    }
    source = SqsSource.model_validate(settings)
    async with open_tools("us-east-1") as tools, trio.open_nursery() as nursery:
        nursery.start_soon(source.run, trigger.intake(concurrency=concurrency, aws=tools.aws))
        yield nursery
        nursery.cancel_scope.cancel()
