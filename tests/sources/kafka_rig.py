"""Clusters and a trigger with positions, for tests of the Kafka source."""

from __future__ import annotations

import dataclasses
import io
import socket
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog
import trio
from aiokafka.protocol.api import RequestHeader_v1
from aiokafka.protocol.produce import ProduceRequest_v3, ProduceResponse_v3
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from intake_rig import FakeTrigger

from gateway.errors import Unavailable
from gateway.sources.kafka import KafkaSource
from gateway.sources.protocol import Intake, Message, Outcome
from gateway.store.rows import PositionRow


class _Name:
    """What stands for a text where aiokafka encodes one."""

    def __init__(self, encoded: bytes) -> None:
        self._encoded = encoded

    def encode(self, *_: str) -> bytes:
        return self._encoded


class Cluster:
    """A cluster to produce to."""

    def __init__(self, brokers: str, producer: Producer | None = None) -> None:
        self.brokers = brokers
        self.producer = producer or Producer({"bootstrap.servers": brokers, "log_level": 0})

    def produce(
        self, topic: str, values: Iterable[bytes | None], *, partition: int = 0, **more: Any
    ) -> None:
        """Write records and return when the broker has them."""
        refused: list[KafkaError] = []
        for value in values:
            self.producer.produce(
                topic,
                value,
                partition=partition,
                on_delivery=lambda error, _: refused.append(error) if error else None,
                **more,
            )
        left = self.producer.flush(20)
        assert not left, f"{left} records were not written"
        assert not refused, refused

    def produce_batch(
        self, topic: str, records: Sequence[tuple[bytes, bytes]], *, codec: int = 0
    ) -> None:
        """Write values, each with a header of that name, which need be no UTF-8, in one batch."""
        builder = _DefaultRecordBatchBuilderPy(2, codec, 0, -1, -1, -1, 1 << 16)
        for place, (value, name) in enumerate(records):
            headers = [(_Name(name), b"of it")]
            builder.append(place, 1_700_000_000_000, None, value, headers)
        request = ProduceRequest_v3(None, -1, 10_000, [(topic, [(0, bytes(builder.build()))])])
        data = RequestHeader_v1(request, 1).encode() + request.encode()
        host, _, port = self.brokers.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=20) as broker:
            broker.sendall(len(data).to_bytes(4, "big") + data)
            with broker.makefile("rb") as answer:
                body = io.BytesIO(answer.read(int.from_bytes(answer.read(4), "big"))[4:])
        ((_, ((_, error, _, _),)),) = ProduceResponse_v3.decode(body).topics
        assert error == 0

    def topic(self, *, partitions: int = 4) -> str:
        """A new topic."""
        name = f"orders-{uuid.uuid4().hex[:8]}"
        admin = AdminClient({"bootstrap.servers": self.brokers, "log_level": 0})
        made = admin.create_topics([NewTopic(name, partitions, 1)])[name]
        made.result(20)
        return name

    def committed(self, group: str, topic: str, partition: int = 0) -> int:
        """The group's offset at the broker; negative where there is none."""
        consumer = Consumer({"bootstrap.servers": self.brokers, "group.id": group, "log_level": 0})
        try:
            (found,) = consumer.committed([TopicPartition(topic, partition)], timeout=10)
            return found.offset
        finally:
            consumer.close()


class MockCluster(Cluster):
    """librdkafka's own: a broker on a real socket in this process, as long as its producer lives.

    A topic begins with its first record, and has four partitions.
    """

    def __init__(self) -> None:
        producer = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        (broker,) = producer.list_topics(timeout=10).brokers.values()
        super().__init__(f"{broker.host}:{broker.port}", producer)

    def topic(self, *, partitions: int = 4) -> str:
        """A name only."""
        del partitions
        return f"orders-{uuid.uuid4().hex[:8]}"


class KafkaTrigger(FakeTrigger):
    """A trigger with a store: messages and positions become durable together or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[tuple[str, int], int] = {}
        self.units: list[tuple[list[int], PositionRow]] = []
        """The offsets and the position of each unit, in the order in which they became durable."""
        self.closed: Unavailable | None = None
        """While it is set, nothing is taken."""
        self.rooms = 0

    async def deliver(
        self, messages: Sequence[Message], *, positions: Any = (), redrives: bool = False
    ) -> list[Outcome]:
        """One unit."""
        if self.closed is not None:
            raise self.closed
        outcomes = await super().deliver(messages, positions=positions, redrives=redrives)
        (row,) = positions
        place = (row.topic, row.partition)
        self.rows[place] = max(row.offset, self.rows.get(place, 0))
        self.units.append(([message.members["offset"] for message in messages], row))
        return outcomes

    async def rewind(self, row: PositionRow) -> None:
        """Set the position."""
        if self.closed is not None:
            raise self.closed
        await trio.lowlevel.checkpoint()
        self.rows[row.topic, row.partition] = row.offset

    async def positions(self, group: str) -> list[PositionRow]:
        """What is stored."""
        return [PositionRow(group, *place, offset) for place, offset in self.rows.items()]

    def intake(self, *, concurrency: int = 100, **more: Any) -> Intake:
        """What the source is given."""
        intake = super().intake(concurrency=concurrency, **more)
        return dataclasses.replace(intake, positions=self.positions, log=structlog.get_logger())

    @property
    def bodies(self) -> list[Any]:
        """The bodies of what was started, in order."""
        return [message.body for message in self.started]

    def offsets(self, partition: int = 0) -> list[int]:
        """The offsets of a partition that became durable, in order, repeated ones included."""
        return [o for offsets, row in self.units if row.partition == partition for o in offsets]

    def reported(self, **details: Any) -> bool:
        """Whether the last report says this."""
        return bool(self.reports) and details.items() <= self.reports[-1][1].items()

    @property
    def state(self) -> str | None:
        """The state last reported."""
        return self.reports[-1][0] if self.reports else None

    def waits_for(self, words: str) -> bool:
        """Whether the last report gives a reason that has these words in it."""
        return bool(self.reports) and words in str(self.reports[-1][1].get("reason"))


def source(cluster: Cluster, topic: str, **more: Any) -> KafkaSource:
    """Settings for one topic, under a group of its own."""
    settings = {"type": "kafka", "brokers": [cluster.brokers], "topics": [topic]}
    own = {"group": f"group-of-{topic}", "session_timeout": "6s"}
    return KafkaSource.model_validate(settings | own | more)


@asynccontextmanager
async def reading(
    settings: KafkaSource, trigger: KafkaTrigger, **more: Any
) -> AsyncIterator[trio.CancelScope]:
    """Run the source while the body runs; then cancel it, as the daemon does, and wait."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(settings.run, trigger.intake(**more))
        yield nursery.cancel_scope
        nursery.cancel_scope.cancel()


def numbers(first: int, end: int) -> list[bytes]:
    """JSON payloads."""
    return [b'{"n": %d}' % n for n in range(first, end)]
