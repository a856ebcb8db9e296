"""The Kafka source against a broker: librdkafka's mock cluster, and Apache Kafka itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trio
from confluent_kafka import Producer
from kafka_rig import Cluster, KafkaTrigger, MockCluster, numbers, reading, source

from gateway.errors import Unavailable
from gateway.sources import kafka_batches, kafka_loop
from gateway.sources.protocol import Filtered, Refused

pytestmark = pytest.mark.slow  # the mock cluster waits three seconds for further members


@pytest.fixture(params=["mock", "real"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster of each kind."""
    if request.param == "mock":
        yield MockCluster()
    else:
        yield Cluster(request.getfixturevalue("real_kafka").brokers)


async def test_records_arrive_once_in_order_with_the_position_behind_them(cluster: Cluster) -> None:
    """Each unit holds consecutive records of one partition and the offset after the last of them;
    the broker hears of it too."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    settings = source(cluster, topic, batch_size=10)
    for partition in range(2):
        cluster.produce(topic, numbers(0, 35), partition=partition)
    async with reading(settings, trigger):
        await trigger.until(lambda: len(trigger.started) == 70)
        await trigger.until(lambda: trigger.reported(lag=0))
    for partition in range(2):
        assert trigger.offsets(partition) == list(range(35))
        assert trigger.rows[topic, partition] == 35
        assert cluster.committed(settings.group, topic, partition) == 35
    for offsets, row in trigger.units:
        assert len(offsets) <= 10
        if offsets:
            assert row == (settings.group, topic, row.partition, offsets[-1] + 1)


async def test_a_record_becomes_a_message_with_its_coordinates(cluster: Cluster) -> None:
    """Topic, partition, offset, key, headers and time are members; its name has coordinates."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    headers = [("type", b"placed"), ("traceparent", b"00-1-2-01")]
    more = {"key": b"42", "headers": headers, "timestamp": 1_700_000_000_123}
    cluster.produce(topic, [b'{"id": 7}'], partition=1, **more)
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: len(trigger.started) == 1)
    (message,) = trigger.started
    assert message.body == {"id": 7}
    assert message.default_name == f"{topic}-1-0-1700000000123"
    assert message.trace == "00-1-2-01"
    assert message.members == {
        "topic": topic,
        "partition": 1,
        "offset": 0,
        "key": "42",
        "headers": {"type": "placed", "traceparent": "00-1-2-01"},
        "timestamp": 1_700_000_000_123,
        "timestamp_type": "CREATE_TIME",
    }


async def test_a_restart_goes_on_from_our_row_though_the_broker_knows_less(
    cluster: Cluster,
) -> None:
    """The larger of the two positions counts: here ours, since the broker has none."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 10))
    trigger.rows[topic, 0] = 6
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: len(trigger.started) == 4)
    assert trigger.offsets() == [6, 7, 8, 9]


async def test_a_daemon_without_rows_goes_on_from_the_offset_at_the_broker(
    cluster: Cluster,
) -> None:
    """The larger of the two positions counts: here the broker's, since our store is new."""
    topic, before, after = cluster.topic(), KafkaTrigger(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 5))
    async with reading(source(cluster, topic), before):
        await before.until(lambda: len(before.started) == 5)
    cluster.produce(topic, numbers(5, 8))
    async with reading(source(cluster, topic), after):
        await after.until(lambda: len(after.started) == 3)
    assert after.offsets() == [5, 6, 7]


async def test_start_latest_is_stored_at_once(cluster: Cluster) -> None:
    """Records that come while the daemon is down are read, though it had read none before."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 3))
    settings = source(cluster, topic, start="latest")
    async with reading(settings, trigger):
        await trigger.until(lambda: trigger.rows.get((topic, 0)) == 3)
    cluster.produce(topic, numbers(3, 5))
    async with reading(settings, trigger):
        await trigger.until(lambda: len(trigger.started) == 2)
    assert trigger.offsets() == [3, 4]


async def test_filtered_and_refused_records_move_the_position(cluster: Cluster) -> None:
    """A poison record is parked by the trigger and does not hold up its partition."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    outcomes = {1: Refused("no", "letter-1"), 2: Filtered()}
    trigger.decide = lambda message: outcomes.get(message.members["offset"])
    cluster.produce(topic, [b'{"n": 0}', b"\xff\xfe", b"{", None])
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: trigger.rows.get((topic, 0)) == 4)
    assert trigger.offsets() == [0, 1, 2, 3]
    assert trigger.bodies == [{"n": 0}, None]


@pytest.mark.parametrize("codec", [0, 1], ids=["plain", "gzip"])
async def test_a_name_of_a_header_need_be_no_text(cluster: Cluster, codec: int) -> None:
    """aiokafka's poll fails at one. It is a message as any other, and so is what its producer sent
    in the same batch, before and after it."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    names = [b"good", b"n\xffme", "ü".encode(), b"\xc3", b"good"]
    cluster.produce(topic, numbers(0, 1))
    cluster.produce_batch(topic, list(zip(numbers(1, 6), names, strict=True)), codec=codec)
    cluster.produce(topic, numbers(6, 8))
    trigger.rows[topic, 0] = 2  # in the middle of it
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: trigger.rows.get((topic, 0)) == 8)
    assert [m.body["n"] for m in trigger.started] == [2, 3, 4, 5, 6, 7]
    assert [next(iter(m.members["headers"]), None) for m in trigger.started] == [
        "n\\xffme", "ü", "\\xc3", "good", None, None
    ]  # fmt: skip
    assert not any(m.unfit for m in trigger.started)


async def test_a_damaged_batch_holds_up_its_own_partition_alone(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before it is read, the reason says where it is, and when it can be read, perhaps
    of another broker, all of it is."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    whole = False
    monkeypatch.setattr(
        kafka_batches._Batch, "validate_crc", lambda self: whole or self.base_offset != 3,
        raising=False,
    )  # fmt: skip
    monkeypatch.setattr(kafka_loop, "UPKEEP_SECONDS", 0.1)
    cluster.produce(topic, numbers(0, 3))
    cluster.produce(topic, numbers(3, 6))
    cluster.produce(topic, numbers(0, 2), partition=1)
    async with reading(source(cluster, topic), trigger):
        said = f"{topic}-0 cannot be read at offset 3: Invalid CRC"
        await trigger.until(lambda: trigger.waits_for(said))
        cluster.produce(topic, numbers(2, 3), partition=1)
        await trigger.until(lambda: trigger.offsets(1) == [0, 1, 2])
        assert trigger.offsets(0) == [0, 1, 2]
        assert trigger.waits_for(f"`stategate positions set group-of-{topic} {topic} 0 OFFSET`")
        whole = True
        await trigger.until(lambda: trigger.offsets(0) == [0, 1, 2, 3, 4, 5])
        await trigger.until(lambda: trigger.state == "running")


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_compressed_records_are_read(cluster: Cluster, codec: str) -> None:
    """Whatever their producer compressed them with."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    settings = {"bootstrap.servers": cluster.brokers, "compression.type": codec, "log_level": 0}
    Cluster(cluster.brokers, Producer(settings)).produce(topic, numbers(0, 100))
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: len(trigger.started) == 100)
    assert trigger.offsets() == list(range(100))


async def test_no_more_than_the_concurrency_is_in_work(cluster: Cluster) -> None:
    """While the trigger is full its partitions wait; the member stays in its group; all arrives."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    trigger.gate = trio.Event()
    trigger.rows = {(topic, partition): 0 for partition in range(4)}
    for partition in range(3):
        cluster.produce(topic, numbers(0, 300), partition=partition)
    async with reading(source(cluster, topic, fetch_bytes=1024), trigger, concurrency=7):
        await trigger.until(lambda: trigger.in_work == 7)
        await trigger.until(lambda: trigger.reported(lag=900))
        assert trigger.in_work == 7
        trigger.gate.set()
        await trigger.until(lambda: len(trigger.started) == 900)
    assert trigger.most_in_work == 7
    for partition in range(3):
        assert trigger.offsets(partition) == list(range(300))


async def test_what_cannot_be_taken_now_is_tried_again_in_its_place(cluster: Cluster) -> None:
    """Unavailable loses nothing and lets nothing overtake; the source says why it waits."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    trigger.closed = Unavailable("the disk is full", retry_after=0.05)
    cluster.produce(topic, numbers(0, 20))
    async with reading(source(cluster, topic, batch_size=5), trigger):
        await trigger.until(lambda: trigger.reported(reason="the disk is full"))
        assert trigger.state == "backing-off"
        trigger.closed = None
        await trigger.until(lambda: len(trigger.started) == 20)
        await trigger.until(lambda: trigger.state == "running")
    assert trigger.offsets() == list(range(20))


async def test_what_is_in_work_when_cancelled_becomes_durable_and_is_committed(
    cluster: Cluster,
) -> None:
    """A stop waits for a delivery under way, and leaves its offset at the broker."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    trigger.gate = trio.Event()
    trigger.rows[topic, 0] = 0
    settings = source(cluster, topic)
    cluster.produce(topic, numbers(0, 3))
    async with reading(settings, trigger) as scope:
        # The broker may hand over the first record before the others.
        await trigger.until(lambda: trigger.in_work > 0)
        taken = trigger.in_work
        scope.cancel()
        trigger.gate.set()
    assert trigger.offsets() == list(range(taken))
    assert cluster.committed(settings.group, topic) == taken


async def test_two_members_share_the_partitions_and_lose_nothing(cluster: Cluster) -> None:
    """While members come and go, each record is taken; each place's position ends at its end."""
    topic, one, two = cluster.topic(), KafkaTrigger(), KafkaTrigger()
    two.rows, two.started = one.rows, one.started  # one store
    settings = source(cluster, topic)
    for partition in range(4):
        cluster.produce(topic, numbers(0, 50), partition=partition)
    async with reading(settings, one):
        await one.until(lambda: len(one.started) == 200)
        async with reading(settings, two):
            # Where two members join at once, the mock cluster may need a second round.
            shared = lambda: one.reported(partitions=2) and two.reported(partitions=2)  # noqa: E731
            await two.until(shared, 60)
            for partition in range(4):
                cluster.produce(topic, numbers(50, 100), partition=partition)
            await two.until(lambda: len(one.started) == 400)
        await one.until(lambda: one.reported(partitions=4))
        cluster.produce(topic, numbers(100, 110))
        await one.until(lambda: len(one.started) == 410)
    taken = {(m.members["partition"], m.members["offset"]) for m in one.started}
    assert len(taken) == 410
    assert one.rows == {(topic, 0): 110, (topic, 1): 100, (topic, 2): 100, (topic, 3): 100}
    assert two.units


async def test_a_topic_that_does_not_exist_is_waited_for(cluster: Cluster) -> None:
    """The report names it; when it appears, it is read from its beginning."""
    trigger = KafkaTrigger()
    topic = MockCluster.topic(cluster)
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: trigger.waits_for(topic))
        assert topic not in cluster.producer.list_topics(timeout=10).topics
        cluster.produce(topic, numbers(0, 2))
        await trigger.until(lambda: len(trigger.started) == 2)
        await trigger.until(lambda: trigger.state == "running")


async def test_an_offset_that_the_log_no_longer_has_is_reported(cluster: Cluster) -> None:
    """A row beyond the end of the log (the topic was made anew): on from `start`, counted; the row
    goes back with it, lest a restart skips what the log has below the old row."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    cluster.produce(topic, numbers(0, 3))
    trigger.rows[topic, 0] = 1000
    async with reading(source(cluster, topic), trigger):
        await trigger.until(lambda: len(trigger.started) == 3)
        assert trigger.reported(out_of_range=1)
    assert trigger.rows[topic, 0] == 3


async def test_the_broker_forgets_a_lost_offset_before_anything_is_read(cluster: Cluster) -> None:
    """The larger of its offset and ours counts: were the daemon killed now, and the log as long as
    it once was at the next start, all that came in between would be skipped."""
    topic, trigger = cluster.topic(), KafkaTrigger()
    settings = source(cluster, topic)
    cluster.produce(topic, numbers(0, 3))
    trigger.rows[topic, 0] = 1000
    told = []

    async def rewind(row):
        told.append(await trio.to_thread.run_sync(cluster.committed, settings.group, topic))

    trigger.rewind = rewind
    async with reading(settings, trigger):
        await trigger.until(lambda: told == [0])
