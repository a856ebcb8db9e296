"""The fixture ``real_kafka``, for the whole run and for every test that asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.kafka_broker.jars import NoKafka, kafka_jars
from tests.kafka_broker.node import RealKafka


@pytest.fixture(scope="session")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """A running Apache Kafka. Without Java or Maven the test is skipped with the reason, or fails
    where REQUIRE_KAFKA=1 says that Kafka must be there."""
    try:
        jars = kafka_jars()
    except NoKafka as reason:
        if os.environ.get("REQUIRE_KAFKA") == "1":
            pytest.fail(f"REQUIRE_KAFKA=1, but there is no Apache Kafka: {reason}")
        pytest.skip(f"no Apache Kafka: {reason}")
    kafka = RealKafka(jars, tmp_path_factory.mktemp("kafka"))
    try:
        kafka.start()
        yield kafka
    finally:
        kafka.stop()
