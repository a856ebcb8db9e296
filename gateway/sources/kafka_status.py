"""What a Kafka source says of itself: its state, its lag, and what keeps it from reading."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.sources.kafka import KafkaSource
from gateway.sources.kafka_events import Damaged, Health, Partition
from gateway.sources.protocol import Intake


class Status:
    """Gathers and reports. It outlives connections, so that counts do not begin anew."""

    def __init__(self, source: KafkaSource, intake: Intake) -> None:
        self._source = source
        self._intake = intake
        self._log = intake.log.bind(group=source.group)
        self._troubles: dict[str, str] = {}
        self._ends: Mapping[Partition, int] | None = None
        """None while the brokers have not been asked about what is assigned now."""
        self._joined = False
        """Whether the group has given us a share, be it an empty one."""
        self._positions: dict[Partition, int | None] = {}
        self._out_of_range = 0
        intake.report("starting")

    def assigned(self, positions: Mapping[Partition, int | None]) -> None:
        """These partitions are ours; None where nothing has been read yet."""
        self._joined = True
        self._positions = dict(positions)
        self._ends = None
        # What held up an earlier connection is over; a topic may still be missing.
        self._troubles = {place: why for place, why in self._troubles.items() if place == "topics"}
        self._log.info("kafka partitions assigned", partitions=sorted(map(str, positions)))
        self._report()

    def settled(self, partition: Partition, offset: int) -> None:
        """Everything below the offset is on disk."""
        self._positions[partition] = offset

    def out_of_range(self, partition: Partition, position: int, next_offset: int) -> None:
        """The log no longer has our position."""
        self._out_of_range += 1
        self._log.warning(
            "kafka position is no longer in the log; reading goes on at `start`",
            partition=str(partition),
            position=position,
            next_offset=next_offset,
        )
        self._report()

    def damaged(self, partition: Partition, damaged: Damaged | None) -> None:
        """The partition cannot be read on; None where it can."""
        reason = None
        if damaged is not None:
            behind = f"{self._source.group} {partition.topic} {partition.partition} OFFSET"
            reason = (
                f"{partition} cannot be read at offset {damaged.offset}: {damaged.reason}; it is "
                f"tried again, and `stategate positions set {behind}` goes on behind it"
            )
        self.trouble(f"log of {partition}", reason)

    def health(self, health: Health) -> None:
        """What the brokers said when last asked."""
        # Whoever joins again has nothing assigned yet, and that is not: nothing waits.
        if health.away is None and self._joined and health.ends.keys() >= self._positions.keys():
            self._ends = health.ends
        self._note("brokers", health.away and f"no answer from the brokers: {health.away}")
        absent = ", ".join(health.missing)
        self._note(
            "topics", absent and f"waiting for what does not exist or may not be read: {absent}"
        )
        self._report()

    def trouble(self, place: str, reason: str | None) -> None:
        """Something keeps us from reading or taking; None when it is over."""
        if self._note(place, reason):
            self._report()

    def _note(self, place: str, reason: str | None) -> bool:
        """Whether this is news, which is then logged once."""
        if (reason or None) == self._troubles.get(place):
            return False
        if reason:
            self._troubles[place] = reason
            self._log.warning("kafka source is held up", place=place, reason=reason)
        else:
            del self._troubles[place]
            self._log.info("kafka source goes on", place=place)
        return True

    def _report(self) -> None:
        state = "backing-off" if self._troubles else "running"
        self._intake.report(
            state,
            reason="; ".join(dict.fromkeys(self._troubles.values())) or None,
            partitions=len(self._positions),
            lag=self._lag(),
            out_of_range=self._out_of_range,
        )

    def _lag(self) -> int | None:
        """Records that wait for us, as of the last look at the brokers; None before there was one:
        that nothing waits would be good news, and nobody has said so."""
        if self._ends is None:
            return None
        return sum(
            max(0, end - (self._positions.get(partition) or 0))
            for partition, end in self._ends.items()
        )
