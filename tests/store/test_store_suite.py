"""What every store must do; each test runs on the SQLite store and on its in-memory twin."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from store_rows import (
    MACHINE,
    execution,
    history,
    inserts,
    letter,
    machine,
    notification,
    revision,
    task,
    timer,
)

from gateway.store import memory
from gateway.store.changes import (
    DeleteActivity,
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
from gateway.store.failures import StoreConflict
from gateway.store.protocol import ExecutionFilter, Page, Stats
from gateway.store.rows import (
    ActivityRow,
    AliasRow,
    DocumentRow,
    ExpressRow,
    PositionRow,
    TagsRow,
    VersionRow,
)
from gateway.store.sqlite import queries

ALL = ExecutionFilter()
VERSION = VersionRow(MACHINE, 1, 1, "first", 1_000)
ALIAS = AliasRow(MACHINE, "live", "", "[[1,100]]", 1_000, 1_000)
EXPRESS = ExpressRow(-7, "arn:express", MACHINE, "order-7", 1, 1_000, "{}")


async def pages(store, which=ALL, limit=3):
    """The ids of the whole listing, page by page."""
    found, after = [], None
    while True:
        listing = await store.executions(which, Page(limit, after))
        found.append([row.id for row in listing.rows])
        after = listing.after
        if after is None:
            return found


# -------------------------------------------------------------------------- executions


async def test_an_execution_is_found_by_arn_id_and_name(store):
    """A committed execution is what was inserted, by each of its keys; an unknown one is None."""
    row = execution(7, trigger="orders", trace="00-1-2-01")
    await store.commit(inserts(row))
    assert await store.execution_by_id(7) == row
    assert await store.names(MACHINE, ["order-7", "order-8"]) == {"order-7": row}
    assert await store.names("arn:other", ["order-7"]) == {}
    assert await store.names(MACHINE, []) == {}
    assert await store.execution_by_id(8) is None


async def test_an_execution_ends_once(store):
    """EndExecution fills in the final members; ending it again or ending none fails the unit."""
    row = execution(1)
    end = EndExecution(1, "FAILED", 2_000, None, "States.Timeout", "too slow")
    await store.commit([Insert(row), end])
    ended = row._replace(status="FAILED", stop_at=2_000, error="States.Timeout", cause="too slow")
    assert await store.execution_by_id(1) == ended
    for unfit in (end, end._replace(execution=2)):
        with pytest.raises(StoreConflict):
            await store.commit([Insert(letter("l")), unfit])
    assert await store.execution_by_id(1) == ended
    assert await store.letter("l") is None


async def test_an_execution_is_redriven(store):
    """What its end had said is gone, the redrive is counted; one that runs cannot be redriven."""
    row = execution(1)
    end = EndExecution(1, "FAILED", 2_000, None, "States.Timeout", "too slow")
    await store.commit([Insert(row), end, RedriveExecution(1, 3_000)])
    running = row._replace(redrives=1, redriven_at=3_000)
    assert await store.execution_by_id(1) == running
    for unfit in (RedriveExecution(1, 4_000), RedriveExecution(2, 4_000)):
        with pytest.raises(StoreConflict):
            await store.commit([Insert(letter("l")), unfit])
    assert await store.execution_by_id(1) == running
    assert await store.letter("l") is None


@pytest.mark.parametrize(
    "row",
    [
        execution(1),
        execution(1, arn="arn:else", name="else"),
        execution(2, name="order-1"),
        history(1, 0),
        DocumentRow(1, 1, b""),
        timer(1),
        task(1),
        notification("n"),
        letter("l"),
        machine(),
        revision(1),
        ActivityRow("arn:pick", "pick", 1),
        VERSION,
        ALIAS,
        EXPRESS,
    ],
    ids=lambda row: type(row).__name__,
)
async def test_a_key_that_is_taken_fails_the_whole_unit(store, row):
    """Inserting a row whose key is there is a conflict, and nothing else of its unit is written."""
    await store.commit(
        inserts(
            execution(1),
            history(1, 0),
            DocumentRow(1, 1, b"big"),
            timer(1),
            task(1),
            notification("n"),
            letter("l"),
            machine(),
            revision(1),
            *(ActivityRow("arn:pick", "pick", 1), VERSION, ALIAS, EXPRESS),
        )
    )
    with pytest.raises(StoreConflict):
        await store.commit(inserts(execution(3), row, letter("beside")))
    assert await store.execution_by_id(3) is None
    assert await store.letter("beside") is None
    assert await store.execution_by_id(1) == execution(1)
    await store.commit(inserts(execution(3)))


async def test_a_failing_unit_takes_none_of_its_fellows_with_it(store):
    """Of units that are committed at once only the guilty ones fail, and the others stand whole."""
    await store.commit(inserts(execution(50)))
    failed = []

    async def commit(identity):
        try:
            await store.commit(inserts(execution(identity), history(identity), timer(identity)))
        except StoreConflict:
            failed.append(identity)

    async with trio.open_nursery() as nursery:
        for identity in [*range(40, 60), 41]:
            nursery.start_soon(commit, identity)
    assert sorted(failed) == [41, 50]
    for identity in set(range(40, 60)) - {50}:
        assert await store.history(identity) == [history(identity)]
        assert await store.execution_timers(identity) == [timer(identity)]
    assert await store.history(50) == []


@pytest.mark.parametrize("unfit", [Insert(("no", "row")), ("no", "change")], ids=repr)
async def test_a_unit_that_makes_no_sense_fails_alone(store, unfit):
    """What is no change at all raises at its caller; nothing of its unit is there."""
    with pytest.raises(LookupError):
        await store.commit([Insert(history(1, 0)), unfit])
    assert await store.history(1) == []
    await store.commit(inserts(execution(1)))


async def test_units_take_effect_in_the_order_of_the_calls(store):
    """A later unit builds on an earlier one though both are under way at once."""
    async with trio.open_nursery() as nursery:
        for unit in [
            inserts(execution(1), timer(1)),
            [Upsert(timer(1, due=9)), EndExecution(1, "SUCCEEDED", 5, "{}", None, None)],
            [DeleteTimer(1, 1, "wait"), Upsert(timer(1, 2))],
            [Upsert(timer(1, 2, due=7))],
        ]:
            nursery.start_soon(store.commit, unit)
            await trio.testing.wait_all_tasks_blocked()
    assert await store.execution_timers(1) == [timer(1, 2, due=7)]


async def test_a_timer_is_moved_later_and_never_made(store):
    """MoveTimer: a later moment counts, an earlier one does not, one that is gone stays gone."""
    await store.commit(inserts(execution(1), timer(1)))
    for due in (9_000, 7_000):
        await store.commit([MoveTimer(timer(1, due=due)), MoveTimer(timer(1, 2))])
        assert await store.execution_timers(1) == [timer(1, due=9_000)]


async def test_a_cancelled_commit_keeps_its_unit(store):
    """Cancelling the caller takes nothing back: the unit is there and commit returns."""
    returned = False
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.commit(inserts(execution(1)))
        returned = True
        await trio.lowlevel.checkpoint()
    assert returned
    assert scope.cancelled_caught
    assert await store.execution_by_id(1) == execution(1)


async def test_an_empty_unit_is_fine(store):
    """Nothing to write is written at once."""
    await store.commit([])


async def test_a_listing_is_newest_first_and_carries_no_documents(store):
    """Order is start_at, then id, both falling; input and output are left out."""
    await store.commit(
        inserts(
            execution(1, start_at=5),
            execution(2, start_at=9),
            execution(3, start_at=9, status="SUCCEEDED", stop_at=10, output="{}"),
        )
    )
    listing = await store.executions(ALL, Page(10))
    assert [row.id for row in listing.rows] == [3, 2, 1]
    assert {(row.input, row.output) for row in listing.rows} == {("", None)}
    assert listing.rows[0].stop_at == 10
    assert listing.after is None


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 100])
async def test_pages_hold_everything_once(store, limit):
    """Pages of any size give the whole listing, each row once, and no empty page at the end."""
    await store.commit(inserts(*(execution(n, start_at=n // 2) for n in range(1, 11))))
    found = await pages(store, limit=limit)
    assert [identity for page in found for identity in page] == list(range(10, 0, -1))
    assert all(found)


async def test_paging_is_not_disturbed_by_newcomers(store):
    """What was there when the paging began is seen once, whatever starts meanwhile."""
    await store.commit(inserts(*(execution(n, start_at=100 + n) for n in range(1, 8))))
    first = await store.executions(ALL, Page(3))
    await store.commit(inserts(execution(8, start_at=200), execution(9, start_at=105)))
    second = await store.executions(ALL, Page(10, first.after))
    assert [row.id for row in first.rows] == [7, 6, 5]
    assert [row.id for row in second.rows if row.id < 8] == [4, 3, 2, 1]


async def test_a_listing_is_narrowed(store):
    """Machine, status, beginning of the name, age, version, alias and redrives narrow a listing,
    alone and together."""
    await store.commit(
        inserts(
            execution(1, name="a-1", arn="1", version=2),
            execution(2, name="a-2", arn="2", status="FAILED", stop_at=1, redrives=1),
            execution(3, name="b-1", arn="3", version=2, alias="live"),
            execution(4, name="a-1", arn="4", machine_arn="arn:other"),
            execution(5, name="A%_", arn="5", status="FAILED", stop_at=1),
        )
    )
    cases = {
        ExecutionFilter(MACHINE): [5, 3, 2, 1],
        ExecutionFilter(status="FAILED"): [5, 2],
        ExecutionFilter(name_prefix="a-"): [4, 2, 1],
        ExecutionFilter(name_prefix="%"): [],
        ExecutionFilter(MACHINE, "RUNNING", "a"): [1],
        ExecutionFilter("arn:other", name_prefix="a-1"): [4],
        ExecutionFilter("arn:none"): [],
        ExecutionFilter(started_before=1_003): [2, 1],
        ExecutionFilter(status="RUNNING", started_before=1_003): [1],
        ExecutionFilter(MACHINE, version=2): [3, 1],
        ExecutionFilter(MACHINE, alias="live"): [3],
        ExecutionFilter(redriven=True): [2],
        ExecutionFilter(MACHINE, redriven=False): [5, 3, 1],
    }
    for which, expected in cases.items():
        assert await pages(store, which, limit=1) == [[n] for n in expected] or [[]] * (
            not expected
        )


@pytest.mark.parametrize("key", ["", "x", "1", "1.", ".1", "1.x", "1.5.6", "-1.2", "9" * 40 + ".1"])
async def test_a_key_that_no_listing_gave_out_is_refused(store, key):
    """A made-up key raises ValueError instead of showing some page."""
    with pytest.raises(ValueError, match="no key of this listing"):
        await store.executions(ALL, Page(3, key))


async def test_history_is_read_from_any_row(store):
    """Rows come in order, all, or so many from one on, and only those of the execution."""
    rows = [history(1, first, records=bytes([first])) for first in (0, 3, 10, 200)]
    await store.commit(inserts(rows[2], rows[0], history(2), rows[3], rows[1]))
    assert await store.history(1) == rows
    assert await store.history(1, 10) == rows[2:]
    assert await store.history(1, 4) == rows[2:]
    assert await store.history(1, 3, 2) == rows[1:3]
    assert await store.history(1, limit=1) == rows[:1]
    assert await store.history(1, limit=9) == rows
    assert await store.history(3) == []


async def test_documents_are_read_by_number(store):
    """All documents of an execution, or those of the numbers that are there."""
    bodies = {1: b"one", 2: b"x" * 200_000, 3: b""}
    await store.commit(inserts(*(DocumentRow(1, n, body) for n, body in bodies.items())))
    assert await store.documents(1) == bodies
    assert await store.documents(1, [3, 1, 9]) == {1: b"one", 3: b""}
    assert await store.documents(1, []) == {}
    assert await store.documents(2) == {}


async def test_text_is_kept_as_it_is(store):
    """Quotes, zero characters, other scripts and large documents come back unchanged."""
    text = '{"a":"\\u0000 ü 漢 🎉 \' ; \x00"}' + "x" * 300_000
    await store.commit(inserts(execution(1, input=text)))
    assert (await store.execution_by_id(1)).input == text


# ---------------------------------------------------------------------- timers and tasks


async def test_due_timers_come_by_due(store):
    """The earliest ones up to the limit, none that is due later."""
    await store.commit(
        inserts(
            timer(1, due=30), timer(2, due=10), timer(2, kind="retry", due=20), timer(3, due=31)
        )
    )
    assert [(row.execution, row.due) for row in await store.timers(30, 9)] == [
        (2, 10),
        (2, 20),
        (1, 30),
    ]
    assert [row.due for row in await store.timers(99, 2)] == [10, 20]
    assert await store.timers(9, 9) == []


async def test_intervals_begin_anew_after_a_start(store):
    """Timeouts and heartbeats get a whole interval and no more, whatever the clock showed before;
    what ends at a set time stays."""
    await store.commit(
        inserts(
            timer(1, kind="timeout", due=5_000, interval=4_000),
            timer(1, kind="heartbeat", due=90_000, interval=4_000),
            *(timer(1, kind=kind, due=5_000) for kind in ("wait", "retry", "execution")),
        )
    )
    await store.renew_intervals(10_000)
    assert {row.kind: row.due for row in await store.execution_timers(1)} == {
        "timeout": 14_000,
        "heartbeat": 14_000,
        "wait": 5_000,
        "retry": 5_000,
        "execution": 5_000,
    }
    assert [row.due for row in await store.timers(14_000, 9)] == [*[5_000] * 3, *[14_000] * 2]


async def test_tasks_are_listed_oldest_first(store):
    """All open tasks, the queued ones or the handed-out ones, in the order of their scheduling."""
    handed = task(2, 1, scheduled_at=5, token_hash=b"h", worker="w", started_at=6)
    await store.commit(inserts(task(1, 1, scheduled_at=9), handed, task(1, 2, scheduled_at=7)))
    assert [row.scheduled_at for row in await store.tasks()] == [5, 7, 9]
    assert [row.scheduled_at for row in await store.tasks(started=False)] == [7, 9]
    assert await store.tasks(started=True) == [handed._replace(input="")]
    assert await store.task(2, 1) == handed
    assert await store.task(2, 2) is None
    assert [row.number for row in await store.execution_tasks(1)] == [1, 2]


async def test_an_upsert_replaces_or_inserts(store):
    """The row with the key is replaced whole; where there is none, it is new."""
    for row in (timer(1, due=1), timer(1, due=2)):
        await store.commit([Upsert(row), Upsert(task(1, worker=str(row.due)))])
        await store.commit([Upsert(notification("n", due=row.due, late=row.due == 2))])
        await store.commit([Upsert(machine(managed=str(row.due)))])
    assert await store.execution_timers(1) == [timer(1, due=2)]
    assert await store.timers(9, 9) == [timer(1, due=2)]
    assert await store.execution_tasks(1) == [task(1, worker="2")]
    assert await store.notifications("ops", 9, 9) == [notification("n", due=2, late=True)]
    assert await store.machines() == [machine(managed="2")]


async def test_deleting_is_done_once_and_may_be_repeated(store):
    """A delete removes its row alone; deleting what is gone changes nothing."""
    await store.commit(
        inserts(
            *(timer(1), timer(1, kind="retry"), task(1), task(1, 2)),
            *(notification("n"), notification("m", execution=2), letter("l"), letter("k")),
            *(machine(), machine("other"), ActivityRow("arn:a", "a", 1)),
            ActivityRow("arn:b", "b", 1),
        )
    )
    deletes = [
        *(DeleteTimer(1, 1, "wait"), DeleteTask(1, 1), DeleteNotification("n")),
        *(DeleteLetter("l"), DeleteMachine(MACHINE), DeleteActivity("arn:a")),
    ]
    for _ in range(2):
        await store.commit(deletes)
        assert await store.execution_timers(1) == [timer(1, kind="retry")]
        assert await store.execution_tasks(1) == [task(1, 2)]
        assert [row.id for row in await store.notifications("ops", 9_999, 9)] == ["m"]
        assert (await store.letters(None, Page(9)))[0] == [letter("k")]
        assert await store.machines() == [machine("other")]
        assert await store.activities() == [ActivityRow("arn:b", "b", 1)]


# ---------------------------------------------------------------------- outbox, letters


async def test_only_the_first_of_an_execution_is_sent(store):
    """Of (sink, execution) only the lowest sequence is given, even while that is not due."""
    await store.commit(
        inserts(
            notification("a2", sequence=2, due=10),
            notification("a1", sequence=1, due=50),
            notification("b2", execution=2, sequence=2, due=20),
            notification("other sink", sink="sns", sequence=0, due=5),
            notification("free 1", execution=0, sequence=1, due=30),
            notification("free 2", execution=0, sequence=2, due=30, created_at=899),
        )
    )
    assert [row.id for row in await store.notifications("ops", 40, 9)] == ["b2", "free 2", "free 1"]
    assert [row.id for row in await store.notifications("ops", 50, 2)] == ["b2", "free 2"]
    await store.commit([DeleteNotification("a1")])
    assert [row.id for row in await store.notifications("ops", 50, 1)] == ["a2"]


async def test_the_least_tried_of_those_due_is_found(store, monkeypatch):
    """The first by due among equals; an execution's later one never before its first."""
    await store.commit(
        inserts(
            notification("old", execution=1, due=10, attempts=3),
            notification("later", execution=1, sequence=2, due=11),
            notification("first", execution=2, due=20, attempts=1),
            notification("second", execution=3, due=30, attempts=1),
            notification("not due", execution=4, due=90),
            notification("other sink", execution=5, sink="sns", due=5),
        )
    )
    assert (await store.least_tried("ops", 50)).id == "first"
    assert (await store.least_tried("ops", 19)).id == "old"
    assert await store.least_tried("ops", 9) is None
    for module in (memory, queries):
        monkeypatch.setattr(module, "LATEST_DUE", 1)
    assert (await store.least_tried("ops", 50)).id == "second"


async def test_letters_are_paged_newest_first(store):
    """By created_at, then id, of one origin or of all, with the key of the next page."""
    await store.commit(
        inserts(
            *(letter(f"id.{n}", created_at=n // 2) for n in range(5)), letter("s", origin="sns")
        )
    )
    first, after = await store.letters("orders", Page(2))
    rest, end = await store.letters("orders", Page(3, after))
    assert [row.id for row in [*first, *rest]] == ["id.4", "id.3", "id.2", "id.1", "id.0"]
    assert end is None
    everything, _ = await store.letters(None, Page(9))
    assert [row.id for row in everything][:2] == ["s", "id.4"]
    assert await store.letter("id.3") == letter("id.3", created_at=1)
    with pytest.raises(ValueError, match="no key of this listing"):
        await store.letters(None, Page(9, "x"))


# ------------------------------------------------------------------------- definitions


async def test_the_newest_revision_is_current(store):
    """Machines and revisions are found by their keys; the highest id is the current revision."""
    other = revision(4, machine_arn="arn:other")
    await store.commit(inserts(machine(), revision(2), revision(3), other))
    assert await store.machine(MACHINE) == machine()
    assert await store.machine("arn:none") is None
    assert await store.revision(2) == revision(2)
    assert await store.revision(9) is None
    assert await store.current_revision(MACHINE) == revision(3)
    assert await store.current_revision("arn:none") is None
    assert await store.last_revision() == 4


async def test_versions_aliases_and_tags_are_listed(store):
    """Each by its key; an alias and tags are replaced, and a delete takes one of them alone."""
    second = VERSION._replace(number=2, revision=2)
    other = VERSION._replace(machine_arn="arn:other")
    test = ALIAS._replace(name="test")
    await store.commit(inserts(second, other, VERSION, test, ALIAS))
    moved = ALIAS._replace(routing="[[2,100]]", updated_at=2_000)
    tags = [TagsRow("arn:a", '{"team":"orders"}'), TagsRow("arn:b", "{}")]
    await store.commit([Upsert(moved), *map(Upsert, reversed(tags))])
    assert await store.versions() == [VERSION, second, other]
    assert await store.aliases() == [moved, test]
    assert await store.tags() == tags
    gone = [DeleteVersion(MACHINE, 2), DeleteAlias(MACHINE, "test"), DeleteTags("arn:b")]
    for _ in range(2):
        await store.commit(gone)
        assert await store.versions() == [VERSION, other]
        assert await store.aliases() == [moved]
        assert await store.tags() == tags[:1]


async def test_express_executions_are_kept_until_they_end(store):
    """Oldest first, whole; the end deletes them."""
    later = EXPRESS._replace(id=-9, start_at=2_000, version=1, alias="live", trace="t")
    await store.commit(inserts(later, EXPRESS))
    assert await store.express() == [EXPRESS, later]
    await store.commit([DeleteExpress(-7)])
    assert await store.express() == [later]


async def test_activities_are_registered(store):
    """By ARN, and all of them in its order."""
    rows = [ActivityRow("arn:b", "b", 2), ActivityRow("arn:a", "a", 1)]
    await store.commit(inserts(*rows))
    assert await store.activities() == rows[::-1]
    assert await store.activity("arn:b") == rows[0]
    assert await store.activity("arn:c") is None


# ----------------------------------------------------------------------------- positions


async def test_a_position_moves_forwards_unless_forced(store):
    """A lower offset changes nothing, except with ``force``."""
    at = PositionRow("group", "topic", 0, 10)
    for offset, force, expected in [
        (10, False, 10),
        (7, False, 10),
        (12, False, 12),
        (3, True, 3),
        (4, False, 4),
    ]:
        await store.commit([MovePosition(at._replace(offset=offset), force)])
        assert await store.positions("group") == [at._replace(offset=expected)]


async def test_positions_are_kept_apart(store):
    """By source, topic and partition; listed in that order."""
    rows = [
        PositionRow("a", "t", 0, 1),
        PositionRow("a", "t", 1, 2),
        PositionRow("a", "u", 0, 3),
        PositionRow("b", "t", 0, 4),
    ]
    await store.commit([MovePosition(row) for row in reversed(rows)])
    assert await store.positions() == rows
    assert await store.positions("a") == rows[:3]
    assert await store.positions("c") == []


# -------------------------------------------------------------------------------- upkeep


async def test_stats_of_an_empty_store(store):
    """Zero, nothing and no age."""
    assert await store.stats() == Stats()


async def test_stats_count_what_is_held(store):
    """Running executions by trigger, letters by origin, notifications by sink, and the oldest."""
    await store.commit(
        inserts(
            *(execution(n, trigger="orders") for n in (1, 2)),
            execution(3),
            execution(4, trigger="orders", status="FAILED", stop_at=1),
            *(letter("a"), letter("b"), letter("c", origin="sns")),
            notification("n", created_at=50),
            notification("m", sink="sns", created_at=40),
            task(1, 1, scheduled_at=30),
            task(1, 2, scheduled_at=20),
            task(1, 3, scheduled_at=5, started_at=70),
            task(1, 4, scheduled_at=6, started_at=60),
        )
    )
    assert await store.stats() == Stats(
        running=3,
        running_by_trigger={"orders": 2},
        letters={"orders": 2, "sns": 1},
        notifications={"ops": 1, "sns": 1},
        oldest_notification=40,
        oldest_waiting_task=20,
        oldest_open_task=60,
    )


async def test_a_sweep_removes_what_ended_long_ago(store):
    """Executions go with their history and documents, earliest end first, up to the limit."""
    for n in range(1, 6):
        await store.commit(
            inserts(
                execution(n, status="SUCCEEDED", stop_at=100 - n),
                history(n),
                DocumentRow(n, 1, b"big"),
            )
        )
    await store.commit(inserts(execution(6), execution(7, status="FAILED", stop_at=200)))
    assert await store.sweep(99, 3) == 3
    assert [row.id for row in (await store.executions(ALL, Page(9))).rows] == [7, 6, 2, 1]
    assert await store.history(5) == []
    assert await store.documents(5) == {}
    assert await store.history(2) == [history(2)]
    assert await store.sweep(99, 3) == 1
    assert await store.sweep(99, 3) == 0
    assert await store.execution_by_id(1) is not None
    await store.commit(inserts(execution(5)))


async def test_a_sweep_keeps_what_is_still_to_be_told(store):
    """An execution with a notification outstanding stays until that is delivered."""
    await store.commit(
        inserts(execution(1, status="FAILED", stop_at=1), notification("n", execution=1))
    )
    assert await store.sweep(99, 9) == 0
    await store.commit([DeleteNotification("n")])
    assert await store.sweep(99, 9) == 1


async def test_a_sweep_removes_revisions_that_nothing_needs(store):
    """A revision goes when neither its machine nor an execution of that is left."""
    await store.commit(
        inserts(
            *(machine(), revision(1), revision(2), revision(3, machine_arn="arn:gone")),
            execution(1, status="FAILED", stop_at=5),
        )
    )
    await store.sweep(1, 9)
    assert await store.revision(1) == revision(1)
    assert await store.revision(3) is None
    await store.commit([DeleteMachine(MACHINE)])
    await store.sweep(1, 9)
    assert await store.revision(2) == revision(2)
    assert await store.sweep(9, 9) == 1
    assert await store.revision(2) is None
    assert await store.last_revision() == 3


async def test_ids_are_not_given_again_after_a_sweep(store):
    """The highest id ever given to an execution is known though the execution is gone."""
    assert await store.last_execution() == 0
    assert await store.last_revision() == 0
    await store.commit(inserts(execution(3), execution(9, status="FAILED", stop_at=1)))
    assert await store.last_execution() == 9
    assert await store.sweep(9, 9) == 1
    assert await store.last_execution() == 9
    await store.commit(inserts(execution(11)))
    assert await store.last_execution() == 11
