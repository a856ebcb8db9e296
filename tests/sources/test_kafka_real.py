"""What only a real Kafka shows: transactions, logins, restarts of the broker, logs that are cut."""

from __future__ import annotations

import datetime

import pytest
import trio
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions
from kafka_rig import Cluster, KafkaTrigger, numbers, reading, source

from gateway.errors import Unavailable
from gateway.store.rows import PositionRow
from tests.kafka_broker import RealKafka
from tests.kafka_broker.node import PASSWORD, USERNAME

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(real_kafka: RealKafka) -> Cluster:
    """The real one."""
    return Cluster(real_kafka.brokers)


def write(cluster: Cluster, topic: str, values: list[bytes], *, commit: bool) -> None:
    """Write one transaction."""
    settings = {"bootstrap.servers": cluster.brokers, "transactional.id": topic, "log_level": 0}
    producer = Producer(settings)
    producer.init_transactions(20)
    producer.begin_transaction()
    for value in values:
        producer.produce(topic, value, partition=0)
    producer.flush(20)
    if commit:
        producer.commit_transaction(20)
    else:
        producer.abort_transaction(20)


async def test_aborted_records_are_left_out_and_markers_passed(cluster: Cluster) -> None:
    """Records of an aborted transaction start nothing; the position passes them and the markers,
    so that no lag is left over."""
    topic, trigger = cluster.topic(partitions=1), KafkaTrigger()
    await trio.to_thread.run_sync(lambda: write(cluster, topic, numbers(0, 3), commit=True))
    await trio.to_thread.run_sync(lambda: write(cluster, topic, numbers(3, 6), commit=False))
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: trigger.rows.get((topic, 0)) == 8)
        await trio.to_thread.run_sync(lambda: write(cluster, topic, numbers(6, 8), commit=True))
        await trigger.until(lambda: trigger.rows.get((topic, 0)) == 11)
        await trigger.until(lambda: trigger.reported(lag=0))
    assert trigger.bodies == [{"n": n} for n in (0, 1, 2, 6, 7)]


async def test_read_uncommitted_takes_them_all(cluster: Cluster) -> None:
    """The isolation level is the setting's."""
    topic, trigger = cluster.topic(partitions=1), KafkaTrigger()
    await trio.to_thread.run_sync(lambda: write(cluster, topic, numbers(0, 3), commit=False))
    settings = source(cluster, topic, isolation_level="read_uncommitted")
    async with reading(settings, trigger):
        await trigger.until(lambda: trigger.offsets() == [0, 1, 2])


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
async def test_a_broker_that_goes_away_and_comes_back_loses_nothing(
    real_kafka: RealKafka, cluster: Cluster, kill: bool
) -> None:
    """While it is away the source says so; then it goes on where it was, by itself."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 20))
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: len(trigger.started) == 20)
        await trio.to_thread.run_sync(lambda: real_kafka.stop(kill=kill))
        try:
            await trigger.until(lambda: trigger.state == "backing-off", 30)
        finally:
            await trio.to_thread.run_sync(real_kafka.start)
        cluster.produce(topic, numbers(20, 40))
        await trigger.until(lambda: len(trigger.started) == 40, 30)
        await trigger.until(lambda: trigger.state == "running", 30)
    assert trigger.offsets() == list(range(40))


async def test_a_source_that_starts_before_its_broker_waits_for_it(
    real_kafka: RealKafka, cluster: Cluster
) -> None:
    """Nobody at the address: back-off and a report; then it reads."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 3))
    real_kafka.stop()
    async with reading(source(cluster, topic), trigger):
        try:
            await trigger.until(lambda: trigger.waits_for("no broker could be reached"))
        finally:
            await trio.to_thread.run_sync(real_kafka.start)
        await trigger.until(lambda: len(trigger.started) == 3, 30)


async def test_a_log_that_was_cut_is_read_from_its_new_beginning(cluster: Cluster) -> None:
    """Records deleted by retention before we came to them: counted, and on from `start`."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 10))
    trigger.rows[topic, 0] = 2
    admin = AdminClient({"bootstrap.servers": cluster.brokers, "log_level": 0})
    place = TopicPartition(topic, 0, 7)
    admin.delete_records([place])[place].result(20)
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: len(trigger.started) == 3)
        assert trigger.reported(out_of_range=1)
    assert trigger.offsets() == [7, 8, 9]
    assert trigger.rows[topic, 0] == 10


async def test_a_log_that_was_cut_to_nothing_has_its_new_position_stored(cluster: Cluster) -> None:
    """Without a record to come: a restart would ask for the lost position again, and from `latest`
    skip what came while nobody read."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 10))
    trigger.rows[topic, 0] = 2
    admin = AdminClient({"bootstrap.servers": cluster.brokers, "log_level": 0})
    place = TopicPartition(topic, 0, 10)
    admin.delete_records([place])[place].result(20)
    settings = source(cluster, topic, start="latest")
    async with reading(settings, trigger):
        await trigger.until(lambda: trigger.rows[topic, 0] == 10)
    cluster.produce(topic, numbers(10, 12))
    async with reading(settings, trigger):
        await trigger.until(lambda: len(trigger.started) == 2, 30)
    assert trigger.offsets() == [10, 11]


async def test_a_partition_that_is_added_is_read_from_its_first_record(cluster: Cluster) -> None:
    """It is noticed a while later; with `latest`, too, what was written meanwhile is not old."""
    topic, trigger = cluster.topic(partitions=1), KafkaTrigger()
    cluster.produce(topic, numbers(0, 2))
    async with reading(source(cluster, topic, start="latest"), trigger):
        await trigger.until(lambda: trigger.rows.get((topic, 0)) == 2)
        admin = AdminClient({"bootstrap.servers": cluster.brokers, "log_level": 0})
        admin.create_partitions([NewPartitions(topic, 2)])[topic].result(20)
        # A producer of its own: another one knows the old partitions for minutes.
        Cluster(cluster.brokers).produce(topic, numbers(2, 5), partition=1)
        await trigger.until(lambda: len(trigger.started) == 3, 90)
    assert trigger.offsets(1) == [0, 1, 2]


async def test_start_at_a_time_begins_at_the_first_record_from_then_on(cluster: Cluster) -> None:
    """Where a partition has no such record, at its end."""
    topic, trigger = cluster.topic(partitions=2), KafkaTrigger()
    moment = datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC)
    start_ms = int(moment.timestamp() * 1000)
    for n, value in enumerate(numbers(0, 6)):
        cluster.produce(topic, [value], timestamp=start_ms + (n - 3) * 1000)
    cluster.produce(topic, numbers(0, 2), partition=1, timestamp=start_ms - 1)
    async with reading(source(cluster, topic, start=moment), trigger):
        await trigger.until(lambda: trigger.rows.get((topic, 0)) == 6)
        await trigger.until(lambda: trigger.rows.get((topic, 1)) == 2)
    assert trigger.bodies == [{"n": n} for n in (3, 4, 5)]


async def test_a_position_set_by_hand_counts_though_the_broker_was_ahead(cluster: Cluster) -> None:
    """Placed at the broker as well while nobody reads, it is where reading goes on."""
    topic, before, after = cluster.topic(), KafkaTrigger(), KafkaTrigger()
    settings = source(cluster, topic)
    cluster.produce(topic, numbers(0, 5))
    async with reading(settings, before):
        await before.until(lambda: len(before.started) == 5)
    row = PositionRow(settings.group, topic, 0, 2)
    await settings.place(row)
    after.rows[topic, 0] = row.offset
    async with reading(settings, after):
        await after.until(lambda: after.offsets() == [2, 3, 4])


async def test_a_position_is_not_set_under_readers(cluster: Cluster) -> None:
    """The broker refuses it, and the message says what to do."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 1))
    settings = source(cluster, topic)
    async with reading(settings, trigger):
        await trigger.until(lambda: len(trigger.started) == 1)
        with pytest.raises(Unavailable, match="has members; stop them first"):
            await settings.place(PositionRow(settings.group, topic, 0, 0))


def secured(real_kafka: RealKafka, password: str) -> dict[str, str | list[str]]:
    """Settings for the listener with TLS and a login."""
    return {
        "brokers": [real_kafka.secured_brokers],
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "username": USERNAME,
        "password": password,
        "ca_file": str(real_kafka.ca_file),
    }


async def test_tls_and_a_login(real_kafka: RealKafka, cluster: Cluster) -> None:
    """The security settings reach the broker."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 3))
    async with reading(source(cluster, topic, **secured(real_kafka, PASSWORD)), trigger):
        await trigger.until(lambda: len(trigger.started) == 3)


async def test_a_wrong_password_is_reported_and_tried_again(
    real_kafka: RealKafka, cluster: Cluster
) -> None:
    """It is the far side's trouble: the source backs off, and takes nothing."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 3))
    async with reading(source(cluster, topic, **secured(real_kafka, "wrong")), trigger):
        await trigger.until(lambda: trigger.state == "backing-off")
    assert not trigger.started
