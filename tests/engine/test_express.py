"""Express executions: what is on disk while they run, what is left of them, and for how long."""

from __future__ import annotations

import json

import pytest
import structlog
import trio
from outbox_rig import FakeSink, route
from rig import build, machine, running, wait_status

from gateway.asl import flow
from gateway.engine.express import RUNNING_MAX, ExpressStart
from gateway.engine.publications import Target
from gateway.errors import ApiError
from gateway.store.changes import Insert
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.memory import open_memory
from gateway.store.rows import ExpressRow

PASS = machine(A={"Type": "Pass", "Result": "done", "End": True})
SLEEP = machine(A={"Type": "Wait", "Seconds": 100, "End": True})
AGES = machine(A={"Type": "Wait", "Seconds": 1000, "End": True})
TASK = machine(
    A={"Type": "Task", "Resource": "arn:aws:states:::none:such", "Catch": [], "End": True}
)
EVERY = frozenset({"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT"})


@pytest.fixture
async def store():
    """An empty store."""
    async with open_memory() as memory:
        yield memory


async def express(engine, definition, name="m"):
    """What starts an execution of a new Express machine."""
    made, _ = await engine.catalog.create_machine(name, definition, type="EXPRESS")
    return ExpressStart(Target(made.arn), "e", '{"n":1}', None)


def ends(engine):
    """The rows of the executions that end from now on."""
    rows: list = []
    engine.on_end.append(rows.append)
    return rows


def kept(runs):
    """What is in memory of executions."""
    return [*runs._running, *runs._synchronous, *runs._waited_for, *runs._ended]


async def test_a_synchronous_one_leaves_nothing(store, autojump_clock):
    """Its end is the answer; neither a row nor a notification is ever written, here or there."""
    async with running(store) as engine:
        engine._outbox.configure([route(FakeSink(), when=EVERY)])
        wanted = await express(engine, SLEEP)
        before = engine.now()
        row = await engine.start_sync_execution(wanted)
        assert (row.status, row.output) == ("SUCCEEDED", '{"n":1}')
        assert row.stop_at == before + 100_000
        assert await store.express() == []
        assert store._tables.notifications == store._tables.executions == {}
        assert vars(engine.express.rows._tables)["executions"] == {}
        assert engine.express._running == set()


async def test_nobody_is_told_of_a_synchronous_one_whose_caller_has_gone(store, autojump_clock):
    """It runs to its end, of which no sink hears, as of any other."""
    async with running(store) as engine:
        engine._outbox.configure([route(FakeSink(), when=EVERY)])
        wanted, ended = await express(engine, SLEEP), ends(engine)
        with trio.move_on_after(1):
            await engine.start_sync_execution(wanted)
        await trio.sleep(200)
        assert [row.status for row in ended] == ["SUCCEEDED"]
        assert store._tables.notifications == {}
        assert engine.express._synchronous == set()


async def test_a_caller_who_goes_as_it_begins_leaves_nothing(store, autojump_clock, monkeypatch):
    """Nothing is remembered of an execution that was given up before there was one."""
    async with running(store) as engine:
        wanted = await express(engine, PASS)

        async def stored_revision(_revision):
            await trio.sleep_forever()

        monkeypatch.setattr(engine.catalog, "stored_revision", stored_revision)
        with trio.move_on_after(1):
            await engine.start_sync_execution(wanted)
        assert kept(engine.express) == []


async def test_a_caller_who_goes_as_it_ends_leaves_nothing(store):
    """Nor of one whose end nobody fetches."""
    async with running(store) as engine:
        wanted = await express(engine, PASS)
        with trio.CancelScope() as scope:
            engine.on_end.append(lambda _: scope.cancel())
            await engine.start_sync_execution(wanted)
        assert scope.cancelled_caught
        assert kept(engine.express) == []


async def test_an_asynchronous_one_is_a_row_until_it_ends(store, autojump_clock):
    """Durable before it is answered, gone in the unit that has the notification of its end."""
    sink = FakeSink()
    async with running(store) as engine:
        engine._outbox.configure([route(sink, when=EVERY)])
        ended = ends(engine)
        wanted = await express(engine, SLEEP)
        row = await engine.start_express(wanted)
        (kept,) = await store.express()
        assert (kept.arn, kept.input) == (row.arn, '{"n":1}')
        assert ":express:m:e:" in row.arn
        await trio.sleep(200)
        assert await store.express() == []
        assert [row.status for row in ended] == ["SUCCEEDED"]
        assert store._tables.executions == {}
        told = [each.event["detail"]["status"] for each in sink.accepted]
        assert told == ["RUNNING", "SUCCEEDED"]


async def test_names_are_not_unique(store, autojump_clock):
    """Two of one name run side by side, under ARNs of their own."""
    async with running(store) as engine:
        wanted = await express(engine, SLEEP)
        ended = ends(engine)
        rows = [await engine.start_express(wanted) for _ in range(2)]
        await trio.sleep(200)
        assert len({row.arn for row in rows}) == 2
        assert sorted(row.arn for row in ended) == sorted(row.arn for row in rows)


async def test_one_that_a_crash_cut_off_runs_again(store, autojump_clock):
    """From its start, under its ARN; how it began is not told again, its end is told once."""
    sink = FakeSink()
    async with running(store) as engine:
        engine._outbox.configure([route(sink, when=EVERY)])
        row = await engine.start_express(await express(engine, SLEEP))
        await trio.sleep(50)
    engine = await build(store)
    engine._outbox.configure([route(sink, when=EVERY)])
    ended = ends(engine)
    async with trio.open_nursery() as nursery:
        begun = engine.now()
        await nursery.start(engine.run)
        await trio.sleep(200)
        nursery.cancel_scope.cancel()
    assert [(each.arn, each.start_at) for each in ended] == [(row.arn, row.start_at)]
    assert ended[0].stop_at == begun + 100_000
    assert await store.express() == []
    assert [each.event["detail"]["status"] for each in sink.accepted] == ["RUNNING", "SUCCEEDED"]


async def test_no_express_execution_runs_for_longer_than_five_minutes(store, autojump_clock):
    """It times out then, whatever it waits for."""
    async with running(store) as engine:
        row = await engine.start_sync_execution(await express(engine, AGES))
        assert (row.status, row.stop_at) == ("TIMED_OUT", row.start_at + 300_000)


MANY = machine(
    A={
        "Type": "Map",
        "ItemProcessor": {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}},
        "ResultPath": None,
        "End": True,
    }
)


async def test_it_may_have_more_events_than_a_standard_one(store, autojump_clock, monkeypatch):
    """25,000 end the one and not the other, which has a limit of its own."""
    wanted = json.dumps(list(range(6_500)))
    async with running(store) as engine:
        start = (await express(engine, MANY))._replace(input=wanted)
        row = await engine.start_sync_execution(start)
        assert row.status == "SUCCEEDED"
        standard, _ = await engine.catalog.create_machine("s", MANY)
        began = await engine.start_execution(standard.arn, "e", wanted)
        await wait_status(engine, began.row.arn, "FAILED")
        monkeypatch.setattr(flow, "MAX_EXPRESS_EVENTS", 25_500)
        row = await engine.start_sync_execution(start)
        assert (row.status, row.error) == ("FAILED", "States.Runtime")
        assert "maximum number of history events (25500)" in row.cause


async def test_a_machine_may_be_deleted_while_it_runs(store, autojump_clock):
    """As at AWS it goes at once, and what runs comes to its end, also after a crash and a sweep."""
    async with running(store) as engine:
        wanted = await express(engine, SLEEP)
        row = await engine.start_express(wanted)
        await engine.catalog.delete_machine(wanted.target.machine_arn)
        assert engine.catalog.machine(wanted.target.machine_arn) is None
        with pytest.raises(ApiError, match="StateMachineDoesNotExist"):
            await engine.start_express(wanted)
        await store.sweep(engine.now(), 100)
    async with running(store) as engine:
        ended = ends(engine)
        await trio.sleep(200)
        assert [(each.arn, each.status) for each in ended] == [(row.arn, "SUCCEEDED")]


async def test_a_task_without_an_integration_fails_it(store, autojump_clock):
    """The answers of tasks come through the same door."""
    async with running(store) as engine:
        row = await engine.start_sync_execution(await express(engine, TASK))
        assert (row.status, row.error) == ("FAILED", "States.Runtime")


async def test_their_number_is_bounded(store, autojump_clock):
    """One too many is refused with AWS's error."""
    async with running(store) as engine:
        wanted = await express(engine, SLEEP)
        engine.express._running.update(range(RUNNING_MAX))
        with pytest.raises(ApiError) as refused:
            await engine.start_express(wanted)
        assert refused.value.code == "ExecutionLimitExceeded"
        assert await store.express() == []


@pytest.mark.parametrize(
    ("state", "location"),
    [
        ({"Resource": "arn:aws:states:::states:startExecution.sync"}, "/States/A/Resource"),
        ({"Resource": "arn:aws:states:::states:startExecution.sync:2"}, "/States/A/Resource"),
        ({"Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"}, "/States/A/Resource"),
        (
            {"Resource": "arn:aws:states:us-east-1:123456789012:activity:a"},
            "/States/A/Resource",
        ),
    ],
)
@pytest.mark.parametrize("inside", [None, "Parallel", "Map"])
async def test_what_express_does_not_support_is_refused(store, state, location, inside):
    """At the top, in a branch and in an iteration; a Standard machine may have it."""
    engine = await build(store)
    states: dict = {"A": {"Type": "Task", "End": True, **state}}
    program = {"StartAt": "A", "States": states}
    match inside:
        case "Parallel":
            states = {"P": {"Type": "Parallel", "Branches": [program], "End": True}}
            location = f"/States/P/Branches[0]{location}"
        case "Map":
            states = {"P": {"Type": "Map", "ItemProcessor": program, "End": True}}
            location = f"/States/P/ItemProcessor{location}"
    definition = json.dumps({"StartAt": next(iter(states)), "States": states})
    with pytest.raises(ApiError, match="InvalidDefinition") as refused:
        await engine.catalog.create_machine("m", definition, type="EXPRESS")
    assert refused.value.message.endswith(f"at {location}'")
    await engine.catalog.create_machine("m", definition)


async def test_a_full_disk_takes_nothing(store, autojump_clock, monkeypatch):
    """What cannot be made durable is refused and does not run; an end waits for room."""
    async with running(store) as engine:
        wanted = await express(engine, SLEEP)
        row = await engine.start_express(wanted)
        ended = ends(engine)

        async def full(_unit):
            raise StoreFull("full")

        with monkeypatch.context() as patch:
            patch.setattr(store, "commit", full)
            with pytest.raises(StoreFull):
                await engine.start_express(wanted)
            await trio.sleep(200)
            assert ended == []
        await trio.sleep(10)
        assert [each.arn for each in ended] == [row.arn]
        assert await store.express() == []


async def cut_off(store, definition):
    """The row of an execution that a crash leaves behind."""
    async with running(store) as engine:
        machine, revision = await engine.catalog.create_machine("m", definition, type="EXPRESS")
        arn = engine.catalog.arns.express("m", "e")
        row = ExpressRow(-1, arn, machine.arn, "e", revision.id, engine.now(), '{"n":1}')
        await store.commit([Insert(row)])
    return row


@pytest.mark.parametrize("definition", [PASS, SLEEP])
async def test_a_full_disk_puts_off_what_a_crash_has_cut_off(
    store, autojump_clock, monkeypatch, definition
):
    """It runs again when there is room, also where its end comes with its first unit."""
    row = await cut_off(store, definition)
    commit, failures = store.commit, [StoreFull("full")]

    async def full_once(unit):
        if failures:
            raise failures.pop()
        await commit(unit)

    monkeypatch.setattr(store, "commit", full_once)
    async with running(store) as engine:
        ended = ends(engine)
        await trio.sleep(200)
        assert [(each.arn, each.status) for each in ended] == [(row.arn, "SUCCEEDED")]
        assert failures == await store.express() == []


async def test_a_disk_that_fails_what_runs_again_is_no_defect(store, autojump_clock, monkeypatch):
    """It ends the daemon, which has one line to say of it."""
    await cut_off(store, PASS)

    async def closed(_unit):
        raise StoreClosed("the disk is broken")

    monkeypatch.setattr(store, "commit", closed)
    failed = pytest.RaisesGroup(pytest.RaisesExc(StoreClosed), flatten_subgroups=True)
    with failed, structlog.testing.capture_logs() as said:
        async with running(store):
            await trio.sleep(200)
    assert said == []
