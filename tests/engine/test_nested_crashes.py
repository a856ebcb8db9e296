"""Nested executions over crashes: whenever the daemon dies, no child is begun twice, its end
reaches its task once, and none outlives the task that waits for it."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.starts import StartRequest
from gateway.engine.verify import verify
from gateway.store.protocol import ExecutionFilter, Page
from tests.asl.machines import inputs, programs
from tests.engine.crashing import World, small_steps
from tests.engine.rig import machine
from tests.properties import examples

START = "arn:aws:states:::states:startExecution"
ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:"
FOREVER = {"Type": "Wait", "Seconds": 1_000_000, "End": True}


def begins(child: str, how: str, **more) -> dict:
    """A task that begins an execution of the machine of this name."""
    given_ = {"StateMachineArn": ARN + child, "Input.$": "$"}
    return {"Type": "Task", "Resource": START + how, "Parameters": given_, "End": True, **more}


def branch(name: str, task: dict, **more: dict) -> dict:
    """A branch of a Parallel."""
    return {"StartAt": name, "States": {name: task, **more}}


ALL = {"ErrorEquals": ["States.ALL"]}
TRIED = {"Retry": [{**ALL, "MaxAttempts": 1}], "Catch": [{**ALL, "Next": "C"}]}
BRANCHES = [
    branch("Tried", begins("work", ".sync", **TRIED), C={"Type": "Pass", "End": True}),
    branch("Parsed", begins("work", ".sync:2")),
    branch("Forever", begins("forever", ".sync", TimeoutSeconds=20)),
    branch("Begun", begins("work", "")),
]
PARENT = machine(
    B={
        "Type": "Parallel",
        "Branches": BRANCHES,
        "Catch": [{**ALL, "Next": "D"}],
        "Next": "D",
    },
    D={"Type": "Succeed"},
)


async def declare(world: World, work: str) -> str:
    """The parent's ARN."""
    catalog = (await world.daemon()).catalog
    await catalog.create_activity("work")
    await catalog.create_machine("work", work)
    await catalog.create_machine("forever", machine(W=FOREVER))
    return (await catalog.create_machine("parent", PARENT))[0].arn


async def assert_settled(world: World) -> None:
    """No child twice, none without its parent, each result told as it was."""
    engine = await world.daemon()
    assert [line async for line in verify(engine.store, engine._door)] == []
    assert await world.disk.unsettled() == []
    rows = (await world.disk.executions(ExecutionFilter(), Page(10_000))).rows
    assert all(row.status != "RUNNING" for row in rows)
    assert all(n == 1 for n in Counter(row.begun_by for row in rows if row.begun_by).values())
    forever = [row for row in rows if row.machine_arn == ARN + "forever"]
    assert {row.status for row in forever} <= {"ABORTED"}
    waited_for = {row.arn: row for row in rows if row.parent is not None}
    for row in rows:
        if row.machine_arn == ARN + "parent":
            whole = await world.disk.execution_by_id(row.id)
            await assert_told(engine, whole, waited_for)


async def assert_told(engine, row, waited_for) -> None:
    """What was submitted is a child of this parent; what succeeded says what the child says."""
    for event in await engine.histories.whole(row):
        details = event.get("taskSubmittedEventDetails") or event.get("taskSucceededEventDetails")
        if details is None or details["resource"] == "startExecution":
            continue
        told = orjson.loads(details["output"])
        child = waited_for[told["ExecutionArn"]]
        assert child.parent == row.id
        if event["type"] == "TaskSucceeded":
            assert (child.status, child.stop_at) == ("SUCCEEDED", told["StopDate"])


def lives(work: str, seed: int, seconds: list[int], commits: int | None, given_: str) -> None:
    """Lives of some seconds each, the first of which dies after so many commits."""
    world = World(seed)

    async def main() -> None:
        parent = await declare(world, work)
        starts = [StartRequest(parent, "p", given_)]
        for life in seconds:
            world.disk.commits_left = commits
            await world.live(life, starts)
            commits_ = world.dice.choice([None, world.dice.randrange(2, 40)])
            world.disk.full_share = world.dice.choice([0, 0.3])
            world.disk.commits_left = commits_
        engine = await world.finish(starts)
        assert engine._nested._open == set()
        await assert_settled(world)

    with small_steps(world.dice) as log:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [entry for entry in log if "bug" in entry["event"]] == []


@pytest.mark.parametrize("commits", range(1, 60))
def test_the_daemon_may_die_after_any_commit(commits):
    """Between the start of a task and its child's, between that and the answer, before the end of
    the child is told, and after."""
    work = machine(P={"Type": "Pass", "Next": "W"}, W={"Type": "Wait", "Seconds": 3, "End": True})
    lives(work, commits, [30], commits, "{}")


@examples(40)
@given(
    program=programs(),
    given_=inputs,
    seconds=st.lists(st.integers(1, 40), max_size=3),
    commits=st.none() | st.integers(2, 40),
    seed=st.integers(0, 2**32),
)
def test_random_children_are_begun_once_and_heard_of_once(program, given_, seconds, commits, seed):
    """Whatever the child does, and whatever workers, disk and crashes do meanwhile."""
    text = orjson.dumps(program).decode()
    lives(text, seed, seconds, commits, orjson.dumps(given_).decode())


SHARED = [branch(name, begins("shared", how)) for name, how in (("A", ".sync"), ("B", ".sync:2"))]
for _each in SHARED:
    (_task,) = _each["States"].values()
    _task["Parameters"]["Name"] = "one"
PAIR = machine(Both={"Type": "Parallel", "Branches": SHARED, "End": True})


@pytest.mark.parametrize("commits", range(1, 30))
def test_all_that_wait_for_one_child_hear_of_its_end(commits):
    """One task begins it and the other finds it running; wherever the daemon dies, and though
    nothing is kept after its end but what somebody waits for."""
    world = World(commits)

    async def main() -> None:
        catalog = (await world.daemon()).catalog
        wait = {"Type": "Wait", "Seconds": 30, "End": True}
        await catalog.create_machine("shared", machine(W=wait))
        pair = (await catalog.create_machine("pair", PAIR))[0].arn
        starts = [StartRequest(pair, "p", "{}")]
        world.disk.commits_left = commits
        await world.live(60, starts)
        await world.finish(starts)
        (row,) = (await world.disk.names(pair, ["p"])).values()
        assert row.status == "SUCCEEDED", row
        told = [each["ExecutionArn"].rpartition(":")[2] for each in orjson.loads(row.output)]
        assert told == ["one", "one"]
        children = await world.disk.executions(ExecutionFilter(ARN + "shared"), Page(10))
        assert [child.status for child in children.rows] == ["SUCCEEDED"]

    with small_steps(world.dice) as log:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [entry for entry in log if "bug" in entry["event"]] == []
