"""A virtual Kafka cluster: logs that expire and are made anew, and a consumer group with others.

``Consumer`` does what aiokafka's does, as far as ``kafka_loop`` uses it; its coordinator lives in a
task of its own, calls the listener at each rebalance, and goes silent when the daemon dies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

import orjson
import trio
from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RequestTimedOutError,
)

from gateway.sources.kafka_batches import damages
from gateway.sources.kafka_events import Damaged, Partition
from tests.simulation.trace import Trace

Json = Any
TOPIC, GROUP = "shop.orders", "stategate"
SESSION_SECONDS = 10.0
LEFT_OF_OLD_DAYS = 100
"""Offset at which the logs begin, so that a log that is made anew never reaches an old position."""


@dataclass(eq=False, slots=True)
class Appended:
    """A record, and what became of it as far as the cluster knows."""

    body: Json
    lost: bool = False
    """It was gone before anybody had to have it."""
    elsewhere: bool = False
    """Another member of the group has taken it."""
    given: int = 0
    """How often a consumer was given it."""


@dataclass(eq=False, slots=True)
class Log:
    """One partition: None is a mark of a transaction, which readers never see."""

    start: int = LEFT_OF_OLD_DAYS
    entries: list[Appended | None] = field(default_factory=list)
    made: int = 0

    @property
    def end(self) -> int:
        """The offset of the next record."""
        return self.start + len(self.entries)

    def forget(self, number: int) -> list[tuple[int, Appended]]:
        """The first entries have expired; the records among them, with their offsets."""
        gone, self.entries = self.entries[:number], self.entries[number:]
        first, self.start = self.start, self.start + number
        return [(first + n, entry) for n, entry in enumerate(gone) if entry is not None]


class Cluster:
    """The brokers."""

    def __init__(self, dice: Random, trace: Trace, partitions: int) -> None:
        self.trouble = 0.0
        self.logs = [Log() for _ in range(partitions)]
        self.appended: list[Appended] = []
        self.committed: dict[int, int] = {}
        self.exists = dice.random() < 0.9
        """The topic; where it does not, it is made when somebody sends to it."""
        self.position: Callable[[int], int | None] = lambda _: None
        """The daemon's stored position, for judging whether what expires is lost."""
        self.wrong: list[str] = []
        self.power: Callable[[], None] = lambda: None
        """Raises where the daemon is dead."""
        self.nursery: trio.Nursery
        self.theirs: set[int] = set()
        """Partitions of the group's other member."""
        self.dice = dice
        self.trace = trace
        self._consumer: Consumer | None = None
        self._ghosts: list[float] = []
        self._generation = 0

    # ---------------------------------------------------------------------- the far side
    def append(self, partition: int, body: Json) -> None:
        """A record arrives, now and then behind a mark."""
        if not self.exists:
            self.exists = True
            self.trace.say("kafka", "the topic is there now")
        log = self.logs[partition]
        if self.dice.random() < 0.2:
            log.entries.append(None)
        log.entries.append(Appended(body))
        self.appended.append(log.entries[-1])  # type: ignore[arg-type]
        self.trace.say("kafka", f"has {body} in partition {partition} at {log.end - 1}")
        if self.dice.random() < 0.2:
            log.entries.append(None)
        self.news()

    def news(self) -> None:
        """The consumer looks again."""
        if self._consumer is not None:
            self._consumer.look_again()

    def expire(self, partition: int) -> None:
        """The oldest records go."""
        log = self.logs[partition]
        self._lose(partition, self.dice.randint(0, len(log.entries)))
        self.trace.say("kafka", f"partition {partition} begins at {log.start}")

    def make_anew(self, partition: int) -> None:
        """The log begins at 0, empty; the group's offset may survive that.

        Once: a second one could be as long as the first was read, and nobody can tell them apart.
        """
        log = self.logs[partition]
        if log.made:
            return
        self._lose(partition, len(log.entries))
        log.start, log.made = 0, log.made + 1
        if self.dice.random() < 0.7:
            self.committed.pop(partition, None)
        self.trace.say("kafka", f"partition {partition} is made anew")
        self.news()

    def _lose(self, partition: int, number: int) -> None:
        """What the daemon cannot have had is not its fault; below its position it is."""
        log, position = self.logs[partition], self.position(partition)
        if position is None or position > log.end:
            position = 0
        for offset, each in log.forget(number):
            each.lost |= offset >= position

    async def call(self) -> None:
        """A request to the brokers."""
        self.power()
        await trio.sleep(self.dice.choice((0, 0, 0.05)))
        if self.dice.random() < self.trouble / 4:
            self.trace.seen("kafka call fails")
            await trio.sleep(self.dice.choice((0, 0.5, 6)))
            self.power()
            raise self.dice.choice((KafkaTimeoutError, RequestTimedOutError, NodeNotReadyError))()
        if self.dice.random() < self.trouble / 4:
            self.trace.seen("kafka call is slow")
            await trio.sleep(2)
        self.power()

    # -------------------------------------------------------------------------- the group
    def consumer(self, **settings: Any) -> Consumer:
        """As ``AIOKafkaConsumer``."""
        self._consumer = Consumer(self, settings)
        return self._consumer

    def cut(self) -> None:
        """The daemon is gone and has said nothing."""
        if self._consumer is not None:
            self._consumer.scope.cancel()
            if self._consumer.generation >= 0:
                self._ghosts.append(trio.current_time() + SESSION_SECONDS)
            self._consumer = None

    async def join(self, consumer: Consumer) -> set[TopicPartition]:
        """Wait until the group knows who is there; returns what is the consumer's."""
        await self.call()
        while self._ghosts and self._consumer is consumer:
            self.trace.seen("kafka: a dead member is waited for")
            await trio.sleep_until(self._ghosts.pop())
        await self.call()
        self._generation += 1
        consumer.generation = self._generation
        ours = set(range(len(self.logs))) - self.theirs if self.exists else set()
        self.trace.say("kafka", "assigns", sorted(ours))
        return {TopicPartition(TOPIC, number) for number in ours}

    def leave(self, consumer: Consumer) -> None:
        """It said goodbye."""
        consumer.generation = -1
        if self._consumer is consumer:
            self._consumer = None

    def check(self, consumer: Consumer) -> None:
        """Raises CommitFailedError for one that the group does not know any more."""
        if consumer.generation != self._generation:
            self.trace.seen("kafka: a commit is fenced")
            raise CommitFailedError

    def disturb(self) -> None:
        """A rebalance, for whatever reason; the consumer hears of it with its next heartbeat."""
        if self._consumer is not None:
            self._consumer.rejoin.set()

    def fence(self) -> None:
        """The group has given the consumer up, which hears of it later."""
        if self._consumer is not None and self._consumer.generation >= 0:
            self._generation += 1
            self.trace.seen("kafka: fenced")
            self.disturb()

    def fail_membership(self) -> None:
        """What only a poll hears of."""
        if self._consumer is not None:
            self.trace.seen("kafka: the membership fails")
            self._consumer.failure = GroupAuthorizationFailedError(GROUP)
            self._consumer.look_again()

    async def other_member(self) -> None:
        """Another daemon, with a store of its own, takes part in the group for a while."""
        numbers = range(len(self.logs))
        self.theirs = {n for n in numbers if self.dice.random() < 0.6} if self.exists else set()
        self.trace.seen("kafka: another member")
        self.trace.say("kafka", "another member wants", self.theirs)
        consumer, before = self._consumer, self._generation
        self.disturb()
        with trio.move_on_after(SESSION_SECONDS):
            while consumer is not None and consumer is self._consumer:
                if self._generation > before and consumer.generation == self._generation:
                    break
                await trio.sleep(1)
            else:
                await trio.sleep_forever()
        if consumer is self._consumer and consumer is not None and self._generation == before:
            self.fence()
        for _ in range(self.dice.randint(1, 4)):
            await trio.sleep(self.dice.random() * 6)
            for number in sorted(self.theirs):
                self._read_elsewhere(number)
        self.theirs = set()
        self.trace.say("kafka", "the other member leaves")
        self.disturb()

    def _read_elsewhere(self, number: int) -> None:
        log = self.logs[number]
        at = self.committed.get(number, log.start)
        at = at if log.start <= at <= log.end else log.start
        until = min(log.end, at + self.dice.randint(0, 3))
        for entry in log.entries[at - log.start : until - log.start]:
            if entry is not None:
                entry.elsewhere = True
                self.trace.seen("kafka: a record is taken elsewhere")
        self.committed[number] = until


class Consumer:
    """``AIOKafkaConsumer`` with ``auto_offset_reset`` none and a subscription by pattern."""

    def __init__(self, cluster: Cluster, settings: Mapping[str, Any]) -> None:
        assert settings["auto_offset_reset"] == "none"
        assert not settings["enable_auto_commit"]
        self.scope = trio.CancelScope()
        self.rejoin = trio.Event()
        self.generation = -1
        self.failure: KafkaError | None = None
        self._cluster = cluster
        self._dice = cluster.dice
        self._positions: dict[TopicPartition, int | None] = {}
        self._paused: set[TopicPartition] = set()
        self._pattern = re.compile("")
        self._listener: Any = None
        self._subscribed: set[str] = set()
        self._rejoining = True
        self._news = trio.Event()

    def look_again(self) -> None:
        """A poll that waits has something to see."""
        self._news.set()
        self._news = trio.Event()

    async def start(self) -> None:
        """Reach the cluster."""
        try:
            await self._cluster.call()
        except KafkaError as error:
            raise KafkaConnectionError from error

    async def stop(self) -> None:
        """Leave the group."""
        self.scope.cancel()
        await self._cluster.call()
        self._cluster.leave(self)

    def subscribe(self, *, pattern: str, listener: Any) -> None:
        """Join the group for what exists and matches."""
        fresh = self._listener is None
        self._pattern, self._listener = re.compile(pattern), listener
        before, self._subscribed = self._subscribed, self._matching()
        if fresh or before != self._subscribed:
            self.rejoin.set()
        if fresh:
            self._cluster.nursery.start_soon(self._coordinate)

    def subscription(self) -> set[str]:
        """Topics that existed and matched when this was last looked at."""
        return self._subscribed

    def _matching(self) -> set[str]:
        return {TOPIC} if self._cluster.exists and self._pattern.match(TOPIC) else set()

    async def topics(self) -> set[str]:
        """All topics."""
        await self._cluster.call()
        return {TOPIC} if self._cluster.exists else set()

    async def _coordinate(self) -> None:
        with self.scope:
            while True:
                await self.rejoin.wait()
                await trio.sleep(self._dice.random() * 3)
                self.rejoin = trio.Event()
                self._rejoining = True
                await self._tell(self._listener.on_partitions_revoked)
                self._subscribed = self._matching()
                assigned = await self._joined()
                self._positions, self._paused = dict.fromkeys(sorted(assigned)), set()
                self._rejoining = False
                await self._tell(self._listener.on_partitions_assigned)
                self.look_again()

    async def _joined(self) -> set[TopicPartition]:
        while True:
            try:
                return await self._cluster.join(self)
            except KafkaError:
                await trio.sleep(0.25)

    async def _tell(self, listener: Callable[[set[TopicPartition]], Any]) -> None:
        try:
            await listener(set(self._positions))
        except Exception as bug:
            self._cluster.wrong.append(f"the listener has failed: {bug!r}")

    # ------------------------------------------------------------------------- positions
    def partitions_for_topic(self, _topic: str) -> set[int]:
        """All that there are."""
        return set(range(len(self._cluster.logs)))

    def assignment(self) -> set[TopicPartition]:
        """What is ours."""
        return set(self._positions)

    def _own(self, partitions: Iterable[TopicPartition]) -> None:
        for each in partitions:
            if each not in self._positions:
                raise IllegalStateError(f"Partition {each} is not assigned")

    def pause(self, *partitions: TopicPartition) -> None:
        """Fetch nothing of these."""
        self._own(partitions)
        self._paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Fetch them again."""
        self._own(partitions)
        self._paused.difference_update(partitions)
        self.look_again()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Fetch from there."""
        self._own([partition])
        self._positions[partition] = offset
        self.look_again()

    async def position(self, partition: TopicPartition) -> int:
        """Where the next fetch begins."""
        self._own([partition])
        found = self._positions[partition]
        assert found is not None, "a position is asked for before it is sought"
        return found

    async def committed(self, partition: TopicPartition) -> int | None:
        """The group's offset."""
        await self._cluster.call()
        return self._cluster.committed.get(partition.partition)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set the group's offsets, if the group still knows us."""
        await self._cluster.call()
        self._own(offsets)
        self._cluster.check(self)
        self._cluster.committed.update({at.partition: n for at, n in offsets.items()})
        self._cluster.trace.say("kafka", "commits", sorted(offsets.values()))

    async def beginning_offsets(self, partitions: Iterable[Any]) -> dict[Any, int]:
        """Where the logs begin."""
        await self._cluster.call()
        return {each: self._cluster.logs[each.partition].start for each in partitions}

    async def end_offsets(self, partitions: Iterable[Any]) -> dict[Any, int]:
        """Where they end."""
        await self._cluster.call()
        return {each: self._cluster.logs[each.partition].end for each in partitions}

    async def offsets_for_times(self, moments: Mapping[Any, int]) -> dict[Any, Any]:
        """Every record is younger than what is asked for here."""
        starts = await self.beginning_offsets(moments)
        ends = await self.end_offsets(moments)
        return {
            each: SimpleNamespace(offset=at) if at < ends[each] else None
            for each, at in starts.items()
        }

    # ------------------------------------------------------------------------ fetching
    async def getmany(self, *, timeout_ms: int) -> dict[TopicPartition, list[Any]]:
        """What has come; waits for it, and for an assignment even longer."""
        until = trio.current_time() + timeout_ms / 1000
        while True:
            self._cluster.power()
            news = self._news
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise failure
            if not self._rejoining:
                found = self._fetched()
                if found or not timeout_ms or trio.current_time() >= until:
                    await trio.lowlevel.checkpoint()
                    return found
            elif not timeout_ms:
                timeout_ms, until = 1, trio.current_time() + 1
            with trio.move_on_at(until if not self._rejoining else float("inf")) as waiting:
                await news.wait()
            if not waiting.cancelled_caught and not self._rejoining:
                until = min(until, trio.current_time() + 0.1)

    def _fetched(self) -> dict[TopicPartition, list[Any]]:
        """Records, or an error; what has been drained is given before an error is raised."""
        found: dict[TopicPartition, list[Any]] = {}
        for each, position in self._positions.items():
            error = self._error(each, position)
            if error is not None and not any(found.values()):
                raise error
            if error is None and position is not None and each not in self._paused:
                found[each] = self._fetch(each, self._cluster.logs[each.partition], position)
        return {each: records for each, records in found.items() if records}

    def _error(self, each: TopicPartition, position: int | None) -> KafkaError | None:
        if position is None:
            unknown = each.partition not in self._cluster.committed
            return (
                NoOffsetForPartitionError(each) if unknown and self._dice.random() < 0.3 else None
            )
        log = self._cluster.logs[each.partition]
        if each in self._paused or log.start <= position <= log.end:
            return None
        self._cluster.trace.seen("kafka: out of range")
        return OffsetOutOfRangeError({each: position})

    def _fetch(self, at: TopicPartition, log: Log, position: int) -> list[Any]:
        entries = log.entries[position - log.start :][: self._dice.randint(1, 5)]
        if entries:
            self._cluster.trace.say(
                "kafka", f"gives {at.partition} from {position}: {len(entries)}"
            )
        if entries and self._dice.random() < self._cluster.trouble / 4:
            self._cluster.trace.seen("kafka: a batch is damaged")
            entries = entries[: self._dice.randrange(len(entries))]
            where = position + len(entries)
            self._cluster.trace.say("kafka", f"{at.partition} is damaged at {where}")
            damages.get()[at] = Damaged(Partition(*at), where, "Invalid CRC")
        self._positions[at] = position + len(entries)
        for entry in entries:
            if entry is not None:
                if entry.given:
                    self._cluster.trace.seen("kafka: a record comes again")
                entry.given += 1
        return [
            record(at, position + n, entry.body, log.made)
            for n, entry in enumerate(entries)
            if entry is not None
        ]


def record(at: TopicPartition, offset: int, body: Json, made: int) -> Any:
    """As aiokafka's ``ConsumerRecord``."""
    return SimpleNamespace(
        topic=at.topic,
        partition=at.partition,
        offset=offset,
        timestamp=1_700_000_000_000 + offset + 1000 * made,
        timestamp_type=0,
        key=None,
        value=orjson.dumps(body),
        headers=(),
    )
