"""How the cluster is: which topics are missing, where the logs end, whether anybody answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from gateway.sources.kafka_events import Health, Partition

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer


async def look(
    consumer: AIOKafkaConsumer, topics: Iterable[str], subscribe: Callable[[], None]
) -> Health:
    """Ask the brokers. A topic that has appeared meanwhile is found by subscribing again."""
    try:
        waiting = set(topics) - consumer.subscription()
        if waiting:
            subscribe()
            waiting -= await consumer.topics()
        ends = await consumer.end_offsets(list(consumer.assignment()))
    except KafkaError as error:
        return Health({}, (), away=reason_of(error))
    logs = {Partition(*partition): end for partition, end in ends.items()}
    return Health(logs, tuple(sorted(waiting)), away=None)


def reason_of(error: Exception) -> str:
    """The error in words; some of aiokafka's have none but their name."""
    return str(error) or type(error).__name__
