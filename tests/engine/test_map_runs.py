"""Distributed Map: children as executions, limits, failures, and what a crash leaves."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest
import trio

from gateway.engine.engine import Engine
from gateway.engine.verify import verify
from gateway.store.changes import EndExecution
from gateway.store.failures import StoreFull
from gateway.store.map_runs import CountMapRun, HoldMapRun, MapItemRow
from gateway.store.memory import open_memory
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.rows import ExecutionRow
from tests.engine.rig import ACTIVITY, TASK, build, running, wait_status

PASS = {"Type": "Pass", "End": True}
FAIL = {"Type": "Fail", "Error": "Custom"}


def distributed(child: dict, **members) -> str:
    """A machine of one Distributed Map with this state in its children."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Child",
        "States": {"Child": child},
    }
    state = {"Type": "Map", "Label": "items", "ItemProcessor": processor, "End": True, **members}
    return orjson.dumps({"StartAt": "Map", "States": {"Map": state}}).decode()


async def start(engine: Engine, definition: str, given: object) -> str:
    """The ARN of an execution of the machine ``m``."""
    await engine.catalog.create_activity("work")
    machine, _ = await engine.catalog.create_machine("m", definition)
    text = orjson.dumps(given).decode()
    return (await engine.start_execution(machine.arn, "e", text)).row.arn


async def ended(engine: Engine, arn: str, status: str) -> ExecutionRow:
    """The execution's row, when it has ended so and nothing of its map runs is left to be done."""
    await wait_status(engine, arn, status)
    while await engine.store.open_map_runs():  # noqa: ASYNC110 - the clock is virtual
        await trio.sleep(1)
    assert [line async for line in verify(engine.store, engine._door)] == []
    return await engine.execution(arn)


async def children(engine: Engine) -> list:
    """The rows of the children, newest first."""
    listing = await engine.store.executions(ExecutionFilter(), Page(1000))
    return [row for row in listing.rows if row.item is not None]


async def test_the_output_is_the_children_s_in_order(autojump_clock):
    """Each item is an execution of <machine>/<label>; the parent's history does not grow by
    them."""
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, distributed(PASS), list(range(250)))
        row = await ended(engine, arn, "SUCCEEDED")
        assert orjson.loads(row.output) == list(range(250))
        assert [event["type"] for event in await engine.history(arn)] == [
            "ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted",
            "MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded",
        ]  # fmt: skip
        rows = await children(engine)
        assert len({row.name for row in rows}) == 250
        assert {row.machine_arn for row in rows} == {
            "arn:aws:states:us-east-1:123456789012:stateMachine:m/items"
        }
        [run] = await store.map_runs(row.id)
        assert (run.status, run.open, run.total) == ("SUCCEEDED", False, 250)


ABOUT_ITEMS = {
    "selector": (
        {"ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "k.$": "$.k"}},
        [{"i": 0, "v": "a", "k": 1}, {"i": 1, "v": "b", "k": 1}, {"i": 2, "v": "c", "k": 1}],
    ),
    "batches": (
        {"ItemBatcher": {"MaxItemsPerBatch": 2, "BatchInput": {"k.$": "$.k"}}},
        [{"BatchInput": {"k": 1}, "Items": ["a", "b"]}, {"BatchInput": {"k": 1}, "Items": ["c"]}],
    ),
    "batches of bytes": (
        {"ItemBatcher": {"MaxInputBytesPerBatch": 18}},
        [{"Items": ["a"]}, {"Items": ["b"]}, {"Items": ["c"]}],
    ),
    "result selector": ({"ResultSelector": {"n.$": "States.ArrayLength($)"}}, {"n": 3}),
}


@pytest.mark.parametrize("name", ABOUT_ITEMS)
async def test_what_children_are_given(name, autojump_clock):
    """ItemSelector sees the state's input and the item; a batch has BatchInput and Items."""
    members, output = ABOUT_ITEMS[name]
    async with open_memory() as store, running(store) as engine:
        definition = distributed(PASS, ItemsPath="$.items", **members)
        arn = await start(engine, definition, {"items": ["a", "b", "c"], "k": 1})
        assert orjson.loads((await ended(engine, arn, "SUCCEEDED")).output) == output


CHOICE = {
    "ItemSelector": {"fails.$": "$$.Map.Item.Value"},
}
FAILS = {
    "Type": "Choice",
    "Choices": [{"Variable": "$.fails", "BooleanEquals": True, "Next": "Fail"}],
    "Default": "Done",
}


def failing(**members) -> str:
    """A Distributed Map whose children fail where their item is true."""
    machine = orjson.loads(distributed(FAILS, **CHOICE, **members))
    states = machine["States"]["Map"]["ItemProcessor"]["States"]
    states |= {"Fail": FAIL, "Done": PASS}
    return orjson.dumps(machine).decode()


TOLERANCES = [
    ({}, "FAILED"),
    ({"ToleratedFailureCount": 1}, "FAILED"),
    ({"ToleratedFailureCount": 2}, "SUCCEEDED"),
    ({"ToleratedFailurePercentage": 49.9}, "FAILED"),
    ({"ToleratedFailurePercentage": 50}, "SUCCEEDED"),
    ({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 90}, "FAILED"),
    ({"Catch": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "Next": "Map2"}]},
     "SUCCEEDED"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "status"), TOLERANCES)
async def test_failures_are_tolerated_up_to_a_threshold(members, status, autojump_clock):
    """Without a threshold one failure fails the run; each threshold that is given counts; the
    result has what succeeded. Catch matches the error's name."""
    definition = orjson.loads(failing(**members))
    if "Catch" in members:
        definition["States"]["Map2"] = PASS
    async with open_memory() as store, running(store) as engine:
        text = orjson.dumps(definition).decode()
        arn = await start(engine, text, [True, False, True, False])
        row = await ended(engine, arn, status)
        events = [event["type"] for event in await engine.history(arn)]
        if status == "FAILED":
            assert row.error == "States.ExceedToleratedFailureThreshold"
            assert events[-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]
        elif "Catch" not in members:
            assert orjson.loads(row.output) == [{"fails": False}, {"fails": False}]
        assert {(each.status, each.error) for each in await children(engine)} == {
            ("SUCCEEDED", None), ("FAILED", "Custom"),
        }  # fmt: skip


async def waiting_tasks(engine: Engine, count: int) -> list[str]:
    """The tokens of so many tasks that are handed out."""
    tokens = []
    for _ in range(count):
        task = await engine.get_activity_task(ACTIVITY, "w", 60)
        assert task is not None
        tokens.append(task.token)
    return tokens


async def test_max_concurrency_bounds_running_children(autojump_clock):
    """Another child starts only when one has ended."""
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, distributed(TASK, MaxConcurrency=2), list(range(5)))
        tokens = await waiting_tasks(engine, 2)
        for _ in range(3):
            assert len(await store.tasks()) == 2
            await engine.task_succeeded(tokens.pop(0), "1")
            tokens += await waiting_tasks(engine, 1)
        for token in tokens:
            await engine.task_succeeded(token, "1")
        assert (await ended(engine, arn, "SUCCEEDED")).output == "[1,1,1,1,1]"


ENDS = {
    "stopped": ({}, "ABORTED", ["MapRunAborted", "ExecutionAborted"]),
    "timed out": ({"TimeoutSeconds": 60}, "TIMED_OUT", ["MapRunAborted", "ExecutionTimedOut"]),
}


@pytest.mark.parametrize("how", ENDS)
async def test_the_end_of_the_parent_stops_its_children(how, autojump_clock):
    """The run is aborted, and every child that still runs is stopped."""
    members, status, events = ENDS[how]
    definition = orjson.dumps({**orjson.loads(distributed(TASK)), **members}).decode()
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, definition, list(range(150)))
        [token, *_] = await waiting_tasks(engine, 100)
        await engine.task_succeeded(token, "1")
        if how == "stopped":
            await engine.stop_execution(arn, "Enough", None)
        row = await ended(engine, arn, status)
        assert [event["type"] for event in await engine.history(arn)][-2:] == events
        assert Counter(each.status for each in await children(engine)) == {
            "SUCCEEDED": 1, "ABORTED": 149,
        }  # fmt: skip
        assert await store.tasks() == []
        assert (await store.map_runs(row.id))[0].status == "ABORTED"


async def test_a_failing_sibling_aborts_the_run(autojump_clock):
    """In a Parallel whose other branch fails, MapRunAborted and MapStateAborted are written."""
    inside = orjson.loads(distributed(TASK))
    wait = {"Type": "Wait", "Seconds": 5, "Next": "Fail"}
    other = {"StartAt": "Wait", "States": {"Wait": wait, "Fail": FAIL}}
    both = {"Type": "Parallel", "Branches": [inside, other], "End": True}
    definition = orjson.dumps({"StartAt": "Both", "States": {"Both": both}}).decode()
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, definition, [1, 2])
        await ended(engine, arn, "FAILED")
        events = [event["type"] for event in await engine.history(arn)]
        at = events.index("MapRunAborted")
        assert events[at : at + 2] == ["MapRunAborted", "MapStateAborted"]
        assert {each.status for each in await children(engine)} == {"ABORTED"}


async def test_too_large_results_fail_the_state(autojump_clock):
    """The list of outputs is a document like any other: at most 256 KiB."""
    big = {"Type": "Pass", "Result": "x" * 3000, "End": True}
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, distributed(big), list(range(100)))
        assert (await ended(engine, arn, "FAILED")).error == "States.DataLimitExceeded"


async def test_a_run_goes_on_after_a_crash(autojump_clock):
    """Whenever the daemon dies, the next one starts what was not started, and nothing twice."""
    async with open_memory() as store:
        async with running(store) as engine:
            arn = await start(engine, distributed(TASK, MaxConcurrency=7), list(range(30)))
        for life in range(60):
            async with running(store) as engine:
                if (await engine.execution(arn)).status != "RUNNING":
                    break
                for _ in range(1 + life % 3):
                    task = await engine.get_activity_task(ACTIVITY, "w", 60)
                    if task is not None:
                        await engine.task_succeeded(task.token, "1")
            dead = await build(store)
            assert [line async for line in verify(store, dead._door)] == []
        row = await engine.execution(arn)
        assert (row.status, row.output) == ("SUCCEEDED", orjson.dumps([1] * 30).decode())
        assert len(await children(engine)) == 30


async def test_a_map_run_inside_a_child(autojump_clock):
    """Children may have map runs of their own, under their own label."""
    inner = orjson.loads(distributed(PASS).replace("Child", "Grandchild"))["States"]["Map"]
    inner |= {"Label": "inner"}
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, distributed(inner), [[1, 2], [3]])
        row = await ended(engine, arn, "SUCCEEDED")
        assert row.output == "[[1,2],[3]]"
        machines = {each.machine_arn.rpartition(":")[2] for each in await children(engine)}
        assert machines == {"m/items", "m/inner"}


async def test_a_full_disk_delays_a_run(autojump_clock, monkeypatch):
    """What finds no room, children or the count of what a reader has found, is done when there is
    some, by the same daemon."""
    async with open_memory() as store, running(store) as engine:
        commit, full = store.commit, []

        async def fill(unit):
            if any(isinstance(each, HoldMapRun | CountMapRun) for each in unit) and len(full) < 3:
                full.append(unit)
                raise StoreFull("full")
            await commit(unit)

        monkeypatch.setattr(store, "commit", fill)
        monkeypatch.setattr(engine.map_runs._s3, "items", lambda _reader: iter([1, 2, 3]))
        place = {"Bucket": "b", "Key": "k"}
        reader = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": place}
        reader["ReaderConfig"] = {"InputType": "JSON"}
        arn = await start(engine, distributed(PASS, ItemReader=reader), {})
        assert (await ended(engine, arn, "SUCCEEDED")).output == "[1,2,3]"
        [run] = await store.map_runs((await engine.execution(arn)).id)
        assert (len(full), run.total) == (3, 3)


async def test_children_are_stopped_when_there_is_room(autojump_clock, monkeypatch):
    """While the disk is full, that is tried every few seconds."""
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, distributed(TASK), [1, 2])
        await waiting_tasks(engine, 2)
        commit, tries = store.commit, 0
        full_until = trio.current_time() + 60

        async def fill(unit):
            nonlocal tries
            ends_child = any(isinstance(each, EndExecution) for each in unit) and tries
            tries += 1
            if tries == 100:
                pytest.fail("it spins")
            if ends_child and trio.current_time() < full_until:
                raise StoreFull("full")
            await commit(unit)

        monkeypatch.setattr(store, "commit", fill)
        await engine.stop_execution(arn, None, None)
        row = await ended(engine, arn, "ABORTED")
        [run] = await store.map_runs(row.id)
        assert await engine.map_runs.counts(run) == {"ABORTED": (2, 2)}
        assert trio.current_time() >= full_until


async def test_a_run_whose_parent_is_damaged_rests(autojump_clock):
    """Nobody can be told that it has failed. The engine goes on, and starts, for all others."""
    async with open_memory() as store:
        async with running(store) as engine:
            damaged = (await engine.execution(await start(engine, distributed(TASK), [1]))).id
            await waiting_tasks(engine, 1)
        rows = store._tables.history[damaged]
        rows.update({place: row._replace(records=b"\xff") for place, row in rows.items()})
        async with running(store) as engine:
            other, _ = await engine.catalog.create_machine("other", distributed(PASS))
            await trio.sleep(60)
            arn = (await engine.start_execution(other.arn, "e", "[1]")).row.arn
            await wait_status(engine, arn, "SUCCEEDED")


async def test_what_was_stopped_and_what_never_began_are_counted_as_aborted(autojump_clock):
    """Both of them, where a run is given up in the middle."""
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, distributed(TASK, MaxConcurrency=2), [1, 2, 3, 4, 5])
        await trio.sleep(1)
        await engine.stop_execution(arn, None, None)
        row = await ended(engine, arn, "ABORTED")
        [run] = await store.map_runs(row.id)
        assert await engine.map_runs.counts(run) == {"ABORTED": (5, 5)}


async def test_a_conflict_is_read_anew(autojump_clock):
    """Where a child of an item is there already, whoever made it, the run goes on from the rows:
    the item has one child, and the output is complete."""
    async with open_memory() as store, running(store) as engine:
        commit, thief = store.commit, []

        async def steal(unit):
            mine = [each for each in unit if isinstance(getattr(each, "row", None), MapItemRow)]
            if mine and not thief:
                thief.append(mine[0].row.item)
                await commit(unit)
            return await commit(unit)

        store.commit = steal
        arn = await start(engine, distributed(PASS, MaxConcurrency=2), [1, 2, 3, 4, 5])
        row = await ended(engine, arn, "SUCCEEDED")
        assert (row.output, thief) == ("[1,2,3,4,5]", [0])
        assert len(await children(engine)) == 5


@pytest.mark.slow
async def test_ten_thousand_items_need_a_distributed_map(autojump_clock):
    """Inline they die of AWS's limit of events; as children they do not count."""
    items = list(range(10_000))
    state = orjson.loads(distributed(PASS))
    inline = state["States"]["Map"] | {"ItemProcessor": {"StartAt": "P", "States": {"P": PASS}}}
    del inline["Label"]
    async with open_memory() as store, running(store) as engine:
        machine, _ = await engine.catalog.create_machine(
            "inline", orjson.dumps({**state, "States": {"Map": inline}}).decode()
        )
        text = orjson.dumps(items).decode()
        arn = (await engine.start_execution(machine.arn, "e", text)).row.arn
        await wait_status(engine, arn, "FAILED")
        row = await engine.execution(arn)
        assert (row.error, row.cause) == (
            "States.Runtime",
            "The execution reached the maximum number of history events (25000).",
        )
        arn = await start(engine, distributed(PASS), items)
        assert (await ended(engine, arn, "SUCCEEDED")).output == text


async def test_a_run_that_ends_as_it_begins_can_be_read_and_redriven(autojump_clock):
    """A branch that fails at once aborts the run beside it before that is on disk; the history
    names it, so it is there, and a redrive goes on with it."""
    inside = orjson.loads(distributed(PASS))
    both = {"Type": "Parallel", "Branches": [inside, {"StartAt": "F", "States": {"F": FAIL}}]}
    definition = {"StartAt": "Both", "States": {"Both": {**both, "End": True}}}
    async with open_memory() as store, running(store) as engine:
        arn = await start(engine, orjson.dumps(definition).decode(), [1, 2])
        row = await ended(engine, arn, "FAILED")
        [run] = await store.map_runs(row.id)
        assert (run.status, run.open) == ("ABORTED", False)
        assert await engine.map_runs.counts(run) == {"ABORTED": (2, 2)}
        await engine.redrive_execution(arn, None)
        await ended(engine, arn, "FAILED")
        [run] = await store.map_runs(row.id)
        assert (run.status, run.redrives) == ("ABORTED", 1)
