"""RedriveExecution through the engine: what is durable, told and refused."""

from __future__ import annotations

import pytest
import trio
from outbox_rig import FakeSink, route
from rig import ACTIVITY, TASK, build, machine, running, wait_status

from gateway.engine.redrive import (
    LIFE_MS,
    PERIOD_MS,
    REDRIVES_MAX,
    TOKEN_MS,
    history_is_full,
    redrive_refusal,
)
from gateway.engine.verify import verify
from gateway.errors import ApiError
from gateway.store.memory import open_memory

EVERY = frozenset({"RUNNING", "SUCCEEDED", "FAILED"})


@pytest.fixture
async def store():
    """An empty store."""
    async with open_memory() as memory:
        yield memory


async def failed(engine):
    """The row of an execution whose task has failed."""
    await engine.catalog.create_activity("work")
    made, _ = await engine.catalog.create_machine("m", machine(T=TASK))
    row = (await engine.start_execution(made.arn, "e", "{}")).row
    task = await engine.get_activity_task(ACTIVITY, None, 10)
    await engine.task_failed(task.token, "Custom", "why")
    return await engine.execution(row.arn)


async def test_a_failed_execution_succeeds_after_a_redrive(store, autojump_clock):
    """Its row is as that of one that runs, its rows are those that its history asks for, and both
    ends are told, in order."""
    sink = FakeSink()
    async with running(store) as engine:
        engine._outbox.configure([route(sink, when=EVERY)])
        row = await failed(engine)
        await trio.sleep(100)
        at = await engine.redrive_execution(row.arn, None)
        assert at == engine.now()
        again = await engine.execution(row.arn)
        nothing = {"stop_at": None, "error": None, "cause": None}
        assert again == row._replace(status="RUNNING", redrives=1, redriven_at=at, **nothing)
        assert [line async for line in verify(store, engine._door)] == []
        task = await engine.get_activity_task(ACTIVITY, None, 10)
        await engine.task_succeeded(task.token, "1")
        await wait_status(engine, row.arn, "SUCCEEDED")
        types = [event["type"] for event in await engine.history(row.arn)]
        assert types.count("ExecutionRedriven") == 1
        await trio.sleep(100)
        told = [
            (each.event["detail"]["status"], each.event["detail"]["redriveCount"])
            for each in sink.accepted
        ]
        assert told == [("RUNNING", 0), ("FAILED", 0), ("RUNNING", 1), ("SUCCEEDED", 1)]
        assert len({each.id for each in sink.accepted}) == 4


async def test_a_redriven_execution_survives_a_crash(store, autojump_clock):
    """The next engine folds it and goes on."""
    async with running(store) as engine:
        row = await failed(engine)
        await engine.redrive_execution(row.arn, None)
    async with running(store) as engine:
        task = await engine.get_activity_task(ACTIVITY, None, 10)
        await engine.task_succeeded(task.token, "1")
        await wait_status(engine, row.arn, "SUCCEEDED")


async def test_one_that_runs_is_refused_and_a_token_counts_once(store, autojump_clock):
    """The same token gives the same answer for a while; without it there is nothing to redrive."""
    async with running(store) as engine:
        row = await failed(engine)
        heard = []
        engine.on_redrive.append(heard.append)
        first = await engine.redrive_execution(row.arn, "token")
        await trio.sleep(1)
        assert await engine.redrive_execution(row.arn, "token") == first
        for token in (None, "other"):
            with pytest.raises(ApiError, match=r"ExecutionNotRedrivable.*is RUNNING"):
                await engine.redrive_execution(row.arn, token)
        await trio.sleep(TOKEN_MS / 1000)
        with pytest.raises(ApiError, match="ExecutionNotRedrivable"):
            await engine.redrive_execution(row.arn, "token")
        assert len(heard) == 1


async def test_the_tokens_of_the_last_ten_redrives_count(store, autojump_clock):
    """Each answers with its own time and redrives nothing, also after the next one and a restart;
    the eleventh from the end is forgotten."""
    async with running(store) as engine:
        row = await failed(engine)
        times = []
        for number in range(11):
            times.append(await engine.redrive_execution(row.arn, f"token {number}"))
            await engine.stop_execution(row.arn, None, None)
            await trio.sleep(1)
    async with running(store) as engine:
        for number in range(1, 11):
            assert await engine.redrive_execution(row.arn, f"token {number}") == times[number]
        assert (await engine.execution(row.arn)).status == "ABORTED"
        assert await engine.redrive_execution(row.arn, "token 0") > times[-1]
        assert (await engine.execution(row.arn)).redrives == 12


async def test_one_whose_history_is_full_cannot_go_on(store, autojump_clock):
    """AWS's limit of events; that can be told before anybody tries."""
    around = {"Type": "Pass", "Next": "A"}
    async with running(store) as engine:
        made, _ = await engine.catalog.create_machine("m", machine(A=around))
        arn = (await engine.start_execution(made.arn, "e", "{}")).row.arn
        await wait_status(engine, arn, "FAILED")
        row = await engine.execution(arn)
        said = "Execution history event limit exceeded"
        assert await history_is_full(store, engine.fold, row)
        with pytest.raises(ApiError, match=f"ExecutionNotRedrivable.*{said}"):
            await engine.redrive_execution(arn, None)


async def test_of_two_redrives_at_once_one_counts(store, autojump_clock):
    """The other one is refused."""
    async with running(store) as engine:
        row = await failed(engine)
        outcomes = []

        async def redrive():
            try:
                outcomes.append(await engine.redrive_execution(row.arn, None))
            except ApiError as error:
                outcomes.append(error.code)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(redrive)
            nursery.start_soon(redrive)
        assert outcomes.count("ExecutionNotRedrivable") == 1
        assert (await engine.execution(row.arn)).redrives == 1


async def test_one_that_is_deleted_while_it_is_redriven_is_not_there(store, autojump_clock):
    """Retention may take it between the look at it and the write: that is no defect."""
    async with running(store) as engine:
        row = await failed(engine)
        write = store.commit

        async def after_a_sweep(unit):
            store.commit = write
            assert await store.sweep(engine.now() + 1, 10) == 1
            await write(unit)

        store.commit = after_a_sweep
        with pytest.raises(ApiError) as refused:
            await engine.redrive_execution(row.arn, None)
        assert refused.value.code == "ExecutionDoesNotExist"
        assert row.arn in str(refused.value)
        assert await store.map_runs(row.id) == []


async def test_what_cannot_be_redriven(store, autojump_clock):
    """What runs, has succeeded, ended long ago or was redriven too often."""
    async with running(store) as engine:
        row = await failed(engine)
    assert redrive_refusal(row, row.stop_at) is None
    assert redrive_refusal(row, row.stop_at + PERIOD_MS) is None
    for refused, now, said in (
        (row, row.stop_at + PERIOD_MS + 1, "period"),
        (row._replace(redrives=REDRIVES_MAX), row.stop_at, "limit"),
        (row._replace(status="SUCCEEDED"), row.stop_at, "Execution is SUCCEEDED and cannot"),
        (row._replace(start_at=row.stop_at - LIFE_MS - 1), row.stop_at, "max execution time"),
        (row._replace(status="RUNNING"), row.stop_at, "Execution is RUNNING and cannot"),
    ):
        assert said in redrive_refusal(refused, now)
    engine = await build(store)
    with pytest.raises(ApiError, match="ExecutionDoesNotExist"):
        await engine.redrive_execution(f"{row.arn}x", None)
