"""What has to hold between two lives, and in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson

from gateway.engine.letters import dead_letter_sink
from gateway.engine.verify import verify
from gateway.store.rows import ExecutionRow
from tests.simulation import map_runs
from tests.simulation.grammar import FAMILIES, check_history

if TYPE_CHECKING:
    from tests.simulation.life import Life
    from tests.simulation.world import World

_HOUR_MS = 3_600_000


class Record:
    """What has been looked at, which may have gone from the disk since."""

    def __init__(self) -> None:
        self.answers: dict[int, list[int]] = {}
        """Numbers of the answers that stand in the history of each execution."""
        self.calls: dict[int, list[int]] = {}
        """Of the calls of functions."""
        self._seen: dict[int, tuple[Any, ...]] = {}
        self._rows: dict[int, ExecutionRow] = {}
        """Executions that were on the disk when something was last forgotten."""
        self._needed: set[int] = set()
        """Of these, what somebody has still to hear of, or another execution needs."""
        self._gone: dict[int, ExecutionRow] = {}
        self._definitions: dict[int, Any] = {}

    def unseen(self, tables: Any, before: int) -> list[ExecutionRow]:
        """Those that ended before then and have not been looked at as they are."""
        self._rows = dict(tables.executions)
        self._needed = {row.execution for row in tables.notifications.values()}
        self._needed |= {run.execution for run in tables.map_runs.values() if run.open}
        children = (row for row in self._rows.values() if row.item is not None)
        self._needed |= {row.id for row in children if row.parent in self._rows}
        waiting = {
            (row.execution, row.number) for each in tables.tasks.values() for row in each.values()
        }
        self._needed |= {
            row.id for row in self._rows.values() if (row.parent, row.parent_number) in waiting
        }
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
        """Whether it had ended, and nobody needed it, when ``unseen`` was asked."""
        return self._rows.get(row.id) == row and row.id not in self._needed

    def rows(self, executions: dict[int, ExecutionRow]) -> list[ExecutionRow]:
        """All executions that there ever were."""
        return [*self._gone.values(), *executions.values()]

    def is_gone(self, name: str) -> bool:
        """Whether one of this name was forgotten."""
        return any(row.name == name for row in self._gone.values())

    def definition(self, row: ExecutionRow, tables: Any) -> Any:
        """What the execution runs, of the revision that it began with."""
        revision = row.revision
        if revision not in self._definitions:
            self._definitions[revision] = orjson.loads(tables.revisions[revision].definition)
        label = row.machine_arn.partition("/")[2]
        whole = self._definitions[revision]
        return map_runs.definition_of(whole, label) if label else whole


def _picture(row: ExecutionRow, tables: Any) -> tuple[Any, ...]:
    return row, tuple(tables.history.get(row.id, {}).values())


async def examine(world: World, row: ExecutionRow) -> None:
    """The history is grammatical, and its fold is what the row says."""
    tables, observer, record = world.disk.tables(), world.observer, world.record
    if record.knows(row, tables):
        return
    folded = await observer.fold(row)
    events = await observer.history(row.arn)
    redrives = check_history(record.definition(row, tables), events, row.status)
    assert redrives == row.redrives, f"{row.arn} was redriven {redrives} times: {row.redrives}"
    if row.status != "RUNNING":
        _ended(row, folded)
        assert not tables.timers.get(row.id), f"{row.arn} has ended and has timers"
        assert not tables.tasks.get(row.id), f"{row.arn} has ended and has tasks"
    record.answers[row.id] = list(_outputs(events, "answer"))
    record.calls[row.id] = list(_outputs(events, "call"))
    world.nested.note(row, events)
    world.readers.note(row, events)
    record.note(row, tables)


def _outputs(events: list[dict[str, Any]], member: str) -> Iterator[int]:
    """The numbers that successful tasks, or calls that began one, brought under this name."""
    for event in events:
        for family in FAMILIES:
            if event["type"] in {f"{family}Succeeded", "TaskSubmitted"}:
                details = next(v for k, v in event.items() if k.endswith("EventDetails"))
                number = orjson.loads(details["output"]).get(member)
                if number is not None:
                    yield number
                break


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
            assert hot.row == tables.executions[number], f"{hot.row.arn}: another row in memory"
        map_runs.cut_off(world, life)
    map_runs.look(world)
    await map_runs.counted(world)
    world.publisher.look()
    said = _said(world)
    assert said == [], said


def _said(world: World) -> list[str]:
    """What those around the daemon have found wrong."""
    people = (world.workers, world.callers, world.publisher, world.redriver)
    people += (world.express, world.limiter)
    others = (world.readers, world, world.cluster, world.functions, *world.witnesses)
    return [line for each in (*people, *others, *world.sinks.values()) for line in each.wrong]


def _ended(row: ExecutionRow, folded: Any) -> None:
    """The fold of the history is what the row says."""
    said = (folded.status, folded.stop_at, folded.error, folded.cause)
    assert said == (row.status, row.stop_at, row.error, row.cause), row.arn
    output = folded.text(folded.output) if row.status == "SUCCEEDED" else None
    assert output == row.output, row.arn


async def in_the_end(world: World) -> None:
    """Nothing is lost, nothing happened twice, nothing is left over."""
    tables = world.disk.tables()
    every = world.record.rows(tables.executions)
    # What other executions have begun is looked at with these.
    rows = [row for row in every if row.item is None and row.begun_by is None]
    assert all(row.status != "RUNNING" for row in every)
    _people_were_not_lied_to(world, rows)
    _messages(world, rows)
    _notifications(world)
    _answers(world, every)
    _express(world)
    world.nested.in_the_end()
    assert await world.disk.store.unsettled() == []
    _nothing_is_left(world)
    await _all_can_be_forgotten(world)


def _people_were_not_lied_to(world: World, rows: list[ExecutionRow]) -> None:
    said = _said(world)
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
    must |= {name for _, name in world.calls} | world.publisher.heard
    started = Counter(row.name for row in rows)
    assert must <= set(started), f"lost: {must - set(started)}"
    may = must | orders | world.publisher.names
    assert set(started) <= may, f"out of nothing: {set(started) - may}"
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
    # What crashes and failing deletions brought again too often was parked by the queue itself.
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
    called = Counter(n for row in rows for n in world.record.calls[row.id])
    assert set(called) <= world.functions.results, "a result of no call"
    assert all(count == 1 for count in called.values()), f"results that count twice: {called}"


def _express(world: World) -> None:
    """Each has ended, whose start was heard; nothing is left of any."""
    ledger, express = world.ledger, world.life.core.engine.express
    assert set(ledger.begun) == ledger.gone, set(ledger.begun) ^ ledger.gone
    unheard = world.express.unheard_of(ledger)
    assert not unheard, f"lost: {unheard}"
    assert world.disk.tables().express == {}
    rows = express.rows._tables
    assert rows.executions == {}
    for table in (rows.timers, rows.tasks, rows.history, rows.documents):
        assert _all(table) == [], table
    for kept in (express._running, express._synchronous, express._waited_for, express._ended):
        assert not kept, kept
    assert not express.door._hot
    assert not express.door._entries


def _nothing_is_left(world: World) -> None:
    """Neither on disk nor in the memory of the last daemon."""
    tables, core = world.disk.tables(), world.life.core
    engine = core.engine
    assert _all(tables.timers) == []
    assert _all(tables.tasks) == []
    assert tables.notifications == {}
    assert [run for run in tables.map_runs.values() if run.open] == []
    assert engine.map_runs._pumps == {}
    assert engine._nested._open == set()
    assert not engine.awaited()
    assert world.functions.under_way == set()
    assert engine._dispatcher._homes == {}
    assert not any(lane.waiting or lane.calls for lane in engine._dispatcher._lanes.values())
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
