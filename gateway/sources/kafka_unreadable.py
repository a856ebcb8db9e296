"""A record that aiokafka cannot read: found, told, and passed.

That is one with a header whose name is not UTF-8. aiokafka decodes names itself, and raises what
the decoding raises out of the poll, without a word about the place.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway.sources.kafka_cursor import Cursor
from gateway.sources.kafka_events import Partition, Record, Unreadable

SINGLE_POLLS = 20
"""So many polls go record by record after one that came upon what it could not read: enough for
that to be fetched again, and others like it."""
_SHOWN_BYTES = 40


def read_again(consumer: AIOKafkaConsumer, cursors: Mapping[Partition, Cursor]) -> None:
    """Go back to what was handed over: a poll that raises takes with it what it had of other
    partitions, and what came before in the same one."""
    for partition, cursor in cursors.items():
        if partition in consumer.assignment():
            consumer.seek(TopicPartition(*partition), cursor.place)


async def read_singly(
    consumer: AIOKafkaConsumer, partition: TopicPartition
) -> list[Record | Unreadable]:
    """What has come of the partition, up to a record that cannot be read; that one is the last.

    Record by record, for only then the position is right when the next one raises.
    """
    records: list[Record | Unreadable] = []
    try:
        while came := (await consumer.getmany(partition, timeout_ms=0, max_records=1)):
            records += came[partition]
    except UnicodeDecodeError as error:
        offset = await consumer.position(partition)
        name = error.object[:_SHOWN_BYTES]
        reason = f"a header of the record has the name {name!r}, which is not UTF-8"
        records.append(Unreadable(partition.topic, partition.partition, offset, reason))
        consumer.seek(partition, offset + 1)
    return records
