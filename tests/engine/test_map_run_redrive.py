"""Redrive of a Distributed Map: which children run again, what is counted, and what a crash
leaves."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest
import trio

from gateway.engine.engine import Engine
from gateway.engine.redrive import PERIOD_MS
from gateway.engine.verify import verify
from gateway.errors import ApiError
from gateway.store.failures import StoreFull
from gateway.store.map_runs import EndMapItem
from gateway.store.memory import open_memory
from tests.engine.rig import ACTIVITY, TASK, build, running, wait_status
from tests.engine.test_map_runs import children, distributed, ended, start, waiting_tasks

FIRST = ["ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted"]
FAILED = ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]
REDRIVEN = ["ExecutionRedriven", "MapRunRedriven"]
DONE = ["MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]


@pytest.fixture
async def store():
    """An empty store."""
    async with open_memory() as memory:
        yield memory


async def types(engine: Engine, arn: str) -> list[str]:
    """The types of the events of its history."""
    return [event["type"] for event in await engine.history(arn)]


async def one_of_three_succeeds(engine: Engine) -> str:
    """The ARN of an execution whose map run has failed: one child succeeded, one failed, and one
    was aborted with it."""
    arn = await start(engine, distributed(TASK), [0, 1, 2])
    good, bad, _ = await waiting_tasks(engine, 3)
    await engine.task_succeeded(good, '"first"')
    await engine.task_failed(bad, "Custom", "why")
    await ended(engine, arn, "FAILED")
    return arn


async def answer_all(engine: Engine, count: int, output: str) -> None:
    """So many tasks succeed."""
    for token in await waiting_tasks(engine, count):
        await engine.task_succeeded(token, output)


async def test_only_what_failed_runs_again(store, autojump_clock):
    """The child that succeeded is left alone; the others go on as executions of the same name, and
    their outputs take their places."""
    async with running(store) as engine:
        arn = await one_of_three_succeeds(engine)
        before = {row.id: row for row in await children(engine)}
        at = await engine.redrive_execution(arn, None)
        await answer_all(engine, 2, '"again"')
        row = await ended(engine, arn, "SUCCEEDED")
        assert orjson.loads(row.output) == ["first", "again", "again"]
        assert await types(engine, arn) == [*FIRST, *FAILED, *REDRIVEN, *DONE]
        after = {row.id: row for row in await children(engine)}
        assert after.keys() == before.keys()
        again = {row.item: (row.redrives, row.redriven_at) for row in after.values()}
        assert again == {0: (0, None), 1: (1, at), 2: (1, at)}
        [run] = await store.map_runs(row.id)
        assert (run.status, run.redrives, run.redriven_at) == ("SUCCEEDED", 1, at)
        events = {event["type"]: event for event in await engine.history(arn)}
        details = events["MapRunRedriven"]["mapRunRedrivenEventDetails"]
        assert details == {"mapRunArn": run.arn, "redriveCount": 1}
        child = await types(engine, next(row.arn for row in after.values() if row.item == 1))
        assert child[-6:] == [
            "ExecutionRedriven", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded",
            "TaskStateExited", "ExecutionSucceeded",
        ]  # fmt: skip


async def test_what_had_not_begun_begins(store, autojump_clock):
    """A run that fails early has items of which no child exists yet; MaxConcurrency counts both."""
    async with running(store) as engine:
        arn = await start(engine, distributed(TASK, MaxConcurrency=1), [0, 1, 2])
        [token] = await waiting_tasks(engine, 1)
        await engine.task_failed(token, "Custom", None)
        await ended(engine, arn, "FAILED")
        await engine.redrive_execution(arn, None)
        for _ in range(3):
            await answer_all(engine, 1, "1")
            assert len(await store.tasks()) <= 1
        assert (await ended(engine, arn, "SUCCEEDED")).output == "[1,1,1]"
        assert len(await children(engine)) == 3


async def test_a_run_that_fails_again_is_redriven_again(store, autojump_clock):
    """Failures of an earlier attempt do not count for the next one, those of this one do."""
    async with running(store) as engine:
        arn = await one_of_three_succeeds(engine)
        for redrives in (1, 2):
            await engine.redrive_execution(arn, None)
            await answer_all(engine, 1, '"again"') if redrives == 1 else None
            [token] = await waiting_tasks(engine, 1)
            await engine.task_failed(token, "Custom", None)
            row = await ended(engine, arn, "FAILED")
            assert row.error == "States.ExceedToleratedFailureThreshold"
            assert (await store.map_runs(row.id))[0].redrives == redrives
        await engine.redrive_execution(arn, None)
        await answer_all(engine, 1, '"at last"')
        row = await ended(engine, arn, "SUCCEEDED")
        assert sorted(orjson.loads(row.output)) == ["again", "at last", "first"]
        assert max(row.redrives for row in await children(engine)) == 3


async def test_a_run_that_was_given_up_goes_on(store, autojump_clock, monkeypatch):
    """StopExecution of the parent aborts the run and its children; a redrive at once waits until
    they are stopped, and then goes on with them."""
    commit = store.commit

    async def commit_slowly(unit):
        if any(isinstance(each, EndMapItem) and each.status == "ABORTED" for each in unit):
            await trio.sleep(10)
        await commit(unit)

    monkeypatch.setattr(store, "commit", commit_slowly)
    async with running(store) as engine:
        arn = await start(engine, distributed(TASK), list(range(90)))
        await answer_all(engine, 1, "1")
        await engine.stop_execution(arn, None, None)
        await engine.redrive_execution(arn, None)
        await answer_all(engine, 89, "1")
        row = await ended(engine, arn, "SUCCEEDED")
        assert orjson.loads(row.output) == [1] * 90
        assert Counter(row.redrives for row in await children(engine)) == {0: 1, 1: 89}


async def test_children_that_wait_for_their_redrive_say_so(store, autojump_clock):
    """With MaxConcurrency they come one by one; when the parent is stopped meanwhile, those that
    did not come are again as they had ended."""
    async with running(store) as engine:
        arn = await start(engine, distributed(TASK, MaxConcurrency=3), [0, 1, 2])
        row = await engine.execution(arn)
        await waiting_tasks(engine, 3)
        await engine.stop_execution(arn, None, None)
        await ended(engine, arn, "ABORTED")
        [run] = await store.map_runs(row.id)
        await engine.redrive_execution(arn, None)
        [token] = await waiting_tasks(engine, 1)
        await engine.stop_execution(arn, None, None)
        await ended(engine, arn, "ABORTED")
        counts = await engine.map_runs.counts(run)
        assert {status: each.items for status, each in counts.items()} == {"ABORTED": 3}
        with pytest.raises(ApiError):
            await engine.task_succeeded(token, "1")


@pytest.mark.parametrize("lives", [1, 3])
async def test_a_redrive_survives_crashes(store, lives, autojump_clock):
    """The next daemon goes on with those that were not redriven yet, and redrives none twice."""
    async with running(store) as engine:
        arn = await start(engine, distributed(TASK, MaxConcurrency=4), list(range(12)))
        await answer_all(engine, 4, "0")
        await waiting_tasks(engine, 4)
        await engine.stop_execution(arn, None, None)
        await ended(engine, arn, "ABORTED")
        await engine.redrive_execution(arn, None)
    for _ in range(40):
        async with running(store) as engine:
            if (await engine.execution(arn)).status != "RUNNING":
                break
            for _ in range(lives):
                task = await engine.get_activity_task(ACTIVITY, "w", 60)
                if task is not None:
                    await engine.task_succeeded(task.token, "1")
        dead = await build(store)
        assert [line async for line in verify(store, dead._door)] == []
    assert (await engine.execution(arn)).output == orjson.dumps([0] * 4 + [1] * 8).decode()
    assert Counter(row.redrives for row in await children(engine)) == {0: 8, 1: 4}


async def test_a_child_whose_time_is_over_stays_failed(store, autojump_clock):
    """It counts as a failure of the redriven run, too."""
    async with running(store) as engine:
        definition = distributed(TASK, ToleratedFailureCount=1)
        arn = await start(engine, definition, [0, 1])
        old, young = await waiting_tasks(engine, 2)
        await engine.task_failed(old, "Custom", None)
        await trio.sleep(PERIOD_MS / 1000 + 1)
        await engine.task_failed(young, "Custom", None)
        await ended(engine, arn, "FAILED")
        await engine.redrive_execution(arn, None)
        await answer_all(engine, 1, "1")
        row = await ended(engine, arn, "SUCCEEDED")
        assert row.output == "[1]"
        assert {row.item: row.redrives for row in await children(engine)} == {0: 0, 1: 1}


BIG = {"Type": "Pass", "Result": "x" * 3000, "End": True}
ANEW = {
    "too large": (distributed(BIG), 100, [*FIRST, *FAILED]),
    "no result": (
        distributed(TASK, ResultSelector={"a.$": "$[7]"}),
        1,
        [*FIRST, "MapRunSucceeded", "MapStateSucceeded", "ExecutionFailed"],
    ),
}


@pytest.mark.parametrize("name", ANEW)
async def test_a_result_that_failed_the_state_takes_a_new_run(name, store, autojump_clock):
    """Where the children were not at fault, redriving them would change nothing: the state begins
    again."""
    definition, items, before = ANEW[name]
    async with running(store) as engine:
        arn = await start(engine, definition, list(range(items)))
        if name == "no result":
            await answer_all(engine, 1, "1")
        row = await ended(engine, arn, "FAILED")
        assert await types(engine, arn) == before
        await engine.redrive_execution(arn, None)
        if name == "no result":
            await answer_all(engine, 1, "1")
        await ended(engine, arn, "FAILED")
        again = (await types(engine, arn))[len(before) :]
        assert again == ["ExecutionRedriven", *FIRST[2:], *before[len(FIRST) :]]
        assert [run.redrives for run in await store.map_runs(row.id)] == [0, 0]


async def test_a_map_run_inside_a_child_is_redriven_with_it(store, autojump_clock):
    """The child's own map run goes on, not another one."""
    text = distributed(TASK).replace("Child", "Grandchild")
    inner = orjson.loads(text)["States"]["Map"] | {"Label": "inner"}
    async with running(store) as engine:
        arn = await start(engine, distributed(inner), [[1, 2]])
        good, bad = await waiting_tasks(engine, 2)
        await engine.task_succeeded(good, "1")
        await engine.task_failed(bad, "Custom", None)
        await ended(engine, arn, "FAILED")
        await engine.redrive_execution(arn, None)
        await answer_all(engine, 1, "2")
        assert (await ended(engine, arn, "SUCCEEDED")).output == "[[1,2]]"
        runs = [run for n in range(1, 5) for run in await store.map_runs(n)]
        assert [run.redrives for run in runs] == [1, 1]


async def test_an_answer_to_the_earlier_attempt_changes_nothing(store, autojump_clock):
    """What the parent waits for has another number after each redrive."""
    async with running(store) as engine:
        arn = await one_of_three_succeeds(engine)
        row = await engine.execution(arn)
        [run] = await store.map_runs(row.id)
        await engine.redrive_execution(arn, None)
        await waiting_tasks(engine, 2)
        folded = await engine.fold(await engine.execution(arn))
        assert [each.number for each in folded.effects.values()] == [run.number]
        assert folded.map_run(run.number) is None
        await engine.stop_execution(arn, None, None)
        await wait_status(engine, arn, "ABORTED")


async def test_a_client_token_survives_a_restart(store, autojump_clock):
    """The same token gives the same answer and redrives nothing."""
    async with running(store) as engine:
        arn = await one_of_three_succeeds(engine)
        at = await engine.redrive_execution(arn, "token")
    async with running(store) as engine:
        await trio.sleep(1)
        assert await engine.redrive_execution(arn, "token") == at
        with pytest.raises(ApiError, match="is RUNNING"):
            await engine.redrive_execution(arn, "other")
        assert (await engine.execution(arn)).redrives == 1


async def test_a_child_is_redriven_by_its_map_run_only(store, autojump_clock):
    """RedriveExecution of a child is refused."""
    async with running(store) as engine:
        await one_of_three_succeeds(engine)
        for child in await children(engine):
            with pytest.raises(ApiError, match=r"ExecutionNotRedrivable.*map run"):
                await engine.redrive_execution(child.arn, None)


@pytest.mark.parametrize("full", [0, 3])
async def test_a_child_that_stays_as_it_was_waits_for_room(
    full, store, autojump_clock, monkeypatch
):
    """It has been redriven as often as may be; that the disk is full then is nobody's defect."""
    commit = store.commit

    async def fill(unit):
        nonlocal full
        if any(isinstance(each, EndMapItem) for each in unit) and full:
            full -= 1
            raise StoreFull("full")
        await commit(unit)

    async with running(store) as engine:
        arn = await one_of_three_succeeds(engine)
        held = store._tables.executions
        for row in await children(engine):
            held[row.id] = row._replace(redrives=1000)
        monkeypatch.setattr(store, "commit", fill)
        await engine.redrive_execution(arn, None)
        row = await ended(engine, arn, "FAILED")
        assert (row.error, full) == ("States.ExceedToleratedFailureThreshold", 0)
