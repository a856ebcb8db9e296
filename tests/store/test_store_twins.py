"""Whatever is done to it, the in-memory store answers as the SQLite store does."""

from __future__ import annotations

import tempfile

import trio
from hypothesis import given
from hypothesis import strategies as st
from one_batch import commit_in_one_batch
from store_rows import (
    execution,
    history,
    letter,
    machine,
    map_item,
    map_run,
    notification,
    revision,
    task,
    timer,
)

from gateway.store.changes import (
    DeleteAlias,
    DeleteExpress,
    DeleteLetter,
    DeleteMachine,
    DeleteNotification,
    DeleteTags,
    DeleteTask,
    DeleteTimer,
    DeleteVersion,
    EndExecution,
    Insert,
    MovePosition,
    MoveTimer,
    RedriveExecution,
    Upsert,
)
from gateway.store.map_runs import (
    CloseMapRun,
    CountMapRun,
    EndMapItem,
    EndMapRun,
    HoldMapRun,
    LimitMapRun,
    RedriveMapItems,
    RedriveMapRun,
)
from gateway.store.memory import open_memory
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.rows import AliasRow, DocumentRow, ExpressRow, PositionRow, TagsRow, VersionRow
from gateway.store.sqlite import open_sqlite
from tests.properties import examples

IDS = range(1, 4)
TIMES = range(5)
ids, times = st.sampled_from(IDS), st.sampled_from(TIMES)
kinds = st.sampled_from(["wait", "timeout", "heartbeat"])
names = st.sampled_from(["a", "b"])
machine_names = st.sampled_from(["fulfil", "deploy"])
optional_times = st.none() | times

rows = st.one_of(
    st.builds(
        lambda i, at, trigger, status: execution(
            i, start_at=at, trigger=trigger, status=status[0], stop_at=status[1]
        ),
        ids,
        times,
        st.none() | names,
        st.sampled_from([("RUNNING", None), ("RUNNING", None), ("FAILED", 1), ("SUCCEEDED", 3)]),
    ),
    st.builds(history, ids, times),
    st.builds(DocumentRow, ids, times, st.just(b"big")),
    st.builds(
        lambda i, n, kind, due: timer(i, n, kind=kind, due=due, interval=2), ids, ids, kinds, times
    ),
    st.builds(
        lambda i, n, at, started: task(i, n, scheduled_at=at, started_at=started),
        ids,
        ids,
        times,
        optional_times,
    ),
    st.builds(
        lambda i, sink, e, sequence, due: notification(
            i, sink=sink, execution=e, sequence=sequence, due=due, created_at=due
        ),
        *(names, names, st.sampled_from([0, 1, 2]), times, times),
    ),
    st.builds(lambda i, origin, at: letter(i, origin=origin, created_at=at), names, names, times),
    st.builds(lambda i, n, total: map_run(i, n, total=total), ids, ids, optional_times),
    st.builds(map_item, ids, ids, times),
    st.builds(machine, machine_names),
    st.builds(lambda i, name: revision(i, machine_arn=machine(name).arn), ids, machine_names),
    st.builds(VersionRow, machine_names, ids, ids, names, times),
    st.builds(AliasRow, machine_names, names, names, st.just("[]"), times, times),
    st.builds(ExpressRow, ids, names, machine_names, names, ids, times, st.just("{}")),
)
changes = st.one_of(
    st.builds(Insert, rows),
    st.builds(Insert, rows),
    st.builds(
        EndExecution,
        ids,
        st.sampled_from(["FAILED", "SUCCEEDED"]),
        times,
        st.none(),
        st.none(),
        st.none(),
    ),
    st.builds(RedriveExecution, ids, times),
    st.builds(Upsert, st.builds(TagsRow, names, st.just("{}"))),
    st.builds(DeleteVersion, machine_names, ids),
    st.builds(DeleteAlias, machine_names, names),
    st.builds(DeleteExpress, ids),
    st.builds(DeleteTags, names),
    st.builds(Upsert, st.builds(lambda i, k, due: timer(i, kind=k, due=due), ids, kinds, times)),
    st.builds(MoveTimer, st.builds(lambda i, k, due: timer(i, kind=k, due=due), ids, kinds, times)),
    st.builds(Upsert, st.builds(lambda i, due: notification(i, due=due), names, times)),
    st.builds(MovePosition, st.builds(PositionRow, names, names, ids, times), st.booleans()),
    st.builds(EndMapRun, ids, ids, st.sampled_from(["FAILED", "ABORTED"]), times),
    st.builds(HoldMapRun, ids, ids) | st.builds(CloseMapRun, ids, ids),
    st.builds(LimitMapRun, ids, ids, times, times, st.just(0.5)),
    st.builds(CountMapRun, ids, ids, times),
    st.builds(EndMapItem, ids, ids, times, st.just("FAILED")),
    st.builds(RedriveMapRun, ids, ids, times) | st.builds(RedriveMapItems, ids, ids),
    st.builds(DeleteTimer, ids, ids, kinds),
    st.builds(DeleteTask, ids, ids),
    st.builds(DeleteNotification, names),
    st.builds(DeleteLetter, names),
    st.builds(lambda name: DeleteMachine(machine(name).arn), machine_names),
)
batches = st.lists(st.lists(changes, min_size=1, max_size=4), min_size=1, max_size=5)
steps = st.lists(
    batches
    | st.builds(lambda at: ("sweep", at), times)
    | st.builds(lambda at: ("renew", at), times),
    max_size=8,
)


async def commit_one_by_one(store, units):
    """What became of each unit."""
    outcomes = []
    for unit in units:
        try:
            await store.commit(unit)
        except Exception as error:
            outcomes.append(type(error))
        else:
            outcomes.append(None)
    return outcomes


async def take_step(store, step, commit):
    """Do one step; what it answers."""
    match step:
        case ("sweep", at):
            return await store.sweep(at, 2)
        case ("renew", at):
            return await store.renew_intervals(at)
        case units:
            return await commit(store, units)


async def listed(store, which):
    """The pages of a listing, by two."""
    pages, after = [], None
    while not pages or after is not None:
        listing = await store.executions(which, Page(2, after))
        after = listing.after
        pages.append(listing)
    return pages


async def everything(store):
    """All that a store can be asked."""
    arn = machine("deploy").arn
    return {
        "executions": [await store.execution_by_id(i) for i in IDS],
        "names": await store.names(execution(1).machine_arn, ["order-1", "order-3"]),
        "listings": [
            await listed(store, which)
            for which in (
                ExecutionFilter(),
                ExecutionFilter(status="RUNNING", name_prefix="order"),
                ExecutionFilter(execution(1).machine_arn, name_prefix="order-2"),
            )
        ],
        "histories": [await store.history(i, 1) for i in IDS],
        "documents": [await store.documents(i) for i in IDS],
        "last": (await store.last_execution(), await store.last_revision()),
        "timers": [await store.timers(at, 3) for at in TIMES],
        "of executions": [
            (await store.execution_timers(i), await store.execution_tasks(i)) for i in IDS
        ],
        "tasks": [await store.tasks(started=started) for started in (None, True, False)],
        "outbox": [await store.notifications(sink, at, 2) for sink in "ab" for at in TIMES],
        "to probe": [await store.least_tried(sink, at) for sink in "ab" for at in TIMES],
        "map runs": (
            await store.open_map_runs(),
            [await store.map_runs(i) for i in IDS],
            [await store.map_items(i, n) for i in IDS for n in IDS],
            [await store.map_counts(i, n) for i in IDS for n in IDS],
            [await store.map_results(i, n, 0, 2) for i in IDS for n in IDS],
        ),
        "letters": [await store.letters(origin, Page(1)) for origin in (None, "a", "b")],
        "machines": await store.machines(),
        "revisions": [await store.revision(i) for i in IDS],
        "current": await store.current_revision(arn),
        "positions": (await store.positions(), await store.positions("a")),
        "published": (await store.versions(), await store.aliases(), await store.tags()),
        "express": await store.express(),
        "stats": await store.stats(),
    }


@examples(40)
@given(steps)
def test_both_stores_tell_the_same_story(story):
    """After any batches, sweeps and renewals, outcomes and all reads are the same."""

    async def main():
        with tempfile.TemporaryDirectory() as folder:
            async with open_sqlite(f"{folder}/twin.db") as durable, open_memory() as twin:
                for step in story:
                    told = await take_step(durable, step, commit_in_one_batch)
                    assert await take_step(twin, step, commit_one_by_one) == told
                    assert await everything(twin) == await everything(durable)

    trio.run(main)
