"""What aiokafka does with a batch that it cannot read.

A poll that comes upon one raises, says nothing of the place, and takes with it what it had of other
partitions. Here the batch is read after all where only the name of a header is no UTF-8, and where
it is damaged, the poll gives what came before, and the place is in ``damages``.

aiokafka lets nobody in at that place, hence two names of its fetcher are replaced when this is
imported. Other consumers of this process get such names, too, and raise as ever at damages.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from itertools import islice
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from gateway.sources.kafka_events import Damaged, Partition

damages: ContextVar[dict[TopicPartition, Damaged]] = ContextVar("damages")
"""What the polls of a loop came upon. Where it is not set, they raise as aiokafka does."""


class _Batches(_MemoryRecordsPy):  # type: ignore[misc] # aiokafka has no types
    """The batches of a fetch."""

    def next_batch(self) -> Any:
        """The next one; those of control records and of the old formats have no headers."""
        raw = self._next_slice
        batch = super().next_batch()
        readable = not isinstance(batch, DefaultRecordBatch) or batch.is_control_batch
        return batch if readable else _Batch(batch, raw)


class _Batch:
    """A batch of aiokafka, whose headers may have any name."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        count = 0
        try:
            for record in self._batch:
                yield record
                count += 1
        except UnicodeDecodeError:
            yield from islice(_LenientBatch(self._raw), count, None)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """Reads more slowly, and every byte that is no UTF-8 in a name as ``\\xff``."""

    _buffer: bytearray

    def _maybe_uncompress(self) -> None:
        super()._maybe_uncompress()
        self._buffer = _Bytes(self._buffer)


class _Bytes(bytearray):
    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return _Name(found) if isinstance(place, slice) else found


class _Name(bytearray):
    def decode(self, *_: str) -> str:
        return bytes(self).decode(errors="backslashreplace")


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of a fetch of one partition, up to what is damaged."""

    def __next__(self) -> Any:
        try:
            return super().__next__()
        except StopIteration:
            raise
        except Exception as error:
            found = damages.get(None)
            if found is None:
                raise
            # aiokafka's own words, without the partition.
            reason = str(error.args[0] if error.args else type(error).__name__).split(" - ")[0]
            found[self._tp] = Damaged(Partition(*self._tp), self.next_fetch_offset, reason)
            raise StopIteration from None


fetcher.MemoryRecords = _Batches
fetcher.PartitionRecords = _Records
