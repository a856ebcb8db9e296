"""The asyncio island: one thread, one event loop, one aiokafka consumer.

asyncio appears nowhere else. What may live here is what needs the consumer: joining the group,
seeking, polling, pausing, committing. Everything that is decided about messages lives on the trio
side (``kafka_group``, ``kafka_partition``). Events go there through ``post``; commands come back as
calls of ``begin``, ``settle``, ``release`` and ``stop``, from any thread. One ``KafkaLoop`` is one
connection to the cluster: when it fails, ``run`` raises Unavailable, and the trio side makes a new
one that goes on from the stored positions.
"""

from __future__ import annotations

import asyncio  # noqa: TID251 - this is the island
import contextlib
import itertools
import re
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.errors import (
    CommitFailedError,
    KafkaConnectionError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from gateway.errors import Unavailable
from gateway.sources.kafka import KafkaSource
from gateway.sources.kafka_batches import damages
from gateway.sources.kafka_client import consumer_settings
from gateway.sources.kafka_cursor import Cursor
from gateway.sources.kafka_events import (
    Assigned,
    Batch,
    Damaged,
    Event,
    Health,
    OutOfRange,
    Partition,
    Record,
    Revoked,
)
from gateway.sources.kafka_look import look, reason_of
from gateway.sources.kafka_offsets import known_offsets, start_offsets

POLL_SECONDS = 0.1
UPKEEP_SECONDS = 1.0
"""Between two commits to the broker, and between two looks for a topic that is missing."""
UPKEEPS_PER_LOOK = 5
"""Upkeeps between two looks at the ends of the partitions and if brokers answer, and between two
tries to read what is damaged."""
LOOK_SECONDS = 3.0
RELEASE_SECONDS = 4.0
"""What a rebalance waits for work in flight; below the shortest usual session timeout of 6 s."""
COMMIT_SECONDS = 1.0
CLOSE_SECONDS = 3.0
PLACE_SECONDS = 10.0
LEAVE_SECONDS = 3.0
"""How long a broker may take until it knows a group whose members have left to be empty."""


@dataclass(slots=True)
class _Assignment:
    """One generation: its partitions, and their cursors once ``begin`` has placed them."""

    generation: int = 0
    rows: Mapping[Partition, int] | None = None
    """The stored positions, from ``begin`` until they are applied."""
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when ``rows`` are there."""
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the trio side has ended all work of the generation."""
    placed: bool = False
    """Every partition has been sought to its position."""
    cursors: dict[Partition, Cursor] = field(default_factory=dict)


class KafkaLoop(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """One connection; see the module. ``post`` is called in the loop's thread."""

    def __init__(self, settings: KafkaSource, post: Callable[[Event], None]) -> None:
        self._settings = settings
        self._post = post
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._assignment = _Assignment()
        self._seen: dict[str, frozenset[int]] = {}
        """The partitions of each topic when reading it began; who shares them out may know less."""
        self._damages: dict[TopicPartition, Damaged] = {}
        self._resting: set[TopicPartition] = set()
        """Whose log is damaged where they are read, until they are tried again."""
        self._consumer: AIOKafkaConsumer

    def run(self) -> None:
        """Read until ``stop``, in the calling thread. Raises Unavailable when the cluster cannot be
        used; anything else is a bug."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    # Commands of the trio side

    def begin(self, generation: int, rows: Mapping[Partition, int]) -> None:
        """Answer to Assigned: the stored position of each partition that has one."""
        self._call(self._on_begin, generation, rows)

    def settle(self, generation: int, partition: Partition, offset: int, *, last: bool) -> None:
        """Everything below ``offset`` is on disk; ``last`` says that the batch is done with it."""
        self._call(self._on_settle, generation, partition, offset, last)

    def release(self, generation: int) -> None:
        """Answer to Revoked: no work of the generation goes on."""
        self._call(self._on_release, generation)

    def stop(self) -> None:
        """Commit what is settled, leave the group and let ``run`` return, within seconds."""
        self._call(self._stopping.set)

    def _call(self, command: Callable[..., None], *args: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody is left to tell
            self._loop.call_soon_threadsafe(command, *args)

    def _on_begin(self, generation: int, rows: Mapping[Partition, int]) -> None:
        if generation == self._assignment.generation:
            self._assignment.rows = rows
            self._assignment.arrived.set()

    def _on_settle(self, generation: int, partition: Partition, offset: int, last: bool) -> None:
        cursor = self._assignment.cursors.get(partition)
        if generation != self._assignment.generation or cursor is None:
            return
        cursor.settle(offset, last=last)
        if not cursor.full and partition in self._consumer.assignment():
            self._consumer.resume(TopicPartition(*partition))

    def _on_release(self, generation: int) -> None:
        if generation == self._assignment.generation:
            self._assignment.released.set()

    # What aiokafka calls at a rebalance

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let the trio side end its work, and leave the next owner our last offsets."""
        assignment = self._assignment  # eager rebalancing: it is always all of it
        if assignment.generation == 0:  # the first join: there was nothing to lose
            return
        self._post(Revoked(assignment.generation))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await assignment.released.wait()
        await self._commit()
        assignment.cursors.clear()

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Read nothing before the stored positions are known."""
        self._assignment.arrived.set()  # whoever waits for the old one looks again
        self._assignment = _Assignment(self._assignment.generation + 1)
        self._damages.clear()
        self._resting.clear()
        self._consumer.pause(*assigned)
        partitions = frozenset(Partition(*topic_partition) for topic_partition in assigned)
        self._post(Assigned(self._assignment.generation, partitions))

    # The loop's own work

    async def _main(self) -> None:
        damages.set(self._damages)
        self._consumer = AIOKafkaConsumer(**consumer_settings(self._settings))
        try:
            await _race(self._stopping.wait(), self._serve())
        except KafkaError as error:
            raise Unavailable(reason_of(error)) from error
        finally:
            await self._commit()
            await _close(self._consumer)

    async def _serve(self) -> None:
        try:
            await self._consumer.start()
        except KafkaConnectionError as error:
            brokers = ", ".join(self._settings.brokers)
            reason = f"no broker could be reached and logged in to at {brokers}"
            raise Unavailable(reason) from error
        self._subscribe()
        await _race(self._read(), self._upkeep())

    def _subscribe(self) -> None:
        """Subscribe by pattern, since asking for a topic by name could create it on the broker; one
        that is missing is noticed when it appears. Subscribing again asks for the topics anew."""
        topics = "|".join(map(re.escape, self._settings.topics))
        self._consumer.subscribe(pattern=rf"^(?:{topics})$", listener=self)

    async def _read(self) -> None:
        while True:
            assignment = self._assignment
            if assignment.placed:
                await self._poll(assignment)
            elif await self._arrived(assignment):
                await self._place(assignment)

    async def _arrived(self, assignment: _Assignment) -> bool:
        """Wait for the rows of the assignment; now and then ask whether the membership failed, of
        which aiokafka tells only who polls. The poll brings nothing: what is assigned is paused."""
        try:
            async with asyncio.timeout(UPKEEP_SECONDS):
                await assignment.arrived.wait()
        except TimeoutError:
            with contextlib.suppress(NoOffsetForPartitionError, OffsetOutOfRangeError):
                await self._consumer.getmany(timeout_ms=0)
            return False
        return True

    async def _place(self, assignment: _Assignment) -> None:
        """Seek each partition to where it was left, else to the start, and let it be read."""
        assignment.arrived.clear()
        if assignment.rows is None:
            return
        partitions = self._consumer.assignment()
        known = await known_offsets(self._consumer, partitions, assignment.rows)
        offsets = known | await self._first_offsets(partitions - known.keys())
        if assignment is not self._assignment or partitions != self._consumer.assignment():
            return
        for partition, offset in offsets.items():
            self._consumer.seek(partition, offset)
            handed = assignment.rows.get(Partition(*partition), -1)
            assignment.cursors[Partition(*partition)] = Cursor(handed)
        self._consumer.resume(*offsets)
        assignment.placed = True
        for topic in {partition.topic for partition in partitions} - self._seen.keys():
            self._seen[topic] = frozenset(self._consumer.partitions_for_topic(topic) or ())

    async def _first_offsets(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Where those begin of which nobody has read anything. One that was added to its topic
        while that was read has no past to leave out: whatever is in it came since."""
        added = [p for p in partitions if p.partition not in self._seen.get(p.topic, {p.partition})]
        others = [p for p in partitions if p not in added]
        found = await start_offsets(self._consumer, others, self._settings.start)
        return found | await start_offsets(self._consumer, added, "earliest")

    async def _poll(self, assignment: _Assignment) -> None:
        try:
            fetched = await self._consumer.getmany(timeout_ms=int(POLL_SECONDS * 1000))
        except OffsetOutOfRangeError as error:
            await self._start_again(assignment, error.args[0])
            return
        except NoOffsetForPartitionError:  # assigned while we polled: the next turn seeks it
            return
        if assignment is not self._assignment:
            # It may have been placed while it was being revoked, so that it has cursors. Nobody has
            # sought the positions of the new one, and asking for them could take for ever; what
            # was fetched of it already is fetched again when it is placed.
            return
        for partition, cursor in list(assignment.cursors.items()):
            await self._hand_over(partition, cursor, fetched.get(partition, ()))
            damaged = self._damages.pop(TopicPartition(*partition), None)
            # The same poll may have tried again, and come further.
            if damaged is not None and cursor.handed <= damaged.offset:
                self._rest(damaged)

    def _rest(self, damaged: Damaged) -> None:
        partition = TopicPartition(*damaged.partition)
        if partition in self._consumer.assignment():
            self._consumer.pause(partition)
            self._resting.add(partition)
            self._post(damaged)

    def _try_again(self) -> None:
        """Whoever has the log now may have it whole."""
        for partition in self._resting & self._consumer.assignment():
            cursor = self._assignment.cursors.get(Partition(*partition))
            if cursor is not None and not cursor.full:
                self._consumer.resume(partition)
        self._resting.clear()

    async def _hand_over(
        self, partition: Partition, cursor: Cursor, records: Sequence[Record]
    ) -> None:
        """Post what came, or that the log went on without anything for us."""
        ours = TopicPartition(*partition)
        if ours not in self._consumer.assignment() or cursor.full:
            return
        next_offset = await self._consumer.position(ours)  # known, hence at once
        if cursor.news(records, next_offset):
            self._post(Batch(partition, records, next_offset))
            cursor.hand(next_offset)
            if cursor.full:
                self._consumer.pause(ours)

    async def _start_again(
        self, assignment: _Assignment, lost: Mapping[TopicPartition, int]
    ) -> None:
        """The log no longer has these positions: go on at the start."""
        offsets = await start_offsets(self._consumer, list(lost), self._settings.start)
        if assignment is not self._assignment:
            return
        ours = [p for p in self._consumer.assignment() if Partition(*p) in assignment.cursors]
        moved = {partition: offsets[partition] for partition in ours if partition in offsets}
        for partition, offset in moved.items():
            self._consumer.seek(partition, offset)
            assignment.cursors[Partition(*partition)].move(offset)
        # Before our row goes back: the larger one counts, and at the next start the log may have
        # grown beyond the lost one.
        await self._commit()
        if assignment is not self._assignment:
            return
        for partition, offset in moved.items():
            self._post(OutOfRange(Partition(*partition), lost[partition], offset))

    async def _upkeep(self) -> None:
        """Commit, and look how the cluster is: now and then, or each time if something is wrong."""
        wrong = False
        for tick in itertools.count():
            await asyncio.sleep(UPKEEP_SECONDS)
            await self._commit()
            if wrong or tick % UPKEEPS_PER_LOOK == 0:
                health = await self._look()
                wrong = bool(health.missing or health.away)
                self._try_again()
                self._post(health)

    async def _look(self) -> Health:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await look(self._consumer, self._settings.topics, self._subscribe)
        except TimeoutError:
            return Health({}, (), away=f"none within {LOOK_SECONDS:g} s")

    async def _commit(self) -> None:
        """Tell the broker what is settled. Best effort: the rows are what counts."""
        cursors = self._assignment.cursors
        due = {partition: cursor.settled for partition, cursor in cursors.items() if cursor.due}
        if not due:
            return
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                await self._consumer.commit({TopicPartition(*p): at for p, at in due.items()})
        except (KafkaError, TimeoutError):
            return
        for partition, cursor in cursors.items():  # Those that were not revoked meanwhile.
            cursor.committed = due.get(partition, cursor.committed)


def commit_offset(settings: KafkaSource, partition: Partition, offset: int) -> None:
    """Set the group's offset at the broker, in the calling thread. Raises Unavailable when that
    cannot be done, above all while the group has members."""
    asyncio.run(_commit_offset(settings, TopicPartition(*partition), offset))


async def _commit_offset(settings: KafkaSource, partition: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(**consumer_settings(settings))
    try:
        async with asyncio.timeout(PLACE_SECONDS):
            await consumer.start()
            consumer.assign([partition])
            await _commit_when_empty(consumer, partition, offset)
    except CommitFailedError as error:
        raise Unavailable(f"the group {settings.group} has members; stop them first") from error
    except (KafkaError, TimeoutError) as error:
        raise Unavailable(reason_of(error)) from error
    finally:
        await _close(consumer)


async def _commit_when_empty(
    consumer: AIOKafkaConsumer, partition: TopicPartition, offset: int
) -> None:
    last = asyncio.get_running_loop().time() + LEAVE_SECONDS
    while True:
        try:
            await consumer.commit({partition: offset})
        except CommitFailedError:
            if asyncio.get_running_loop().time() > last:
                raise
            await asyncio.sleep(0.1)
        else:
            return


async def _close(consumer: AIOKafkaConsumer) -> None:
    with contextlib.suppress(KafkaError, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await consumer.stop()


async def _race(*contenders: Coroutine[Any, Any, Any]) -> None:
    """Run all of them until one ends, then end the others; raises what that one raised."""
    tasks = [asyncio.create_task(contender) for contender in contenders]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
