"""What a Kafka source says of itself."""

from __future__ import annotations

from intake_rig import FakeTrigger

from gateway.sources.kafka import KafkaSource
from gateway.sources.kafka_events import Health, Partition
from gateway.sources.kafka_status import Status

FIRST, SECOND = Partition("orders", 0), Partition("orders", 1)


def test_a_lag_is_told_when_the_brokers_have_been_asked() -> None:
    """Until then, after a start or a rebalance, nobody knows that nothing waits."""
    trigger = FakeTrigger()
    source = KafkaSource(type="kafka", brokers=("localhost:9092",), topics=("orders",), group="g")
    status = Status(source, trigger.intake())
    status.health(Health({}, (), away=None))
    assert trigger.reports[-1][1]["lag"] is None
    status.assigned({FIRST: 3, SECOND: None})
    assert trigger.reports[-1][1]["lag"] is None
    status.health(Health({}, (), away="none within 5 s"))
    assert trigger.reports[-1][1]["lag"] is None
    status.health(Health({FIRST: 10, SECOND: 5}, (), away=None))
    assert trigger.reports[-1][1]["lag"] == 12
    status.assigned({FIRST: 3})
    assert trigger.reports[-1][1]["lag"] is None


def test_whoever_joins_again_does_not_say_that_nothing_waits() -> None:
    """Nothing is assigned then, and the brokers are asked of nothing: the last lag stays."""
    trigger = FakeTrigger()
    source = KafkaSource(type="kafka", brokers=("localhost:9092",), topics=("orders",), group="g")
    status = Status(source, trigger.intake())
    status.assigned({FIRST: 3})
    status.health(Health({FIRST: 10}, (), away=None))
    status.trouble("cluster", "gone")
    status.health(Health({}, (), away=None))
    assert trigger.reports[-1][1]["lag"] == 7
