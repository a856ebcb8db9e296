"""The wall clock is set while tasks are with their workers: what counts is how long it took."""

from __future__ import annotations

import pytest
import trio
from rig import ACTIVITY, TASK, clock, machine, running

from gateway.errors import ApiError
from gateway.store.failures import StoreFull
from gateway.store.memory import MemoryStore

DAY = 86_400_000


class Wall:
    """A clock that can be set."""

    def __init__(self) -> None:
        self.offset = 0

    def __call__(self) -> int:
        """Milliseconds since the epoch, as it says."""
        return clock() + self.offset


@pytest.fixture
def wall(monkeypatch):
    """The clock of every engine in here."""
    wall = Wall()
    monkeypatch.setattr("rig.clock", wall)
    return wall


async def handed_out(engine, **task):
    """The token and the ARN of an execution whose task a worker has."""
    await engine.catalog.create_activity("work")
    made, _ = await engine.catalog.create_machine("m", machine(T={**TASK, **task}))
    row = (await engine.start_execution(made.arn, "e", "{}")).row
    return (await engine.get_activity_task(ACTIVITY, "w", 10)).token, row.arn


@pytest.mark.parametrize("limit", ["HeartbeatSeconds", "TimeoutSeconds"])
async def test_a_clock_that_is_set_back_holds_no_timeout_up(wall, autojump_clock, limit):
    """A worker that is silent is given up an interval after that was seen, not a day later; where
    the disk is full then, when there is room."""
    store = MemoryStore()
    renew, full = store.renew_intervals, [StoreFull()]

    async def renew_intervals(now):
        if wall.offset and full:
            raise full.pop()
        await renew(now)

    store.renew_intervals = renew_intervals
    async with running(store) as engine:
        _, arn = await handed_out(engine, **{limit: 10})
        wall.offset = -DAY
        await trio.sleep(80)
        assert (await engine.execution(arn)).error == "States.Timeout"
    assert not full


async def test_a_restart_on_a_clock_that_was_set_back_begins_timeouts_anew(wall, autojump_clock):
    """A whole interval, and no more."""
    store = MemoryStore()
    async with running(store) as engine:
        token, arn = await handed_out(engine, TimeoutSeconds=10)
    wall.offset = -DAY
    async with running(store) as engine:
        await trio.sleep(9)
        assert (await engine.execution(arn)).status == "RUNNING"
        await trio.sleep(2)
        assert (await engine.execution(arn)).error == "States.Timeout"
        with pytest.raises(ApiError, match="TaskTimedOut"):
            await engine.task_succeeded(token, "1")


@pytest.mark.parametrize("jump", [-DAY, -5_000, 5_000, DAY])
async def test_whoever_beats_keeps_his_task_while_the_clock_is_set(wall, autojump_clock, jump):
    """And whoever has stopped beating loses it an interval after his last beat."""
    async with running(MemoryStore()) as engine:
        token, arn = await handed_out(engine, HeartbeatSeconds=10)
        for n in range(10):
            await trio.sleep(8)
            await engine.task_heartbeat(token)
            if n == 5:
                wall.offset = jump
        await trio.sleep(8)
        assert (await engine.execution(arn)).status == "RUNNING"
        await trio.sleep(3)
        assert (await engine.execution(arn)).error == "States.Timeout"
