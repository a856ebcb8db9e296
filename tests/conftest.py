"""Fixtures that every test may ask for; each lives beside what it starts."""

from tests.kafka_broker.fixtures import real_kafka

__all__ = ["real_kafka"]
