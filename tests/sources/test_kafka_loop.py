"""The thread of the Kafka loop: how it ends."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio
from aiokafka import TopicPartition
from kafka_rig import Cluster, KafkaTrigger, reading, source

from gateway.sources.kafka import KafkaSource
from gateway.sources.kafka_loop import KafkaLoop


@pytest.fixture
def nobody() -> Cluster:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return Cluster(f"127.0.0.1:{taken.getsockname()[1]}")


async def test_a_crash_in_the_thread_comes_out_of_run(
    nobody: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a bug: the daemon restarts the source with back-off, and says so."""

    async def crash(self: KafkaLoop) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(KafkaLoop, "_serve", crash)
    settings, trigger = source(nobody, "orders"), KafkaTrigger()
    with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True), trio.fail_after(10):
        await settings.run(trigger.intake())


async def test_nobody_at_the_address_is_backed_off_from(nobody: Cluster) -> None:
    """The report names the addresses; cancelling ends it at once."""
    trigger = KafkaTrigger()
    async with reading(source(nobody, "orders"), trigger):
        await trigger.until(lambda: trigger.waits_for(nobody.brokers))
        assert trigger.state == "backing-off"
    assert trigger.states[0] == "starting"


def test_a_loop_stopped_before_it_runs_ends_at_once(nobody: Cluster) -> None:
    """The order of a command and the thread's start does not matter; commands after it are void."""
    events: list[Any] = []
    settings: KafkaSource = source(nobody, "orders")
    loop = KafkaLoop(settings, events.append)
    loop.stop()
    loop.run()
    loop.stop()
    assert events == []


class FakeConsumer:
    """What the placing of partitions asks of aiokafka's consumer; 57 records are in each."""

    def __init__(self) -> None:
        self.known = {0}
        self.shared: frozenset[TopicPartition] = frozenset()
        self.sought: dict[TopicPartition, int] = {}

    def assignment(self) -> frozenset[TopicPartition]:
        """Ours."""
        return self.shared

    async def committed(self, partition: TopicPartition) -> int | None:
        """Of the first alone."""
        return 10 if partition.partition == 0 else None

    async def beginning_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        """Nothing has expired."""
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: Any) -> dict[TopicPartition, int]:
        """The same everywhere."""
        return dict.fromkeys(partitions, 57)

    def partitions_for_topic(self, _topic: str) -> set[int]:
        """As our own metadata say."""
        return self.known

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Kept."""
        self.sought[partition] = offset

    def pause(self, *_: TopicPartition) -> None:
        """Nothing is read here."""

    resume = pause


def test_a_partition_of_which_we_hear_before_the_leader_is_new_all_the_same(
    nobody: Cluster,
) -> None:
    """A rebalance in between must not make `latest` skip what has come to it."""
    loop = KafkaLoop(source(nobody, "orders", start="latest"), lambda _: None)
    consumer = loop._consumer = FakeConsumer()

    async def shared_out(*partitions: int) -> None:
        consumer.shared = frozenset(TopicPartition("orders", each) for each in partitions)
        await loop.on_partitions_assigned(consumer.shared)
        loop._assignment.rows = {}
        await loop._place(loop._assignment)

    async def story() -> None:
        await shared_out(0)
        consumer.known = {0, 1}
        await shared_out(0)
        await shared_out(0, 1)

    loop._loop.run_until_complete(story())
    loop._loop.close()
    assert consumer.sought == {TopicPartition("orders", 0): 10, TopicPartition("orders", 1): 0}
