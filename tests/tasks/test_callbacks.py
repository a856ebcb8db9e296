"""What the engine owes a task that waits for its token, whatever the integration."""

from __future__ import annotations

import orjson
import pytest
import trio

from gateway.engine.verify import verify
from gateway.errors import ApiError
from gateway.store.memory import MemoryStore
from gateway.tasks.protocol import TaskFailure
from tests.engine.rig import clock, running, wait_status
from tests.tasks.test_dispatcher import Scripted, start, types

ASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:::slow:call.waitForTaskToken",
    "Parameters": {"token.$": "$$.Task.Token"},
    "End": True,
}


async def at_once(_request):
    """An answer to a call."""
    return {"called": True}


async def test_the_call_is_made_without_the_pattern_and_the_token_ends_the_task(autojump_clock):
    """The runner of the Resource itself is asked; what it says is TaskSubmitted; SendTaskSuccess
    gives the result, once."""
    slow = Scripted(work=at_once)
    async with running(MemoryStore(), [slow]) as engine:
        arn = await start(engine, ASK)
        await trio.testing.wait_all_tasks_blocked()
        (request,) = slow.requests
        assert request.resource == "arn:aws:states:::slow:call"
        assert (await types(engine, arn))[2:] == ["TaskScheduled", "TaskStarted", "TaskSubmitted"]
        (row,) = await engine.store.tasks()
        assert row.submitted_at is not None
        await engine.task_succeeded(request.input["token"], '{"a":1}')
        assert (await engine.execution(arn)).output == '{"a":1}'
        with pytest.raises(ApiError, match="Task Timed Out"):
            await engine.task_succeeded(request.input["token"], "2")


async def test_a_crash_between_start_and_call_changes_neither_token_nor_key(autojump_clock):
    """The call is made again with what it was made with; a worker that has the first one's token
    can answer."""
    store, before, after = MemoryStore(), Scripted(), Scripted(work=at_once)
    async with running(store, [before]) as engine:
        arn = await start(engine, ASK)
        await trio.testing.wait_all_tasks_blocked()
    async with running(store, [after]) as engine:
        await trio.testing.wait_all_tasks_blocked()
        assert before.requests == after.requests
        await engine.task_succeeded(before.requests[0].input["token"], "1")
        assert (await engine.execution(arn)).status == "SUCCEEDED"


async def test_a_call_that_was_answered_is_not_made_again(autojump_clock):
    """A crash between the answer to the call and that by token: the next life waits for it."""
    store, again = MemoryStore(), Scripted(work=at_once)
    slow = Scripted(work=at_once)
    async with running(store, [slow]) as engine:
        arn = await start(engine, ASK)
        await trio.testing.wait_all_tasks_blocked()
    async with running(store, [again]) as engine:
        await trio.testing.wait_all_tasks_blocked()
        assert again.requests == []
        assert [line async for line in verify(store, engine._door)] == []
        await engine.task_failed(slow.requests[0].input["token"], "No", None)
        assert (await engine.execution(arn)).error == "No"


async def test_a_call_goes_on_though_its_task_was_answered(autojump_clock):
    """A function that sends its own answer is not cut off in the middle of its work."""
    worked = []

    async def answers(request):
        await engine.task_succeeded(request.input["token"], "1")
        await trio.sleep(5)
        worked.append(request.key)

    slow = Scripted(work=answers)
    async with running(MemoryStore(), [slow]) as engine:
        arn = await start(engine, ASK)
        await wait_status(engine, arn, "SUCCEEDED")
        await trio.sleep(6)
        assert worked == [slow.requests[0].key]
        assert "TaskSubmitted" not in await types(engine, arn)


async def test_heartbeats_by_token_keep_the_task(autojump_clock):
    """One that is sent in time moves the moment at which the task is given up."""
    slow = Scripted(work=at_once)
    async with running(MemoryStore(), [slow]) as engine:
        arn = await start(engine, {**ASK, "HeartbeatSeconds": 5})
        began = clock()
        await trio.sleep(3)
        await engine.task_heartbeat(slow.requests[0].input["token"])
        await wait_status(engine, arn, "FAILED")
        assert clock() - began == 8000
        assert (await types(engine, arn))[-2] == "TaskTimedOut"


async def test_a_call_that_fails_fails_the_task(autojump_clock):
    """And its token answers nothing any more."""

    async def fails(_request):
        raise TaskFailure("Slow.No", "why")

    slow = Scripted(work=fails)
    async with running(MemoryStore(), [slow]) as engine:
        arn = await start(engine, ASK)
        await wait_status(engine, arn, "FAILED")
        assert (await engine.execution(arn)).error == "Slow.No"
        with pytest.raises(ApiError):
            await engine.task_succeeded(slow.requests[0].input["token"], "1")


async def test_a_token_cannot_be_forged(autojump_clock):
    """One that names the task and has other secret bytes is refused."""
    slow = Scripted(work=at_once)
    async with running(MemoryStore(), [slow]) as engine:
        arn = await start(engine, ASK)
        await trio.testing.wait_all_tasks_blocked()
        token = slow.requests[0].input["token"]
        for forged in (token[:-4] + "AAAA", token[:20], ""):
            with pytest.raises(ApiError):
                await engine.task_succeeded(forged, "1")
        assert (await engine.execution(arn)).status == "RUNNING"


async def test_what_waits_for_a_token_takes_no_place_of_a_call(autojump_clock):
    """Of three at a time ten are called, and all wait."""
    slow = Scripted(work=at_once)
    async with running(MemoryStore(), [slow]) as engine:
        branches = [{"StartAt": f"T{n}", "States": {f"T{n}": ASK}} for n in range(10)]
        arn = await start(engine, {"Type": "Parallel", "Branches": branches, "End": True})
        await trio.testing.wait_all_tasks_blocked()
        assert len({request.input["token"] for request in slow.requests}) == 10
        for number, request in enumerate(slow.requests):
            await engine.task_succeeded(request.input["token"], str(number))
        row = await engine.execution(arn)
        assert sorted(orjson.loads(row.output)) == list(range(10))
