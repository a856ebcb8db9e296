"""What has to hold between two lives, and in the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson

from gateway.engine.letters import dead_letter_sink
from gateway.engine.verify import verify
from gateway.store.protocol import ExecutionRow
from tests.simulation.grammar import check_history

if TYPE_CHECKING:
    from tests.simulation.world import Daemon, World


async def between_lives(world: World, daemon: Daemon | None) -> None:
    """The rows are what the histories ask for; each history is grammatical and says what the row
    says; what the dead daemon had in memory was no more and no less than what is on disk."""
    observer = world.observer
    differences = [line async for line in verify(world.disk, observer._door)]
    assert differences == [], differences
    tables = world.disk._tables
    for row in list(tables.executions.values()):
        folded = await observer.fold(row)
        events = await observer.history(row.arn)
        check_history(world.definitions[row.machine_arn.rpartition(":")[2]], events, row.status)
        if row.status != "RUNNING":
            _ended(row, folded)
            assert not tables.timers.get(row.id), f"{row.arn} has ended and has timers"
            assert not tables.tasks.get(row.id), f"{row.arn} has ended and has tasks"
    for number, hot in daemon.engine._door._hot.items() if daemon is not None else ():
        folded = await observer.fold(tables.executions[number])
        assert hot.execution.dump() == folded.dump(), f"{hot.row.arn}: memory is not the disk"


def _ended(row: ExecutionRow, folded: Any) -> None:
    """The fold of the history is what the row says."""
    said = (folded.status, folded.stop_at, folded.error, folded.cause)
    assert said == (row.status, row.stop_at, row.error, row.cause), row.arn
    output = folded.text(folded.output) if row.status == "SUCCEEDED" else None
    assert output == row.output, row.arn


async def in_the_end(world: World, daemon: Daemon) -> None:
    """Nothing is lost, nothing happened twice, nothing is left over."""
    rows = list(world.disk._tables.executions.values())
    _people_were_not_lied_to(world, rows)
    _messages(world, rows)
    _notifications(world, rows)
    await _answers(world, rows)
    _nothing_is_left(world, daemon)


def _people_were_not_lied_to(world: World, rows: list[ExecutionRow]) -> None:
    said = [*world.workers.wrong, *world.callers.wrong]
    said += [line for sink in world.sinks.values() for line in sink.wrong]
    assert said == [], said
    inputs = {row.name: row.input for row in rows}
    for name, text in world.callers.started.items():
        assert inputs.get(name) == text, f"{name} was not started as its caller was told"


def _messages(world: World, rows: list[ExecutionRow]) -> None:
    """Each was started once, or filtered, or parked with its reason."""
    orders = {f"order-{n}" for n, body in enumerate(world.orders) if body["kind"] == "order"}
    hooks = {f"hook-{delivery}" for delivery in world.hooks}
    calls = {name for _, name in world.calls}
    started = Counter(row.name for row in rows)
    # What found the disk full too often was parked by the queue's own redrive policy.
    parked_there = {f"order-{body.get('id')}" for body in world.queue.dead}
    assert started == Counter([*(orders - (parked_there - set(started))), *hooks, *calls])
    inputs = {row.name: orjson.loads(row.input) for row in rows}
    parked = [letter.body for letter in world.disk._tables.letters.values() if letter.reason]
    events = world.sinks[dead_letter_sink("topic")].events.values()
    parked += [orjson.dumps(event["message"]).decode() for event in events if event["reason"]]
    ours = [orjson.loads(body)["body"] for body in parked]
    bodies = ours + world.queue.dead
    for number, body in enumerate(world.orders):
        match body["kind"]:
            case "order":
                assert inputs.get(f"order-{number}", body) == body
            case "misfit":
                assert body in bodies, f"{body} is lost"
            case _:
                assert body not in ours, f"{body} was to be filtered"
    assert all(body["kind"] == "misfit" for body in ours), f"parked without need: {ours}"


def _notifications(world: World, rows: list[ExecutionRow]) -> None:
    """Each sink was told of each of its statuses under one id, and the end says how it ended."""
    for name, with_running in (("ends", False), ("all", True)):
        told = Counter(
            (event["detail"]["name"], event["detail"]["status"])
            for event in world.sinks[name].events.values()
        )
        wanted = [(row.name, row.status) for row in rows]
        wanted += [(row.name, "RUNNING") for row in rows] if with_running else []
        assert told == Counter(wanted), (name, told, wanted)


async def _answers(world: World, rows: list[ExecutionRow]) -> None:
    """What a worker was told to be taken is in a history once; what was refused is in none."""
    observer = world.observer
    found: Counter[int] = Counter()
    for row in rows:
        for event in await observer.history(row.arn):
            if event["type"] == "ActivitySucceeded":
                output = event["activitySucceededEventDetails"]["output"]
                found[orjson.loads(output)["answer"]] += 1
    assert set(found) <= set(world.workers.answers), "an answer that nobody gave"
    for number, fate in world.workers.answers.items():
        count = found[number]
        fits = {"accepted": count == 1, "refused": count == 0, "unknown": count <= 1}[fate]
        assert fits, f"answer {number} was {fate}, and is in the histories {count} times"


def _nothing_is_left(world: World, daemon: Daemon) -> None:
    """Neither on disk nor in the memory of the last daemon."""
    tables, engine = world.disk._tables, daemon.engine
    assert [rows for rows in tables.timers.values() if rows] == []
    assert [rows for rows in tables.tasks.values() if rows] == []
    assert tables.notifications == {}
    assert engine._beats == {}
    assert engine._queues._homes == {}
    assert all(not queue.tasks for queue in engine._queues._queues.values())
    assert engine._queues.polls() == 0
    assert not engine._door._hot
    assert not engine._door._entries
    # A heartbeat's timer may be moved while its task ends; it fires once more, at nothing.
    assert {kind for _, _, kind in engine._timers._armed} <= {"heartbeat"}
    assert engine._timers._firing == set()
    assert {name: daemon.running.count(name) for name in daemon.triggers} == dict.fromkeys(
        daemon.triggers, 0
    )
