"""What happens between a commit and the bookkeeping that follows it, and who may not be confused by
it."""

from __future__ import annotations

import pytest
import trio

from gateway.engine.express import ExpressStart
from gateway.engine.publications import Target
from gateway.engine.starts import StartRequest
from gateway.engine.timers import Timers
from gateway.engine.tokens import read_token
from gateway.errors import ApiError
from gateway.store.changes import DeleteTimer, EndExecution, Insert, Upsert
from gateway.store.failures import StoreFull
from gateway.store.memory import MemoryStore
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.rows import ExecutionRow, ExpressRow, HistoryRow, TimerRow
from tests.engine.rig import ACTIVITY, TASK, clock, machine, running, wait_status
from tests.engine.test_engine import PASS, differences, put_machine

ENDLESS = {
    "StartAt": "Count",
    "States": {
        "Count": {
            "Type": "Pass",
            "Parameters": {"n.$": "States.MathAdd($.n, 1)"},
            "Next": "Enough",
        },
        "Enough": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.n", "NumericLessThan": 4000, "Next": "Count"}],
            "Default": "Done",
        },
        "Done": PASS,
    },
}
WORK = {"StartAt": "T", "States": {"T": TASK}}
SLEEP = {"Type": "Wait", "Seconds": 9, "End": True}
BUSY = machine(P={"Type": "Parallel", "Branches": [WORK, ENDLESS], "End": True})


class LateStore(MemoryStore):
    """A store whose callers hear of some commits only after a while, or that they failed."""

    seconds = 0.0
    refuse_ends = False

    async def commit(self, unit):
        """Write the unit; its caller goes on later."""
        ends = any(isinstance(change, EndExecution) for change in unit)
        if ends and self.refuse_ends:
            await trio.sleep(self.seconds)
            raise StoreFull
        await super().commit(unit)
        with trio.CancelScope(shield=True):
            await trio.sleep(self.seconds)


async def test_a_timer_may_be_due_again_while_it_is_in_work(autojump_clock):
    """The same key fires a second time although the first firing has not returned yet."""
    store, fired = MemoryStore(), []
    row = TimerRow(1, 0, "continue", clock(), 0)
    await store.commit([Upsert(row)])

    async def fire(row):
        fired.append(row)
        if len(fired) == 1:
            timers.committed([Upsert(row._replace(due=clock()))])
            await trio.sleep(1)

    timers = Timers(store, clock, fire)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timers.run)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()
    assert len(fired) >= 2


async def test_a_window_full_of_timers_that_cannot_fire_is_not_read_all_the_time(
    autojump_clock, monkeypatch
):
    """With more overdue timers than a window has and a full disk, the pump sleeps in between, and
    fires all of them when there is room."""
    monkeypatch.setattr("gateway.engine.timers.WINDOW_ROWS", 4)
    store, fired, reads = MemoryStore(), set(), []
    await store.commit([Upsert(TimerRow(n, 1, "wait", clock(), 0)) for n in range(10)])

    async def read(until, limit):
        reads.append(trio.current_time())
        assert reads.count(reads[-1]) < 50, "the clock stands still"
        return await MemoryStore.timers(store, until, limit)

    async def fire(row):
        if trio.current_time() < 60:
            raise StoreFull
        await store.commit([DeleteTimer(row.execution, row.number, row.kind)])
        fired.add(row.execution)

    monkeypatch.setattr(store, "timers", read)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Timers(store, clock, fire).run)
        await trio.sleep(70)
        nursery.cancel_scope.cancel()
    assert fired == set(range(10))


async def test_an_end_is_told_once_and_when_it_is_durable(autojump_clock):
    """``on_end`` hears nothing of an end whose commit is under way or failed."""
    store = LateStore()
    async with running(store) as engine:
        told = []
        engine.on_end.append(lambda row: told.append(row.name))
        arn = await put_machine(engine, machine(T=TASK))
        await engine.start_execution(arn, "slow", "1")
        task = await engine.get_activity_task(ACTIVITY, "w", 5)
        store.seconds, store.refuse_ends = 5, True
        async with trio.open_nursery() as nursery:

            async def answer():
                with pytest.raises(StoreFull):
                    await engine.task_succeeded(task.token, "1")

            nursery.start_soon(answer)
            await trio.sleep(1)
            await engine.start_execution(arn, "other", "2")
        assert told == []
        store.seconds, store.refuse_ends = 0, False
        await engine.task_succeeded(task.token, "1")
        assert told == ["slow"]


async def test_an_answer_counts_only_where_it_was_taken(autojump_clock):
    """While an execution goes on by itself, an answer under an old token is still refused, and a
    hand-out of a task that has ended gives the poller nothing."""
    store = LateStore()
    async with running(store) as engine:
        arn = await put_machine(engine, BUSY)
        store.seconds = 0.1
        execution = (await engine.start_execution(arn, "n", '{"n": 0}')).row
        old = await engine.get_activity_task(ACTIVITY, "lost", 5)
        await engine.return_task(old.token)
        new = await engine.get_activity_task(ACTIVITY, "found", 5)
        assert await engine._hand_out(execution.id, read_token(new.token).number, "late") is None
        with pytest.raises(ApiError, match="TaskTimedOut"):
            await engine.task_succeeded(old.token, "1")
        assert (await engine._door.fold(execution)).ready
        await engine.task_succeeded(new.token, "2")
        store.seconds = 0
        await wait_status(engine, execution.arn, "SUCCEEDED")


async def test_a_heartbeat_that_is_written_late_leaves_no_timer_behind(autojump_clock):
    """A task is answered in the very moment in which its heartbeat's deadline is moved."""
    store = LateStore()
    async with running(store) as engine:
        work = {**TASK, "HeartbeatSeconds": 10}
        del work["End"]
        definition = machine(
            T={**work, "Next": "W"}, W={"Type": "Wait", "Seconds": 300, "End": True}
        )
        arn = await put_machine(engine, definition)
        execution = (await engine.start_execution(arn, "n", "{}")).row
        task = await engine.get_activity_task(ACTIVITY, "w", 5)
        await trio.sleep(9)
        await engine.task_heartbeat(task.token)
        await trio.sleep(0.9)
        store.seconds = 0.2
        await engine.task_succeeded(task.token, "1")
        store.seconds = 0
        assert await differences(engine) == []
        assert [row.kind for row in await store.execution_timers(execution.id)] == ["wait"]


async def test_a_history_that_cannot_be_read_holds_up_nobody_else(autojump_clock):
    """The timer of an execution whose history is broken is a bug of that one execution: the others
    go on, also after a restart."""
    store = MemoryStore()
    async with running(store) as engine:
        arn = await put_machine(engine, machine(W={"Type": "Wait", "Seconds": 5, "End": True}))
        broken = (await engine.start_execution(arn, "broken", "{}")).row
    rows = await store.history(broken.id)
    store._tables.history[broken.id][0] = rows[0]._replace(format=99)
    assert isinstance(rows[0], HistoryRow)
    async with running(store) as engine:
        other = (await engine.start_execution(arn, "other", "{}")).row
        await wait_status(engine, other.arn, "SUCCEEDED")
        assert (await engine.execution(broken.arn)).status == "RUNNING"


async def test_a_timer_of_an_earlier_hand_out_does_not_end_the_next_one(autojump_clock):
    """The deadline of a hand-out that was returned is not that of the hand-out that follows, even
    where the timer was read or was due before the return."""
    store = SnapshotStore()
    async with running(store) as engine:
        arn = await put_machine(engine, machine(T={**TASK, "TimeoutSeconds": 100}))
        execution = (await engine.start_execution(arn, "n", "{}")).row
        task = await engine.get_activity_task(ACTIVITY, "lost", 5)
        # The timers of the next minute are read; meanwhile the task is returned and handed out.
        await trio.sleep(85)
        store.seconds = 20
        await trio.sleep(10)
        await engine.return_task(task.token)
        again = await engine.get_activity_task(ACTIVITY, "found", 5)
        store.seconds = 0
        await trio.sleep(90)
        assert (await engine.execution(execution.arn)).status == "RUNNING"
        await engine.task_succeeded(again.token, "1")
        assert (await engine.execution(execution.arn)).status == "SUCCEEDED"


class SnapshotStore(MemoryStore):
    """A store whose answer about timers is on its way for a while."""

    seconds = 0.0

    async def timers(self, until, limit):
        """The rows as they are now, later."""
        rows = await super().timers(until, limit)
        await trio.sleep(self.seconds)
        return rows


async def test_large_executions_do_not_fill_the_memory(autojump_clock, monkeypatch):
    """What is kept in memory is bounded by the size of the documents too, and loses nothing."""
    monkeypatch.setattr("gateway.engine.hot.HOT_BYTES", 1_000_000)
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        rows = [
            (await engine.start_execution(arn, f"n{n}", f'"{"x" * 100_000}"')).row
            for n in range(30)
        ]
        assert 5 <= len(engine._door._hot) <= 10
        for _ in rows:
            task = await engine.get_activity_task(ACTIVITY, "w", 5)
            await engine.task_succeeded(task.token, f'"{"y" * 200_000}"')
        assert {(await engine.execution(row.arn)).status for row in rows} == {"SUCCEEDED"}
        assert engine._door._hot.bytes == 0


async def test_what_sleeps_for_long_is_not_kept_in_memory(autojump_clock):
    """An execution in a long Wait is a row and nothing else; it still wakes, or ends when asked.
    One whose Wait is short, or that has a task besides, stays at hand."""
    hour = {"Type": "Wait", "Seconds": 3600, "End": True}
    both = {
        "Type": "Parallel",
        "Branches": [
            {"StartAt": "W", "States": {"W": hour}},
            {"StartAt": "T", "States": {"T": TASK}},
        ],
        "End": True,
    }
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(W=hour))
        rows = [(await engine.start_execution(arn, f"n{n}", "{}")).row for n in range(3)]
        assert not engine._door._hot
        arn = await put_machine(engine, machine(W={**hour, "Seconds": 60}), "short")
        await engine.start_execution(arn, "short", "{}")
        arn = await put_machine(engine, machine(P=both), "both")
        await engine.start_execution(arn, "both", "{}")
        assert len(engine._door._hot) == 2
        task = await engine.get_activity_task(ACTIVITY, "w", 5)
        await engine.task_succeeded(task.token, "1")
        assert len(engine._door._hot) == 1
        await engine.stop_execution(rows[0].arn, None, None)
        await wait_status(engine, rows[1].arn, "SUCCEEDED")
        assert engine._door._hot.bytes == len(engine._door._hot) == 0


async def test_nothing_is_remembered_of_what_has_ended(autojump_clock):
    """Heartbeats and queued tasks of stopped executions leave the memory with their rows."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(T={**TASK, "HeartbeatSeconds": 60}))
        for n in range(5):
            row = (await engine.start_execution(arn, f"queued{n}", "{}")).row
            await engine.stop_execution(row.arn, None, None)
        row = (await engine.start_execution(arn, "beats", "{}")).row
        task = await engine.get_activity_task(ACTIVITY, "w", 5)
        await engine.task_heartbeat(task.token)
        await engine.stop_execution(row.arn, None, None)
        assert engine._beats == {}
        assert not engine._queues._homes
        assert not engine._queues._queues[ACTIVITY].tasks


async def test_an_execution_is_not_advanced_before_its_start_is_known(autojump_clock):
    """Whoever sees its row before the one who starts it hears of the commit waits for him: else the
    cache would hold what the history has gone beyond."""
    store = LateStore()
    async with running(store) as engine:
        wait = {"Type": "Wait", "Seconds": 100, "End": True}
        arn = await put_machine(engine, machine(W=wait))
        store.seconds = 5
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.start_execution, arn, "n", "{}")
            await trio.sleep(1)
            store.seconds = 0
            execution = arn.replace("stateMachine", "execution") + ":n"
            await engine.stop_execution(execution, None, None)
        assert (await engine.execution(execution)).status == "ABORTED"
        assert not engine._door._hot
        assert engine._timers._armed == {}


class SlowToBegin(MemoryStore):
    """An execution's first commit waits until it is let go."""

    def __init__(self):
        super().__init__()
        self.waiting, self.free = trio.Event(), trio.Event()

    async def commit(self, unit):
        """Write the unit, when it may be written."""
        begun = (c.row for c in unit if isinstance(c, Insert))
        if any(isinstance(row, ExecutionRow | ExpressRow) for row in begun):
            self.waiting.set()
            await self.free.wait()
        await super().commit(unit)


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
async def test_a_start_has_its_revision_though_the_machine_is_deleted_meanwhile(
    kind, autojump_clock
):
    """What a sweep takes before the commit would be missing at the next restart."""
    store = SlowToBegin()
    text = machine(W=SLEEP)
    async with running(store) as engine, trio.open_nursery() as nursery:
        row, revision = await engine.catalog.create_machine("m", text, type=kind)
        if kind == "STANDARD":
            nursery.start_soon(engine.start, [StartRequest(row.arn, "a", "{}")])
        else:
            wanted = ExpressStart(Target(row.arn), "a", "{}", None)
            nursery.start_soon(engine.start_express, wanted)
        await store.waiting.wait()
        await engine.catalog.delete_machine(row.arn)
        await store.sweep(2**60, 10)
        store.free.set()
    standard = await store.executions(ExecutionFilter(), Page(1))
    [left] = [*standard.rows, *await store.express()]
    assert await store.revision(left.revision) == revision


class SlowToSayWhatIsLeft(LateStore):
    """What a crash has cut off is read slowly."""

    async def express(self):
        """All as of the end of the reading."""
        await trio.sleep(5)
        return await super().express()


async def test_an_express_execution_begun_while_the_engine_starts_runs_once(autojump_clock):
    """The engine took it for one that a crash had cut off, and began it again beside itself."""
    store = SlowToSayWhatIsLeft()
    async with running(store) as engine:
        row, _ = await engine.catalog.create_machine("m", machine(W=SLEEP), type="EXPRESS")
        store.seconds = 7
        started = await engine.start_express(ExpressStart(Target(row.arn), "a", "{}", None))
        ends = []
        engine.on_end.append(ends.append)
        await trio.sleep(60)
        assert [row.id for row in ends] == [started.id]
