"""A real Apache Kafka for tests: one KRaft node on loopback, where Java and Maven are at hand.

``kafka_jars`` has Maven fetch the server once, into the virtual environment. ``RealKafka`` is a
node that can be stopped and started again on the same ports and data. The fixture ``real_kafka``
(``tests.kafka_broker.fixtures``, known to every test) starts one for the whole run.
"""

from tests.kafka_broker.jars import NoKafka, kafka_jars
from tests.kafka_broker.node import RealKafka

__all__ = ["NoKafka", "RealKafka", "kafka_jars"]
