"""What every store must do about map runs; each test runs on both."""

from __future__ import annotations

import pytest
from store_rows import MACHINE, execution, inserts, map_item, map_run, revision

from gateway.store.changes import EndExecution, Upsert
from gateway.store.failures import StoreConflict
from gateway.store.map_runs import (
    CloseMapRun,
    CountMapRun,
    EndMapItem,
    EndMapRun,
    HoldMapRun,
    ItemResult,
    LimitMapRun,
    MapItem,
    MapRunCounts,
    RedriveMapItems,
    RedriveMapRun,
)
from gateway.store.protocol import ExecutionFilter, Page


async def test_a_map_run_is_found_by_arn_and_parent(store):
    """By its ARN, among those of its parent, and among those with something to do."""
    first, second = map_run(1, 1), map_run(1, 2)
    await store.commit(inserts(second, first, map_run(2, 1)))
    assert await store.map_run(first.arn) == first
    assert await store.map_run("arn:unknown") is None
    assert await store.map_runs(1) == [first, second]
    assert await store.open_map_runs() == [first, second, map_run(2, 1)]


async def test_a_map_run_ends_once(store):
    """The first end counts; what is left to do is closed afterwards."""
    await store.commit(inserts(map_run(1, 1)))
    await store.commit([EndMapRun(1, 1, "FAILED", 9), EndMapRun(1, 1, "ABORTED", 10)])
    ended = map_run(1, 1, status="FAILED", stop_at=9)
    assert await store.open_map_runs() == [ended]
    await store.commit([CloseMapRun(1, 1)])
    assert await store.map_runs(1) == [ended._replace(open=False)]
    assert await store.open_map_runs() == []


async def test_no_child_starts_after_the_end(store):
    """A unit that holds the map run stands only while that is RUNNING."""
    await store.commit(inserts(map_run(1, 1)))
    await store.commit([HoldMapRun(1, 1), *inserts(map_item(1, 1, 0))])
    await store.commit([EndMapRun(1, 1, "ABORTED", 9)])
    for run in (1, 2):
        with pytest.raises(StoreConflict):
            await store.commit([HoldMapRun(1, run), *inserts(map_item(1, run, 1))])
    assert [each.item for each in await store.map_items(1, 1)] == [0]


async def test_an_item_starts_once(store):
    """The row of a child is taken once."""
    await store.commit(inserts(map_item(1, 1, 0)))
    with pytest.raises(StoreConflict):
        await store.commit(inserts(map_item(1, 1, 0)))


async def test_limits_and_totals_change(store):
    """UpdateMapRun's limits, and how many items the reader found."""
    await store.commit(inserts(map_run(1, 1, total=None)))
    await store.commit([LimitMapRun(1, 1, 5, 6, 7.5), CountMapRun(1, 1, 12)])
    [row] = await store.map_runs(1)
    assert (row.max_concurrency, row.tolerated_failure_count) == (5, 6)
    assert (row.tolerated_failure_percentage, row.total) == (7.5, 12)


async def test_children_are_counted_by_status(store):
    """Executions and items, for one map run; and listed, all or those of a status."""
    rows = [map_item(1, 1, n * 2, items=2, child=n + 10) for n in range(3)]
    await store.commit(inserts(*rows, map_item(1, 2, 0)))
    await store.commit([EndMapItem(1, 1, 2, "FAILED"), EndMapItem(1, 1, 99, "FAILED")])
    counts = {"RUNNING": MapRunCounts(2, 4), "FAILED": MapRunCounts(1, 2)}
    assert await store.map_counts(1, 1) == counts
    assert await store.map_items(1, 1, "FAILED") == [MapItem(2, 2, "FAILED", 11)]
    assert [each.item for each in await store.map_items(1, 1)] == [0, 2, 4]
    for between, found in (((0, 2), [0, 2]), ((1, 4), [2, 4]), ((2, 2), [2]), ((5, 4), [])):
        assert [each.item for each in await store.map_items(1, 1, None, between)] == found
    assert await store.map_items(1, 1, "FAILED", (3, 4)) == []


async def test_results_are_paged_by_item(store):
    """A standard child's documents stand in its execution, an Express one's in the row."""
    child = execution(7, status="SUCCEEDED", output="[7]", stop_at=2_000)
    express = map_item(1, 1, 1, child=0, output="[1]", input="1", status="SUCCEEDED")
    unit = inserts(child, map_item(1, 1, 0, child=7, status="SUCCEEDED"), express)
    await store.commit(unit)
    own = (child.arn, child.name, child.machine_arn, child.start_at, 2_000)
    standard = ItemResult(0, "SUCCEEDED", child.input, "[7]", None, None, *own)
    assert await store.map_results(1, 1, -1, 1) == [standard]
    nothing = (None,) * 5
    assert await store.map_results(1, 1, 0, 5) == [
        ItemResult(1, "SUCCEEDED", "1", "[1]", None, None, *nothing)
    ]


async def test_the_children_of_one_map_run_are_listed(store):
    """Among the executions of their machine, those of one run."""
    children = [
        execution(n, machine_arn=f"{MACHINE}/items", parent=1, parent_number=n % 2, item=n)
        for n in range(2, 6)
    ]
    await store.commit(inserts(execution(1), *children))
    which = ExecutionFilter(f"{MACHINE}/items", map_run=(1, 0))
    listing = await store.executions(which, Page(10))
    assert [row.id for row in listing.rows] == [4, 2]
    assert listing.rows[0].item == 4


async def test_a_sweep_takes_map_runs_along(store):
    """With their parent; the revision stays as long as a child is left."""
    parent = execution(1, status="SUCCEEDED", stop_at=5)
    child = execution(2, machine_arn=f"{MACHINE}/items", item=0, parent=1, parent_number=1)
    unit = inserts(parent, child, revision(1), map_run(1, 1), map_item(1, 1, 0), map_run(2, 1))
    await store.commit([*unit, EndMapRun(1, 1, "SUCCEEDED", 5), CloseMapRun(1, 1)])
    assert await store.sweep(10, 10) == 1
    assert await store.map_runs(1) == await store.map_items(1, 1) == []
    assert await store.map_runs(2) == [map_run(2, 1)]
    assert await store.revision(1) is not None


async def test_a_map_run_that_is_over_is_redriven(store):
    """It is RUNNING and open again, and counted; one that runs is neither redriven nor closed."""
    await store.commit(inserts(map_run(1, 1)))
    for breach in ([RedriveMapRun(1, 1, 9)], [RedriveMapRun(7, 7, 9)]):
        with pytest.raises(StoreConflict):
            await store.commit(breach)
    await store.commit([CloseMapRun(1, 1)])
    assert await store.open_map_runs() == [map_run(1, 1)]
    await store.commit([EndMapRun(1, 1, "FAILED", 9), CloseMapRun(1, 1)])
    await store.commit([RedriveMapRun(1, 1, 10)])
    assert await store.map_runs(1) == [map_run(1, 1, redrives=1, redriven_at=10)]
    await store.commit([HoldMapRun(1, 1)])


async def test_children_wait_for_their_redrive(store):
    """Those that have failed, of that map run alone; they are listed as nothing else."""
    statuses = ["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "RUNNING"]
    for number, status in enumerate(statuses):
        about = {"parent": 1, "parent_number": 1, "item": number, "status": status}
        await store.commit(inserts(execution(number + 10, **about)))
        await store.commit(inserts(map_item(1, 1, number, child=number + 10, status=status)))
    await store.commit(inserts(map_item(1, 2, 0, status="FAILED")))
    await store.commit([RedriveMapItems(1, 1), RedriveMapItems(7, 7)])
    found = [each.status for each in await store.map_items(1, 1)]
    assert found == ["SUCCEEDED", *["PENDING_REDRIVE"] * 3, "RUNNING"]
    assert [each.status for each in await store.map_items(1, 2)] == ["FAILED"]
    for status, ids in (("PENDING_REDRIVE", [13, 12, 11]), ("FAILED", []), ("RUNNING", [14])):
        which = ExecutionFilter(MACHINE, status, map_run=(1, 1))
        listing = await store.executions(which, Page(10))
        assert [row.id for row in listing.rows] == ids
    await store.commit([EndMapItem(1, 1, 1, "RUNNING")])
    which = ExecutionFilter(MACHINE, "PENDING_REDRIVE", map_run=(1, 1))
    first = await store.executions(which, Page(1))
    assert [row.id for row in first.rows] == [13]
    rest = await store.executions(which, Page(1, first.after))
    assert [row.id for row in rest.rows] == [12]


async def test_a_sweep_keeps_children_as_long_as_their_parent(store):
    """A run may take longer than executions are kept, and needs what its children came to; the
    parent stays until its runs have nothing to do any more, and then the children go."""
    ended = {"status": "SUCCEEDED", "stop_at": 5}
    place = {"machine_arn": f"{MACHINE}/items", "parent": 1, "parent_number": 1}
    children = [execution(n, item=n - 2, **place, **ended) for n in (2, 3)]
    await store.commit(inserts(execution(1), map_run(1, 1), *children))
    assert await store.sweep(10, 10) == 0
    await store.commit([EndExecution(1, "SUCCEEDED", 6, None, None, None)])
    assert await store.sweep(10, 10) == 0
    await store.commit([EndMapRun(1, 1, "SUCCEEDED", 6), CloseMapRun(1, 1)])
    assert await store.sweep(10, 10) == 1
    assert await store.sweep(10, 10) == 2


async def test_a_child_without_execution_is_replaced(store):
    """An Express child that runs again leaves another row in the place of the one before."""
    await store.commit(inserts(map_run(1, 1), map_item(1, 1, 0, status="FAILED", child=0)))
    again = map_item(1, 1, 0, status="SUCCEEDED", child=0, output="1")
    await store.commit([HoldMapRun(1, 1), Upsert(again)])
    [result] = await store.map_results(1, 1, -1, 10)
    assert (result.status, result.output) == ("SUCCEEDED", "1")
    assert await store.map_counts(1, 1) == {"SUCCEEDED": MapRunCounts(1, again.items)}
