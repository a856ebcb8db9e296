"""GetExecutionHistory's pages are those of the whole history, folded once and held in bounds."""

from __future__ import annotations

import pytest
import trio

from gateway.engine import histories
from gateway.engine.engine import Engine
from gateway.engine.starts import StartRequest
from gateway.errors import ApiError
from gateway.store.memory import MemoryStore
from gateway.store.rows import ExecutionRow
from tests.engine.rig import ACTIVITY, TASK, machine, running, wait_status

TURNS = 120
LOOP = machine(
    Count={
        "Type": "Pass",
        "Parameters": {"turn.$": "States.MathAdd($.turn, 1)", "text.$": "$.text"},
        "Next": "Again",
    },
    Again={
        "Type": "Choice",
        "Choices": [{"Variable": "$.turn", "NumericLessThan": TURNS, "Next": "Count"}],
        "Default": "Work",
    },
    Work=TASK,
)
GIVEN = '{"turn": 0, "text": "' + "x" * 200 + '"}'
EVENTS = 4 * TURNS + 3
"""Until it waits for its task."""


class CountingStore(MemoryStore):
    """Counts the history rows that were read."""

    rows_read = 0

    async def history(self, execution, first=0, limit=None):
        """As the store has it."""
        rows = await super().history(execution, first, limit)
        self.rows_read += len(rows)
        return rows


async def start(engine: Engine, name: str = "a") -> ExecutionRow:
    """An execution of the loop, waiting for its task."""
    await engine.catalog.create_activity("work")
    row, _ = await engine.catalog.create_machine("m", LOOP)
    started = (await engine.start([StartRequest(row.arn, name, GIVEN)]))[0].row
    while len(await engine.history(started.arn)) < EVENTS:  # noqa: ASYNC110 - nothing tells
        await trio.sleep(0.1)
    return started


async def finish(engine: Engine) -> None:
    """Answer the task."""
    task = await engine.get_activity_task(ACTIVITY, None, 5)
    assert task is not None
    await engine.task_succeeded(task.token, '"done"')


async def read(engine: Engine, row: ExecutionRow, size: int, *, newest_first: bool) -> list:
    """All pages in a row; each but the last is full."""
    events, after = [], None
    while True:
        page = await engine.histories.page(row, size, after, newest_first=newest_first)
        events += page.events
        if page.after is None:
            return events
        assert len(page.events) == size
        after = page.after


@pytest.fixture(params=["roomy", "narrow"])
def window(request, monkeypatch):
    """Readers that keep all events, and such that keep a few."""
    if request.param == "narrow":
        monkeypatch.setattr(histories, "WINDOW_BYTES", 40_000)
        monkeypatch.setattr(histories, "_ROWS", 1)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("size", [1, 7, EVENTS - 1, EVENTS, EVENTS + 1])
async def test_pages_are_the_whole_history(autojump_clock, window, size, newest_first):
    """In both directions, for pages of any size, however few events stay in memory."""
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        whole = await engine.history(row.arn)
        assert [event["id"] for event in whole] == list(range(1, EVENTS + 1))
        pages = await read(engine, row, size, newest_first=newest_first)
        assert pages == whole[:: -1 if newest_first else 1]


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_page_of_large_events_is_shorter(autojump_clock, monkeypatch, newest_first):
    """An answer has a bound, however many events are asked for; the pages are still all of them."""
    monkeypatch.setattr(histories, "PAGE_BYTES", 10_000)
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        whole = await engine.history(row.arn)
        events, after, sizes = [], None, []
        while not sizes or after is not None:
            page = await engine.histories.page(row, 1000, after, newest_first=newest_first)
            events += page.events
            sizes.append(len(page.events))
            after = page.after
        assert events == whole[:: -1 if newest_first else 1]
        assert max(sizes) < 20
        monkeypatch.setattr(histories, "PAGE_BYTES", 1)
        page = await engine.histories.page(row, 1000, None, newest_first=newest_first)
        assert len(page.events) == 1


async def test_any_page_can_be_read_at_any_time(autojump_clock, window):
    """A token is good again, in any order: what a reader has let go is folded anew."""
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        whole = await engine.history(row.arn)
        for after in (400, 10, 200, 0, 470, 30):
            page = await engine.histories.page(row, 20, after, newest_first=False)
            assert (page.events, page.after) == (
                whole[after : after + 20],
                after + 20 if after + 20 < EVENTS else None,
            )
            page = await engine.histories.page(row, 20, after, newest_first=True)
            begin = max(after - 20, 0)
            assert (page.events, page.after) == (whole[begin:after][::-1], begin or None)


async def test_pages_of_a_running_execution_go_on_where_it_goes_on(autojump_clock, window):
    """What was shown stays as it was, what came meanwhile follows, and backwards no place shifts
    under a reader."""
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        before = await read(engine, row, 100, newest_first=False)
        newest = await engine.histories.page(row, 50, None, newest_first=True)
        await finish(engine)
        whole = await engine.history(row.arn)
        assert whole[-1]["type"] == "ExecutionSucceeded"
        assert whole[: len(before)] == before
        later = await engine.histories.page(row, 100, len(before), newest_first=False)
        assert (later.events, later.after) == (whole[EVENTS:], None)
        older = await engine.histories.page(row, 50, newest.after, newest_first=True)
        assert newest.events + older.events == whole[EVENTS - 100 : EVENTS][::-1]
        assert await read(engine, row, 100, newest_first=True) == whole[::-1]


async def test_a_token_of_a_longer_execution_of_the_name_shows_what_there_is(autojump_clock):
    """A place beyond the end is the end; nothing fails."""
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        whole = await engine.history(row.arn)
        beyond = await engine.histories.page(row, 5, 10_000, newest_first=False)
        assert beyond == ([], None)
        beyond = await engine.histories.page(row, 5, EVENTS + 2, newest_first=True)
        assert beyond == (whole[-3:][::-1], EVENTS - 3)


async def test_many_read_the_same_history_at_once(autojump_clock, window):
    """Readers of one execution take turns: each gets its own pages, whole."""
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        whole = await engine.history(row.arn)
        found = {}

        async def go(size, *, newest_first):
            found[size, newest_first] = await read(engine, row, size, newest_first=newest_first)

        async with trio.open_nursery() as nursery:
            for size in (3, 50, 1000):
                for newest_first in (False, True):
                    nursery.start_soon(lambda s=size, n=newest_first: go(s, newest_first=n))
        assert len(found) == 6
        for (_, newest_first), events in found.items():
            assert events == whole[:: -1 if newest_first else 1]


async def test_a_history_is_read_once_for_all_its_pages(autojump_clock):
    """Not once for each page, and when it has grown, only what is new."""
    store = CountingStore()
    async with running(store) as engine:
        row = await start(engine)
        rows = len(await store.history(row.id))
        store.rows_read = 0
        await read(engine, row, 10, newest_first=False)
        assert store.rows_read == rows
        await read(engine, row, 10, newest_first=True)
        assert store.rows_read == rows
        await finish(engine)
        await read(engine, row, 10, newest_first=False)
        read_in_all = store.rows_read
        assert read_in_all == len(await store.history(row.id)) > rows


async def test_what_is_kept_is_bounded(autojump_clock, monkeypatch):
    """By its size and by the number of executions; the one that was read last stays."""
    async with running(MemoryStore()) as engine:
        rows = [await start(engine, name) for name in "abcde"]
        kept = engine.histories._readers
        for row in rows:
            await engine.histories.page(row, 10, None, newest_first=True)
        assert list(kept) == [row.id for row in rows]
        each = next(iter(kept.values())).bytes()
        assert each > EVENTS * 500
        monkeypatch.setattr(histories, "ALL_BYTES", 3 * each + each // 2)
        await engine.histories.page(rows[0], 10, None, newest_first=True)
        assert list(kept) == [rows[3].id, rows[4].id, rows[0].id]
        monkeypatch.setattr(histories, "READERS", 1)
        await engine.histories.page(rows[1], 10, None, newest_first=True)
        assert list(kept) == [rows[1].id]


async def test_what_nobody_reads_is_forgotten(autojump_clock):
    """A reader waits a minute or two for its next page."""
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        await engine.histories.page(row, 10, None, newest_first=False)
        await trio.sleep(histories.KEEP_SECONDS / 2)
        await engine.histories.page(row, 10, 10, newest_first=False)
        await trio.sleep(histories.KEEP_SECONDS * 0.9)
        assert engine.histories._readers
        await trio.sleep(histories.KEEP_SECONDS * 1.5)
        assert not engine.histories._readers


async def test_a_short_history_is_not_kept_once_it_is_complete(autojump_clock):
    """One page of an execution that has ended leaves nothing in memory."""
    async with running(MemoryStore()) as engine:
        row = await start(engine)
        await finish(engine)
        row = await engine.execution(row.arn)
        page = await engine.histories.page(row, 1000, None, newest_first=False)
        assert len(page.events) == EVENTS + 4
        assert not engine.histories._readers


async def test_a_reader_that_failed_half_way_is_not_used_again(autojump_clock, monkeypatch):
    """A row that cannot be read now and can be later is read whole then."""
    monkeypatch.setattr(histories, "_ROWS", 1)
    store = MemoryStore()
    async with running(store) as engine:
        row = await start(engine)
        whole = await engine.history(row.arn)
        stored = store._tables.history[row.id]
        last = max(stored)  # It gets a record too many, of a frame that there is not.
        good = stored[last]
        stored[last] = good._replace(records=b"[[4,99]," + good.records[1:])
        with pytest.raises(KeyError, match="99"):
            await engine.histories.page(row, 10, None, newest_first=True)
        stored[last] = good
        assert await read(engine, row, 10, newest_first=True) == whole[::-1]


async def test_a_document_in_several_events_is_one_text(autojump_clock):
    """A state's input is the very text of the output before it."""
    async with running(MemoryStore()) as engine:
        events = await engine.history((await start(engine)).arn)
        output = events[4]["stateExitedEventDetails"]["output"]
        assert events[5]["stateEnteredEventDetails"]["input"] is output


class SweepingStore(MemoryStore):
    """Retention comes before the read of this name."""

    before = ""

    async def _sweep(self, read):
        if read == self.before:
            assert await self.sweep(2**60, 10)

    async def history(self, execution, first=0, limit=None):
        """As the store has it by then."""
        await self._sweep("history")
        return await super().history(execution, first, limit)

    async def documents(self, execution, numbers=None):
        """As the store has them by then."""
        await self._sweep("documents")
        return await super().documents(execution, numbers)

    async def revision(self, revision):
        """As the store has it by then."""
        await self._sweep("revision")
        return await super().revision(revision)


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("before", ["history", "documents", "revision"])
async def test_one_that_is_forgotten_while_it_is_read_does_not_exist(before, newest_first):
    """It has no empty history, and is no defect."""
    store = SweepingStore()
    async with running(store) as engine:
        quick = {"Type": "Pass", "Result": "x" * 5000, "End": True}
        row, _ = await engine.catalog.create_machine("m", machine(P=quick))
        started = (await engine.start([StartRequest(row.arn, "a", "{}")]))[0].row
        ended = await engine.execution(started.arn)
        assert (await engine.histories.page(ended, 10, None, newest_first=newest_first)).events
        await engine.catalog.delete_machine(row.arn)
        store.before = before
        with pytest.raises(ApiError, match="ExecutionDoesNotExist"):
            await engine.histories.page(ended, 10, None, newest_first=newest_first)


async def test_a_page_of_one_that_is_forgotten_is_not_taken_for_the_last(
    autojump_clock, monkeypatch
):
    """What was read before would be given, and look like all that there was."""
    monkeypatch.setattr(histories, "_ROWS", 1)
    store = SweepingStore()
    async with running(store) as engine:
        states = {
            "W": {"Type": "Wait", "Seconds": 1, "Next": "P"},
            "P": {"Type": "Pass", "End": True},
        }
        row, _ = await engine.catalog.create_machine("m", machine(**states))
        started = (await engine.start([StartRequest(row.arn, "a", "{}")]))[0].row
        await wait_status(engine, started.arn, "SUCCEEDED")
        ended = await engine.execution(started.arn)
        page = await engine.histories.page(ended, 1, None, newest_first=False)
        store.before = "history"
        with pytest.raises(ApiError, match="ExecutionDoesNotExist"):
            await engine.histories.page(ended, 1, page.after, newest_first=False)
