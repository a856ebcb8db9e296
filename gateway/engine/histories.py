"""The pages of GetExecutionHistory, folded along once and not anew for each page.

A *reader* stays in memory for a while: the state folded up to some event, and the last events
before that. The next page goes on from there, and so does one that is asked for when the execution
has gone on meanwhile: a history only ever grows. Whatever a reader does not hold any more is folded
again from the first record, so dropping one costs time and changes nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from itertools import chain
from sys import getsizeof
from typing import Final, NamedTuple

import orjson
import trio

from gateway.asl.codec import decode, document_numbers
from gateway.asl.events import Event, Shown, history
from gateway.asl.execution import Execution
from gateway.asl.frame import Identity
from gateway.errors import ApiError
from gateway.store.protocol import Store
from gateway.store.rows import ExecutionRow

READERS: Final = 16
ALL_BYTES: Final = 64 * 1024 * 1024
"""Of all readers."""
WINDOW_BYTES: Final = 32 * 1024 * 1024
"""Of the events that one reader keeps. An execution of 25,000 events of 500 characters fits."""
PAGE_BYTES: Final = 32 * 1024 * 1024
"""Of a page, whose events show their documents again and again. A hundred events of AWS's largest
inputs fit."""
KEEP_SECONDS: Final = 60.0
"""So long a reader waits for the next page."""
_ROWS: Final = 25
"""Read at a time; a row has up to 1,000 records."""
_EVENTS_BETWEEN_TURNS: Final = 250
_EVENT_BYTES: Final = 550
"""Measured, the texts apart."""
_DOCUMENT_FACTOR: Final = 5
"""A parsed document takes up to so many times the bytes of its text."""


class HistoryPage(NamedTuple):
    """Some events in the order asked for; fewer than were asked for where they are large."""

    events: list[Event]
    """With botocore's member names; ``timestamp`` in ms. They are shared: not to be changed."""
    after: int | None
    """Where the next page goes on; None on the last."""


class _Reader:
    """Holds the events ``first`` … ``end - 1`` (counted from 0) and the state after the last."""

    def __init__(self, store: Store, number: int, identity: Identity) -> None:
        self._store = store
        self._number = number
        self._identity = identity
        self.lock = trio.Lock()
        self.used_at = 0.0
        self.rewind()

    def rewind(self) -> None:
        """Hold nothing, as in the beginning."""
        self._execution = Shown(self._identity, orjson.loads(self._identity.input))
        self._events: list[Event] = []
        self._first = 0
        self._bytes = 0

    @property
    def _end(self) -> int:
        return self._first + len(self._events)

    def bytes(self) -> int:
        """What it takes in memory, about."""
        frames = self._execution.frames.values()
        joins = ((frame.join.items, frame.join.results) for frame in frames if frame.join)
        held = [self._execution.input, *(frame.data for frame in frames), *chain(*joins)]
        distinct = {id(document): document for document in held}.values()
        return self._bytes + sum(len(orjson.dumps(each)) for each in distinct) * _DOCUMENT_FACTOR

    async def forwards(self, size: int, after: int | None) -> HistoryPage:
        """The page that begins at ``after``."""
        begin = after or 0
        end = begin + size
        # One more event than the page has: whether there is another page.
        await self._hold(begin, end + 1)
        events = _fitting(self._slice(begin, end))
        end = begin + len(events)
        return HistoryPage(events, end if end < self._end else None)

    async def backwards(self, size: int, after: int | None) -> HistoryPage:
        """The page that ends before ``after``, newest first.

        Places count from the first event: counted from the last one, they would shift while the
        execution runs.
        """
        if after is None:
            while await self._read_more(self._end - size):
                pass
            after = self._end
        begin = max(after - size, 0)
        await self._hold(begin, after)
        held = self._slice(begin, after)
        events = _fitting(held[::-1])
        return HistoryPage(events, begin + len(held) - len(events) or None)

    async def everything(self) -> list[Event]:
        """All events, of a reader that has read nothing yet."""
        while await self._read_more(0):
            pass
        return self._events

    def _slice(self, begin: int, end: int) -> list[Event]:
        return self._events[begin - self._first : end - self._first]

    async def _hold(self, begin: int, end: int) -> None:
        """Have the events from ``begin`` to before ``end``, as far as there are so many."""
        if begin < self._first:
            self.rewind()
        while self._end < end and await self._read_more(begin):
            pass

    async def _read_more(self, needed: int) -> bool:
        """Fold some more rows; whether there were any. Events from ``needed`` on are kept."""
        rows = await self._store.history(self._number, self._execution.sequence, _ROWS)
        wanted = [number for row in rows for number in document_numbers(row.records)]
        documents = await self._store.documents(self._number, wanted) if wanted else {}
        for row in rows:
            step = decode(row.records, row.format, documents)
            for event in history(self._execution, [(row.at, step)]):
                self._events.append(event)
                self._bytes += _size(event)
                if self._end % _EVENTS_BETWEEN_TURNS == 0:
                    await trio.lowlevel.checkpoint()
        self._trim(needed)
        return bool(rows)

    def _trim(self, needed: int) -> None:
        """Let go of the oldest events where there is no room, a quarter of the room at a time."""
        if self._bytes <= WINDOW_BYTES:
            return
        gone = 0
        while self._bytes > WINDOW_BYTES * 3 // 4 and self._first + gone < needed:
            self._bytes -= _size(self._events[gone])
            gone += 1
        del self._events[:gone]
        self._first += gone


class Histories:
    """The readers, those that were used last at the end."""

    def __init__(self, store: Store, born: Callable[[ExecutionRow], Awaitable[Execution]]) -> None:
        """``born`` gives an execution before its first record."""
        self._store = store
        self._born = born
        self._readers: OrderedDict[int, _Reader] = OrderedDict()
        self._used = trio.Event()

    async def page(
        self, row: ExecutionRow, size: int, after: int | None, *, newest_first: bool
    ) -> HistoryPage:
        """Up to ``size`` events; ``after`` is what the page before said, None for the first one.

        Raises ApiError ExecutionDoesNotExist where retention has deleted the execution meanwhile.
        """
        try:
            page = await self._page(row, size, after, newest_first)
        except LookupError:
            # A document or the definition went between two reads.
            await self._must_be_there(row)
            raise
        # What went while it was read has left a page with gaps, or one that looks like the last.
        await self._must_be_there(row)
        if after is None and page.after is None and row.status != "RUNNING":
            self._readers.pop(row.id, None)
        self._make_room()
        return page

    async def _page(
        self, row: ExecutionRow, size: int, after: int | None, newest_first: bool
    ) -> HistoryPage:
        reader = await self._reader(row)
        async with reader.lock:
            read = reader.backwards if newest_first else reader.forwards
            try:
                return await read(size, after)
            except BaseException:
                # It may have folded half a row.
                reader.rewind()
                raise

    async def _must_be_there(self, row: ExecutionRow) -> None:
        if await self._store.execution_by_id(row.id) is None:
            message = f"Execution Does Not Exist: '{row.arn}'"
            raise ApiError("ExecutionDoesNotExist", message)

    async def whole(self, row: ExecutionRow) -> list[Event]:
        """All events; nothing stays in memory."""
        return await (await self._new(row)).everything()

    async def forget_unused(self) -> None:
        """Let go of readers that nobody has used for a while, until cancelled."""
        while True:
            await self._used.wait()
            while self._readers:
                await trio.sleep(KEEP_SECONDS)
                before = trio.current_time() - KEEP_SECONDS
                for number, reader in list(self._readers.items()):
                    if reader.used_at <= before:
                        del self._readers[number]
            self._used = trio.Event()

    async def _reader(self, row: ExecutionRow) -> _Reader:
        reader = self._readers.get(row.id) or await self._new(row)
        reader = self._readers.setdefault(row.id, reader)
        self._readers.move_to_end(row.id)
        reader.used_at = trio.current_time()
        self._used.set()
        return reader

    async def _new(self, row: ExecutionRow) -> _Reader:
        return _Reader(self._store, row.id, (await self._born(row)).identity)

    def _make_room(self) -> None:
        sizes = {number: reader.bytes() for number, reader in self._readers.items()}
        room = ALL_BYTES - sum(sizes.values())
        for number, size in sizes.items():
            if room >= 0 and len(self._readers) <= READERS:
                return
            del self._readers[number]
            room += size


def _fitting(events: list[Event]) -> list[Event]:
    """The first of the events, as many as a page has room for: one at least."""
    size = 0
    for place, event in enumerate(events):
        size += _size(event)
        if size > PAGE_BYTES and place:
            return events[:place]
    return events


def _size(event: Event) -> int:
    """What an event takes in memory, about."""
    size = _EVENT_BYTES
    for details in event.values():
        if type(details) is dict:
            for text in details.values():
                if type(text) is str:
                    size += getsizeof(text)
    return size
