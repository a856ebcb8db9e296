"""Whatever happens and whenever the daemon dies, the rows are what the histories ask for; in the
end everything has ended once, has been told once, and nothing is left over."""

from __future__ import annotations

import orjson
import trio
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.engine import Engine
from gateway.engine.starts import StartRequest
from gateway.engine.verify import verify
from gateway.store.protocol import ExecutionFilter, Page
from tests.asl.machines import inputs, machines, programs
from tests.engine.crashing import World, small_steps
from tests.engine.rig import ACTIVITY
from tests.properties import examples

WORK = {
    "Type": "Task",
    "Resource": ACTIVITY,
    "TimeoutSeconds": 60,
    "HeartbeatSeconds": 5,
    "ResultPath": None,
    "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 2, "JitterStrategy": "FULL"}],
}


def with_work(program: dict) -> dict:
    """A machine that has the program run beside a worker's task, between a task and a wait."""
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Pause"}]
    work = {"StartAt": "Work", "States": {"Work": {**WORK, "End": True}}}
    return {
        "StartAt": "Before",
        "TimeoutSeconds": 600,
        "States": {
            "Before": {**WORK, "Catch": catch, "Next": "Both"},
            "Both": {
                "Type": "Parallel",
                "Branches": [program, work],
                "Catch": catch,
                "Next": "Pause",
            },
            "Pause": {"Type": "Wait", "Seconds": 2, "Next": "After"},
            "After": {**WORK, "Catch": [{**catch[0], "Next": "Done"}], "Next": "Done"},
            "Done": {"Type": "Pass", "End": True},
        },
    }


definitions_of_a_world = st.lists(machines() | programs().map(with_work), min_size=1, max_size=2)


async def declare(engine: Engine, definitions: list[dict]) -> list[str]:
    """Create the machines ``m0``, ``m1`` … and the activity; their ARNs."""
    await engine.catalog.create_activity("work")
    return [
        (await engine.catalog.create_machine(f"m{n}", orjson.dumps(each).decode()))[0].arn
        for n, each in enumerate(definitions)
    ]


async def assert_rows_are_pending(world: World) -> None:
    """The rows of every running execution are those that its history asks for."""
    engine = await world.daemon()
    assert [line async for line in verify(engine.store, engine._door)] == []


async def assert_all_has_ended(world: World, names: set[str]) -> None:
    """Each execution is there once, has ended once, and each of its notifications was written once
    and accepted, in order."""
    listing = await world.disk.executions(ExecutionFilter(), Page(10_000))
    assert all(row.stop_at is not None for row in listing.rows)
    rows = [row for row in listing.rows if row.item is None]
    assert {row.name: row.id for row in rows} == world.ids
    assert {row.name for row in rows} == names
    assert all(count == 1 for count in world.ended.values())
    assert all(count == 1 for count in world.disk.told.values())
    assert len(world.disk.told) == 3 * len(names)
    ends = {f"{row.name} {row.status}" for row in rows}
    assert set(world.sinks["ends"].names) == ends
    heard = list(dict.fromkeys(world.sinks["all"].names))
    assert set(heard) == ends | {f"{name} RUNNING" for name in names}
    for end in ends:
        assert heard.index(f"{end.split()[0]} RUNNING") < heard.index(end)


def assert_nothing_is_left(world: World, engine: Engine) -> None:
    """No row, and nothing in the memory of the daemon that saw the end."""
    tables = world.disk._tables
    assert [rows for rows in tables.timers.values() if rows] == []
    assert [rows for rows in tables.tasks.values() if rows] == []
    assert tables.notifications == tables.letters == {}
    assert [run for run in tables.map_runs.values() if run.open or run.status == "RUNNING"] == []
    for rows in tables.map_items.values():
        children = [tables.executions[row.child] for row in rows.values()]
        assert [row.status for row in rows.values()] == [child.status for child in children]
        assert [row.item for row in rows.values()] == [child.item for child in children]
    assert engine.map_runs._pumps == {}
    assert engine._beats == {}
    assert engine._queues._homes == {}
    assert all(not queue.tasks for queue in engine._queues._queues.values())
    assert not engine._door._hot
    assert not engine._door._entries
    assert engine._timers._armed == {}


async def history(world: World, seconds: list[int], definitions: list[dict], given_inputs) -> None:
    """Lives of some seconds each, the last one without faults."""
    arns = await declare(await world.daemon(), definitions)
    starts = [
        StartRequest(arns[n % len(arns)], f"e{n}", orjson.dumps(each).decode())
        for n, each in enumerate(given_inputs)
    ]
    for life in seconds:
        world.disk.full_share = world.dice.choice([0, 0, 0.1, 0.5])
        world.disk.commits_left = world.dice.choice([None, None, world.dice.randrange(2, 40)])
        await world.live(life, starts)
        world.disk.commits_left = None
        await assert_rows_are_pending(world)
    engine = await world.finish(starts)
    await assert_all_has_ended(world, {request.name for request in starts})
    assert_nothing_is_left(world, engine)


@examples(60)
@given(
    definitions=definitions_of_a_world,
    given_inputs=st.lists(inputs, min_size=1, max_size=4),
    seconds=st.lists(st.integers(1, 60), max_size=4),
    seed=st.integers(0, 2**32),
)
def test_rows_are_what_the_histories_ask_for(definitions, given_inputs, seconds, seed):
    """Random machines, answers, crashes and full disks: pending(fold(history)) == rows throughout,
    and one end and one notification of each kind for each execution."""
    world = World(seed)

    async def main() -> None:
        await history(world, seconds, definitions, given_inputs)

    with small_steps(world.dice) as log:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [entry for entry in log if "bug" in entry["event"]] == []
