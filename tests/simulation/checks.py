"""What has to hold between two lives, and in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

from gateway.engine.letters import dead_letter_sink
from gateway.engine.verify import verify
from gateway.store.protocol import ExecutionRow
from tests.simulation.grammar import check_history

if TYPE_CHECKING:
    from tests.simulation.life import Life
    from tests.simulation.world import World

_HOUR_MS = 3_600_000


class Record:
    """What has been looked at, which may have gone from the disk since."""

    def __init__(self) -> None:
        self.answers: dict[int, list[int]] = {}
        """Numbers of the answers that stand in the history of each execution."""
        self._seen: dict[int, tuple[Any, ...]] = {}
        self._rows: dict[int, ExecutionRow] = {}
        """Executions that were on the disk when something was last forgotten."""
        self._telling: set[int] = set()
        self._gone: dict[int, ExecutionRow] = {}
        self._definitions: dict[int, Any] = {}

    def unseen(self, tables: Any, before: int) -> list[ExecutionRow]:
        """Those that ended before then and have not been looked at as they are."""
        self._rows = dict(tables.executions)
        self._telling = {row.execution for row in tables.notifications.values()}
        ended = (row for row in self._rows.values() if row.stop_at is not None)
        return [row for row in ended if row.stop_at < before and not self.knows(row, tables)]

    def knows(self, row: ExecutionRow, tables: Any) -> bool:
        """Whether it has been looked at as it is."""
        return self._seen.get(row.id) == _picture(row, tables)

    def note(self, row: ExecutionRow, tables: Any) -> None:
        """It has been looked at."""
        self._seen[row.id] = _picture(row, tables)

    def gone(self, executions: dict[int, ExecutionRow]) -> list[ExecutionRow]:
        """What has been forgotten since ``unseen``."""
        gone = [row for row in self._rows.values() if row.id not in executions]
        self._gone.update((row.id, row) for row in gone)
        return gone

    def was_over(self, row: ExecutionRow) -> bool:
        """Whether it had ended, and all had heard of it, when ``unseen`` was asked."""
        return self._rows.get(row.id) == row and row.id not in self._telling

    def rows(self, executions: dict[int, ExecutionRow]) -> list[ExecutionRow]:
        """All executions that there ever were."""
        return [*self._gone.values(), *executions.values()]

    def is_gone(self, name: str) -> bool:
        """Whether one of this name was forgotten."""
        return any(row.name == name for row in self._gone.values())

    def definition(self, revision: int, tables: Any) -> Any:
        """Of the revision that an execution began with."""
        if revision not in self._definitions:
            self._definitions[revision] = orjson.loads(tables.revisions[revision].definition)
        return self._definitions[revision]


def _picture(row: ExecutionRow, tables: Any) -> tuple[Any, ...]:
    return row, tuple(tables.history.get(row.id, {}).values())


async def examine(world: World, row: ExecutionRow) -> None:
    """The history is grammatical, and its fold is what the row says."""
    tables, observer, record = world.disk.tables(), world.observer, world.record
    if record.knows(row, tables):
        return
    folded = await observer.fold(row)
    events = await observer.history(row.arn)
    check_history(record.definition(row.revision, tables), events, row.status)
    if row.status != "RUNNING":
        _ended(row, folded)
        assert not tables.timers.get(row.id), f"{row.arn} has ended and has timers"
        assert not tables.tasks.get(row.id), f"{row.arn} has ended and has tasks"
    record.answers[row.id] = [
        orjson.loads(event["activitySucceededEventDetails"]["output"])["answer"]
        for event in events
        if event["type"] == "ActivitySucceeded"
    ]
    record.note(row, tables)


async def between_lives(world: World, life: Life) -> None:
    """The rows are what the histories ask for; each history is grammatical and says what the row
    says; what the dead daemon had in memory was no more and no less than what is on disk."""
    observer = world.observer
    differences = [line async for line in verify(world.disk.store, observer._door)]
    assert differences == [], differences
    tables = world.disk.tables()
    for row in list(tables.executions.values()):
        await examine(world, row)
    if life.ready.is_set():
        for number, hot in life.core.engine._door._hot.items():
            folded = await observer.fold(tables.executions[number])
            assert hot.execution.dump() == folded.dump(), f"{hot.row.arn}: memory is not the disk"
    assert world.wrong == [], world.wrong
    assert world.cluster.wrong == [], world.cluster.wrong


def _ended(row: ExecutionRow, folded: Any) -> None:
    """The fold of the history is what the row says."""
    said = (folded.status, folded.stop_at, folded.error, folded.cause)
    assert said == (row.status, row.stop_at, row.error, row.cause), row.arn
    output = folded.text(folded.output) if row.status == "SUCCEEDED" else None
    assert output == row.output, row.arn


async def in_the_end(world: World) -> None:
    """Nothing is lost, nothing happened twice, nothing is left over."""
    tables = world.disk.tables()
    rows = world.record.rows(tables.executions)
    assert all(row.status != "RUNNING" for row in rows)
    _people_were_not_lied_to(world, rows)
    _messages(world, rows)
    _notifications(world)
    _answers(world, rows)
    _nothing_is_left(world)
    await _all_can_be_forgotten(world)


def _people_were_not_lied_to(world: World, rows: list[ExecutionRow]) -> None:
    said = [*world.workers.wrong, *world.callers.wrong, *world.wrong, *world.cluster.wrong]
    said += [line for sink in world.sinks.values() for line in sink.wrong]
    assert said == [], said
    inputs = {row.name: row.input for row in rows}
    for name, text in world.callers.started.items():
        assert inputs.get(name) == text, f"{name} was not started as its caller was told"


def _messages(world: World, rows: list[ExecutionRow]) -> None:
    """Each was started once, or filtered, or parked with its reason."""
    needed = _needed(world)
    orders = {f"order-{n}" for n, body in enumerate(world.orders) if body["kind"] == "order"}
    must = {f"order-{n}" for n in needed} & orders
    must |= {f"hook-{delivery}" for delivery in world.hooks}
    must |= {name for _, name in world.calls}
    started = Counter(row.name for row in rows)
    assert must <= set(started), f"lost: {must - set(started)}"
    assert set(started) <= must | orders, f"out of nothing: {set(started) - must - orders}"
    for name, times in started.items():
        if times > 1:
            world.trace.seen("retention: a name is free again")
            assert world.record.is_gone(name), f"{name} was started {times} times"
    inputs = {row.name: orjson.loads(row.input) for row in rows}
    ours = [orjson.loads(body)["body"] for body in _parked(world)]
    for number, body in enumerate(world.orders):
        match body["kind"]:
            case "order":
                assert inputs.get(f"order-{number}", body) == body
            case "misfit":
                assert number not in needed or body in ours, f"{body} is lost"
            case _:
                assert body not in ours, f"{body} was to be filtered"
    assert all(body["kind"] == "misfit" for body in ours), f"parked without need: {ours}"


def _needed(world: World) -> set[int]:
    """Orders of which a copy was there to be taken, and is nobody else's."""
    # What found the disk full too often was parked by the queue's own redrive policy.
    dead = [world.orders.index(body) for body in world.queue.dead]
    needed = world.queued - set(dead)
    for each in world.cluster.appended:
        if not (each.lost or each.elsewhere):
            needed.add(world.orders.index(each.body))
    return needed


def _parked(world: World) -> list[str]:
    letters = world.disk.tables().letters.values()
    parked = [letter.body for letter in letters if letter.reason]
    events = world.sinks[dead_letter_sink("topic")].events.values()
    return parked + [orjson.dumps(event["message"]).decode() for event in events if event["reason"]]


def _notifications(world: World) -> None:
    """Each that was ever promised was accepted, and says what the execution says."""
    for name in ("ends", "all"):
        promised = {row.id: row for row in world.promised.values() if row.sink == name}
        told = world.sinks[name].events
        assert set(told) == set(promised), (name, set(told) ^ set(promised))
        for identity, event in told.items():
            assert event == orjson.loads(promised[identity].body), identity
    kept = [row for row in world.disk.tables().letters.values() if row.kind == "notification"]
    assert kept == [], kept


def _answers(world: World, rows: list[ExecutionRow]) -> None:
    """What a worker was told to be taken is in a history once; what was refused is in none."""
    found = Counter(n for row in rows for n in world.record.answers[row.id])
    assert set(found) <= set(world.workers.answers), "an answer that nobody gave"
    for number, fate in world.workers.answers.items():
        count = found[number]
        fits = {"accepted": count == 1, "refused": count == 0, "unknown": count <= 1}[fate]
        assert fits, f"answer {number} was {fate}, and is in the histories {count} times"


def _nothing_is_left(world: World) -> None:
    """Neither on disk nor in the memory of the last daemon."""
    tables, core = world.disk.tables(), world.life.core
    engine = core.engine
    assert _all(tables.timers) == []
    assert _all(tables.tasks) == []
    assert tables.notifications == {}
    assert engine._beats == {}
    assert engine._queues._homes == {}
    assert all(not queue.tasks for queue in engine._queues._queues.values())
    assert engine._queues.polls() == 0
    assert not engine._door._hot
    assert engine._door._hot.bytes == 0
    assert not engine._door._entries
    # A heartbeat's timer may be moved while its task ends; it fires once more, at nothing.
    assert {kind for _, _, kind in engine._timers._armed} <= {"heartbeat"}
    assert engine._timers._firing == set()
    names = world.life.state.config.settings.triggers
    assert {name: core.running.count(name) for name in names} == dict.fromkeys(names, 0)


def _all(tables: dict[int, dict[Any, Any]]) -> Iterable[Any]:
    return [row for rows in tables.values() for row in rows.values()]


async def _all_can_be_forgotten(world: World) -> None:
    """When every keep is over, nothing is left of any execution."""
    later = world.clock.latest + _HOUR_MS
    await world.sweeping(later - round(world.file.text.keep * 1000) - _HOUR_MS)
    while await world.disk.store.sweep(later, 3):
        pass
    tables = world.disk.tables()
    left = [tables.executions, _all(tables.history), _all(tables.documents)]
    assert not any(left), left
    assert {row.machine_arn for row in tables.revisions.values()} <= set(tables.machines)
