"""The engine over the in-memory store: one execution a name, waits, hand-outs, heartbeats."""

from __future__ import annotations

import pytest
import trio

from gateway.engine.engine import Engine
from gateway.engine.starts import StartRequest
from gateway.engine.verify import verify
from gateway.errors import ApiError, Unavailable
from gateway.store.changes import Upsert
from gateway.store.failures import StoreClosed, StoreFull
from gateway.store.memory import MemoryStore
from gateway.store.rows import LetterRow, PositionRow
from tests.engine.rig import ACTIVITY, TASK, build, clock, machine, running, wait_status

YEAR = 365 * 86_400
PASS = {"Type": "Pass", "End": True}


async def put_machine(engine: Engine, definition: str, name: str = "m") -> str:
    """Create the machine (and the activity) once; its ARN."""
    await engine.catalog.create_activity("work")
    row, _ = await engine.catalog.create_machine(name, definition)
    return row.arn


async def differences(engine: Engine) -> list[str]:
    """What verify has to say."""
    return [line async for line in verify(engine.store, engine._door)]


async def test_a_name_starts_once(autojump_clock):
    """Ten starts of one name at the same time, and one more later, make one execution."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(P=PASS))
        results = []

        async def start():
            results.extend(await engine.start([StartRequest(arn, "one", "{}")]))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(start)
        results += await engine.start([StartRequest(arn, "one", '{"other":1}')])
        assert sum(result.created for result in results) == 1
        assert len({result.row.id for result in results}) == 1


async def test_a_batch_is_one_unit_with_its_positions_and_letters(autojump_clock):
    """Starts, position and letters stand together; a duplicate in the batch is found."""
    store = MemoryStore()
    async with running(store) as engine:
        arn = await put_machine(engine, machine(P=PASS))
        letter = LetterRow("l1", "message", "t", "why", clock(), "somewhere", "{}")
        requests = [StartRequest(arn, name, "{}") for name in ("a", "b", "a")]
        results = await engine.start(
            requests, positions=[PositionRow("g", "t", 0, 7)], letters=[Upsert(letter)]
        )
        assert [result.created for result in results] == [True, True, False]
        assert await store.positions("g") == [PositionRow("g", "t", 0, 7)]
        assert await store.letter("l1") == letter


async def test_start_execution_compares_inputs_while_it_runs(autojump_clock):
    """AWS's rule: the same input gives the execution, another one or a closed one is refused."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(W={"Type": "Wait", "Seconds": 5, "End": True}))
        first = await engine.start_execution(arn, "n", '{"a": 1}')
        again = await engine.start_execution(arn, "n", '{"a":1}')
        assert again.row.arn == first.row.arn
        for other in ('{"a": 2}', '{"a": true}'):
            with pytest.raises(ApiError, match="ExecutionAlreadyExists"):
                await engine.start_execution(arn, "n", other)
        await wait_status(engine, first.row.arn, "SUCCEEDED")
        with pytest.raises(ApiError, match="ExecutionAlreadyExists"):
            await engine.start_execution(arn, "n", '{"a": 1}')


async def test_a_wait_of_a_year_outlives_restarts(autojump_clock):
    """The engine is there now and then in the year, and the wait ends on its day."""
    store = MemoryStore()
    wait = machine(W={"Type": "Wait", "Seconds": YEAR, "End": True})
    async with running(store) as engine:
        machine_arn = await put_machine(engine, wait)
        arn = (await engine.start_execution(machine_arn, "n", "{}")).row.arn
        began = clock()
        await trio.sleep(10)
    for _ in range(3):
        await trio.sleep(YEAR / 3 - 300)
        async with running(store) as engine:
            await trio.sleep(200)
            assert await differences(engine) == []
    async with running(store) as engine:
        await wait_status(engine, arn, "SUCCEEDED")
        stopped = (await engine.execution(arn)).stop_at
    assert began + YEAR * 1000 <= stopped < began + YEAR * 1000 + 60_000


async def test_no_execution_runs_for_longer_than_a_year(autojump_clock):
    """A task that nobody takes: after a year, give or take a day, the execution is TIMED_OUT."""
    store = MemoryStore()
    async with running(store) as engine:
        machine_arn = await put_machine(engine, machine(T=TASK))
        arn = (await engine.start_execution(machine_arn, "n", "{}")).row.arn
    await trio.sleep(YEAR)
    async with running(store) as engine:
        assert (await engine.execution(arn)).status == "RUNNING"
        await trio.sleep(2 * 86_400)
        assert (await engine.execution(arn)).status == "TIMED_OUT"
        assert await differences(engine) == []
        assert (await engine.history(arn))[-1]["type"] == "ExecutionTimedOut"


async def test_tasks_are_handed_out_in_order_to_one_poller_each(autojump_clock):
    """Polls that wait longest are served first, tasks that wait longest go first."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        got: dict[str, str] = {}

        async def poll(name):
            task = await engine.get_activity_task(ACTIVITY, name, 50)
            got[name] = task.input

        async with trio.open_nursery() as nursery:
            for name in ("first", "second"):
                nursery.start_soon(poll, name)
                await trio.testing.wait_all_tasks_blocked()
            for n in range(4):
                await engine.start_execution(arn, f"n{n}", str(n))
        assert got == {"first": "0", "second": "1"}
        task = await engine.get_activity_task(ACTIVITY, "third", 50)
        assert task.input == "2"


async def test_an_empty_poll_ends_in_time(autojump_clock):
    """No task within the wait: None, and the poll is parked no longer."""
    async with running(MemoryStore()) as engine:
        await put_machine(engine, machine(T=TASK))
        before = trio.current_time()
        assert await engine.get_activity_task(ACTIVITY, None, 55) is None
        assert trio.current_time() - before == pytest.approx(55)
        assert engine._queues.polls() == 0


async def test_a_poller_that_gives_up_loses_nothing(autojump_clock):
    """A cancelled poll leaves the task to the next one; a returned task comes under a new token."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        with trio.move_on_after(1):
            await engine.get_activity_task(ACTIVITY, "gone", 50)
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        task = await engine.get_activity_task(ACTIVITY, "lost", 50)
        await engine.return_task(task.token)
        again = await engine.get_activity_task(ACTIVITY, "found", 50)
        assert again.token != task.token
        with pytest.raises(ApiError, match="TaskTimedOut"):
            await engine.task_succeeded(task.token, "1")
        await engine.task_succeeded(again.token, '"done"')
        assert (await engine.execution(execution)).output == '"done"'


async def test_a_return_cannot_be_cancelled(autojump_clock):
    """Whoever gives a task back may be out of time, and the execution may have to be read first:
    the task waits again all the same."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        execution = (await engine.start_execution(arn, "n", "{}")).row.id
        task = await engine.get_activity_task(ACTIVITY, "lost", 50)
        engine._door._hot.drop(execution)
        with trio.CancelScope() as late:
            late.cancel()
            await engine.return_task(task.token)
        assert (await engine.get_activity_task(ACTIVITY, "found", 50)) is not None


async def test_heartbeats_keep_a_task_alive_and_silence_ends_it(autojump_clock):
    """While beats come the task is open; an interval after the last one it times out."""
    async with running(MemoryStore()) as engine:
        definition = machine(T={**TASK, "HeartbeatSeconds": 10})
        arn = await put_machine(engine, definition)
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        task = await engine.get_activity_task(ACTIVITY, "w", 50)
        for _ in range(10):
            await trio.sleep(8)
            await engine.task_heartbeat(task.token)
        last = clock()
        await wait_status(engine, execution, "FAILED")
        row = await engine.execution(execution)
        assert row.error == "States.Timeout"
        assert last + 10_000 <= row.stop_at < last + 10_500
        with pytest.raises(ApiError, match="TaskTimedOut"):
            await engine.task_heartbeat(task.token)


async def test_time_in_which_the_daemon_was_down_does_not_count(autojump_clock):
    """After a restart an open task has a full interval, and its worker may still answer."""
    store = MemoryStore()
    async with running(store) as engine:
        arn = await put_machine(engine, machine(T={**TASK, "TimeoutSeconds": 30}))
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        task = await engine.get_activity_task(ACTIVITY, "w", 50)
    await trio.sleep(3600)
    async with running(store) as engine:
        await trio.sleep(29)
        await engine.task_succeeded(task.token, "1")
        assert (await engine.execution(execution)).status == "SUCCEEDED"


async def test_a_machine_timeout_ends_at_its_moment_however_late_it_is_seen(autojump_clock):
    """TIMED_OUT is at exactly start + TimeoutSeconds, also where the daemon was away then."""
    store = MemoryStore()
    definition = machine(W={"Type": "Wait", "Seconds": 99, "End": True})
    async with running(store) as engine:
        arn = await put_machine(engine, definition.replace("{", '{"TimeoutSeconds":20,', 1))
        execution = (await engine.start_execution(arn, "n", "{}")).row
    await trio.sleep(500)
    async with running(store) as engine:
        await wait_status(engine, execution.arn, "TIMED_OUT")
        row = await engine.execution(execution.arn)
        assert row.stop_at == execution.start_at + 20_000
        assert (await engine.history(execution.arn))[-1]["timestamp"] == row.stop_at


async def test_queued_tasks_are_offered_again_after_a_restart(autojump_clock):
    """A task that nobody had is in its queue when the daemon is back."""
    store = MemoryStore()
    async with running(store) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        await engine.start_execution(arn, "n", '"given"')
    async with running(store) as engine:
        task = await engine.get_activity_task(ACTIVITY, "w", 5)
        assert task.input == '"given"'


@pytest.mark.parametrize("token", ["", "x", "AQAAAAAAABaqAAAAAYjOOa6-f_15eA9Mki3hTdI", "é" * 30])
async def test_a_token_that_we_never_gave_is_refused(token, autojump_clock):
    """Garbage and well-formed inventions alike are InvalidToken."""
    async with running(MemoryStore()) as engine:
        with pytest.raises(ApiError, match="InvalidToken"):
            await engine.task_succeeded(token, "{}")
        with pytest.raises(ApiError, match="InvalidToken"):
            await engine.task_heartbeat(token)


async def test_a_token_cannot_be_forged(autojump_clock):
    """The right execution and number with other random bytes answer nothing."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        token = (await engine.get_activity_task(ACTIVITY, "w", 5)).token
        forged = token[:-2] + ("AA" if token[-2:] != "AA" else "BA")
        with pytest.raises(ApiError, match="TaskTimedOut"):
            await engine.task_failed(forged, "E", None)
        assert (await engine.execution(execution)).status == "RUNNING"


async def test_a_long_run_goes_on_after_its_budget_and_after_a_restart(autojump_clock):
    """Thousands of steps are committed in parts; a restart between them loses nothing."""
    store = MemoryStore()
    count = {
        "Type": "Pass",
        "Parameters": {"n.$": "States.MathAdd($.n, 1)"},
        "Next": "Enough",
    }
    enough = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericLessThan": 1000, "Next": "Count"}],
        "Default": "Done",
    }
    async with running(store) as engine:
        arn = await put_machine(engine, machine(Count=count, Enough=enough, Done=PASS))
        execution = (await engine.start_execution(arn, "n", '{"n": 0}')).row.arn
        assert (await engine.execution(execution)).status == "RUNNING"
        assert await differences(engine) == []
    async with running(store) as engine:
        await wait_status(engine, execution, "SUCCEEDED")
        assert (await engine.execution(execution)).output == '{"n":1000}'
        assert await differences(engine) == []


class FullStore(MemoryStore):
    """A store whose disk is full while ``full`` is set."""

    full = False

    async def commit(self, unit):
        """Refuse or write."""
        if self.full:
            raise StoreFull
        await super().commit(unit)


async def test_a_full_disk_loses_nothing(autojump_clock):
    """Starts are refused whole, timers fire once there is room, answers can be given again."""
    store = FullStore()
    async with running(store) as engine:
        wait = {"Type": "Wait", "Seconds": 5, "Next": "T"}
        arn = await put_machine(engine, machine(W=wait, T=TASK))
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        store.full = True
        with pytest.raises(Unavailable):
            await engine.start([StartRequest(arn, "refused", "{}")])
        await trio.sleep(30)
        assert (await engine.execution(execution)).status == "RUNNING"
        store.full = False
        task = await engine.get_activity_task(ACTIVITY, "w", 50)
        store.full = True
        with pytest.raises(StoreFull):
            await engine.task_succeeded(task.token, "1")
        store.full = False
        await engine.task_succeeded(task.token, "2")
        assert (await engine.execution(execution)).output == "2"
        assert (await engine.start([StartRequest(arn, "refused", "{}")]))[0].created


async def test_a_return_waits_for_room_on_the_disk(autojump_clock):
    """A task whose poller has gone while the disk is full is in its queue once there is room."""
    store = FullStore()
    async with running(store) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        await engine.start_execution(arn, "n", "{}")
        lost = await engine.get_activity_task(ACTIVITY, "lost", 5)
        store.full = True
        await engine.return_task(lost.token)
        assert await engine.get_activity_task(ACTIVITY, "early", 60) is None
        store.full = False
        assert await engine.get_activity_task(ACTIVITY, "found", 60) is not None


async def test_a_return_to_a_disk_that_has_failed_is_no_defect(autojump_clock, monkeypatch):
    """Nobody can be told: the task stays handed out, as after a kill, and the daemon ends."""
    store = MemoryStore()

    async def closed(_unit):
        raise StoreClosed("the disk is broken")

    async with running(store) as engine:
        arn = await put_machine(engine, machine(T=TASK))
        await engine.start_execution(arn, "n", "{}")
        lost = await engine.get_activity_task(ACTIVITY, "lost", 5)
        with monkeypatch.context() as patch:
            patch.setattr(store, "commit", closed)
            await engine.return_task(lost.token)
        await engine.task_succeeded(lost.token, "1")


async def test_a_resource_without_integration_fails_its_execution_clearly(autojump_clock):
    """What this version cannot call ends the execution with the resource's name, not in silence."""
    async with running(MemoryStore()) as engine:
        task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
        arn = await put_machine(engine, machine(T=task))
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        await wait_status(engine, execution, "FAILED")
        assert "sqs:sendMessage" in (await engine.execution(execution)).cause


async def test_a_task_of_an_activity_that_is_not_there_fails_at_once(autojump_clock):
    """Nobody could ever answer it: no event asks for it, no Catch hides it. Once the activity is
    there, a redrive goes on."""
    async with running(MemoryStore()) as engine:
        catch = [{"ErrorEquals": ["States.ALL"], "Next": "T"}]
        arn = await put_machine(engine, machine(T={**TASK, "Catch": catch}))
        await engine.catalog.delete_activity(ACTIVITY)
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        with trio.fail_after(60):
            await wait_status(engine, execution, "FAILED")
        row = await engine.execution(execution)
        assert (row.error, row.cause) == (
            "States.Runtime", f"The activity {ACTIVITY} does not exist."
        )  # fmt: skip
        events = await engine.history(row.arn)
        assert [event["type"] for event in events] == [
            "ExecutionStarted", "TaskStateEntered", "ExecutionFailed"
        ]  # fmt: skip
        await engine.catalog.create_activity("work")
        await engine.redrive_execution(row.arn, None)
        task = await engine.get_activity_task(ACTIVITY, "w", 1)
        assert task is not None
        await engine.task_succeeded(task.token, "1")
        await wait_status(engine, row.arn, "SUCCEEDED")
        assert await differences(engine) == []


async def test_a_resource_without_integration_waits_for_a_full_disk(autojump_clock):
    """While its failure cannot be written the engine goes on; it is written when there is room."""
    store = FullStore()
    engine = await build(store)
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    arn = await put_machine(engine, machine(T=task))
    execution = (await engine.start_execution(arn, "n", "{}")).row.arn
    store.full = True
    async with running(store) as engine:
        await trio.sleep(30)
        assert (await engine.execution(execution)).status == "RUNNING"
        store.full = False
        await wait_status(engine, execution, "FAILED")


async def test_stopping_ends_what_was_outstanding(autojump_clock):
    """StopExecution: the task is gone from its queue, the timer does not fire, once is enough."""
    async with running(MemoryStore()) as engine:
        arn = await put_machine(engine, machine(T={**TASK, "TimeoutSeconds": 5}))
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        stopped = await engine.stop_execution(execution, "Enough", "of it")
        await trio.sleep(10)
        assert await engine.stop_execution(execution, None, None) == stopped
        row = await engine.execution(execution)
        assert (row.status, row.error, row.cause) == ("ABORTED", "Enough", "of it")
        assert await engine.get_activity_task(ACTIVITY, "w", 1) is None
        assert await engine.store.tasks() == []


async def test_a_run_of_many_units_does_not_wait_for_the_clock(autojump_clock):
    """Each unit of a long execution is followed at once by the next one."""
    async with running(MemoryStore()) as engine:
        inner = {"StartAt": "P", "States": {"P": PASS}}
        arn = await put_machine(engine, machine(M={"Type": "Map", "Iterator": inner, "End": True}))
        items = "[" + ",".join(["1"] * 2000) + "]"
        result = await engine.start_execution(arn, "n", items)
        await wait_status(engine, result.row.arn, "SUCCEEDED")
        assert clock() - result.row.start_at < 1000
