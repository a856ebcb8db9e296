"""Where to begin in a partition: questions to the brokers, awaited in the Kafka loop's thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.sources.kafka import Start
from gateway.sources.kafka_events import Partition

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition


async def known_offsets(
    consumer: AIOKafkaConsumer,
    partitions: Iterable[TopicPartition],
    rows: Mapping[Partition, int],
) -> dict[TopicPartition, int]:
    """The larger of our row and the broker's committed offset, for those that have one of them.

    The broker's may be ahead where another daemon of the group, with a store of its own, read on;
    ours is ahead where the commit to the broker did not get through.
    """
    found: dict[TopicPartition, int] = {}
    for partition in partitions:
        row = rows.get(Partition(*partition))
        committed = await consumer.committed(partition)
        offsets = [offset for offset in (row, committed) if offset is not None]
        if offsets:
            found[partition] = max(offsets)
    return found


async def start_offsets(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], start: Start
) -> dict[TopicPartition, int]:
    """Where ``start`` lies in each partition; the end where no record is at or after its time."""
    if start == "earliest":
        earliest: dict[TopicPartition, int] = await consumer.beginning_offsets(partitions)
        return earliest
    # The ends first: a record that comes while the time is looked up would lie before them.
    found: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
    if isinstance(start, datetime):
        moment = int(start.timestamp() * 1000)
        hits = await consumer.offsets_for_times(dict.fromkeys(partitions, moment))
        found |= {partition: hit.offset for partition, hit in hits.items() if hit is not None}
    return found
