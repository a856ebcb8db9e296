"""What the Kafka loop tells the trio side: a closed set, without a word of asyncio or trio in it.

A *generation* counts the assignments of one connection. Events come in order, so what stands
between an Assigned and the next Revoked belongs to that generation; an answer names its generation,
because it may come late and then changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}"


class Record(Protocol):
    """What we read of aiokafka's ``ConsumerRecord``."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds since the epoch; -1 where the record has none."""
    timestamp_type: int
    """0: the producer's time; 1: the broker's."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Assigned:
    """These partitions, and no others, are ours from now on. Answer with ``KafkaLoop.begin``."""

    generation: int
    partitions: frozenset[Partition]


@dataclass(frozen=True, slots=True)
class Revoked:
    """All partitions of the generation are about to go. Stop their work, then answer with
    ``KafkaLoop.release``."""

    generation: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one fetch brought for one partition; answer with ``KafkaLoop.settle``."""

    partition: Partition
    records: Sequence[Record]
    """In order. Empty where the log holds nothing for us up to ``next_offset`` (transaction
    markers, aborted records, a new start)."""
    next_offset: int
    """The offset to read after this batch, past markers and gaps behind the last record."""


@dataclass(frozen=True, slots=True)
class OutOfRange:
    """The position was no longer in the log; reading goes on at ``next_offset``."""

    partition: Partition
    position: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """What the log has at the offset cannot be read. It is tried again, for a replica may be whole;
    meanwhile the partition rests."""

    partition: Partition
    offset: int
    reason: str


@dataclass(frozen=True, slots=True)
class Health:
    """What the brokers said when last asked."""

    ends: Mapping[Partition, int]
    """The end of each assigned partition's log, as far as its records may be read."""
    missing: tuple[str, ...]
    """Topics that do not exist."""
    away: str | None
    """Why no broker answered; None where one did."""


Event: TypeAlias = Assigned | Revoked | Batch | OutOfRange | Damaged | Health
