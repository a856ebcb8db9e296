"""What the engine owes a task that it calls itself, whatever the integration."""

from __future__ import annotations

import structlog.testing
import trio

from gateway.store.memory import MemoryStore
from gateway.tasks.protocol import Place, TaskFailure, TaskRequest, member
from tests.engine.rig import build, clock, machine, running, wait_status
from tests.engine.test_engine import FullStore, put_machine

SLOW = {"Type": "Task", "Resource": "arn:aws:states:::slow:call", "End": True}
QUICK = {"Type": "Task", "Resource": "arn:aws:states:::quick:call", "End": True}


class Scripted:
    """Calls what the test says, and knows what it was asked."""

    def __init__(self, name="slow", work=None):
        self.name = name
        self.work = work or self.hang
        self.requests: list[TaskRequest] = []
        self.under_way = 0
        self.most = 0

    def takes(self, resource):
        """What names it."""
        return f":{self.name}:" in resource

    def place(self, resource, given):
        """Each action is a place of its own, or what the input says."""
        where = member(given, "where")
        return Place(where or resource.rpartition(":")[2], 1 if where == "narrow" else 3)

    async def call(self, request):
        """Do the work."""
        self.requests.append(request)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await self.work(request)
        finally:
            self.under_way -= 1

    async def hang(self, _request):
        """Work that never ends."""
        await trio.sleep_forever()


class SlowRead(MemoryStore):
    """The next row of a task that is read comes when the test says."""

    held: trio.Event | None = None

    async def task(self, execution, number):
        """The row as it was when it was asked for."""
        row = await super().task(execution, number)
        held, self.held = self.held, None
        if held is not None:
            await held.wait()
        return row


async def start(engine, state, name="n", given="{}", label="m"):
    """The ARN of an execution of a machine of one state."""
    arn = await put_machine(engine, machine(T=state), label)
    return (await engine.start_execution(arn, name, given)).row.arn


async def types(engine, arn):
    """The types of its events."""
    return [event["type"] for event in await engine.history(arn)]


async def test_a_task_is_called_after_its_start_is_durable(autojump_clock):
    """While the call runs the row says that it has started, and its result is the state's."""
    store = MemoryStore()

    async def work(request):
        (row,) = await store.tasks()
        return [row.started_at is not None, request.input]

    async with running(store, [Scripted(work=work)]) as engine:
        arn = await start(engine, SLOW, given='{"a": 1}')
        await wait_status(engine, arn, "SUCCEEDED")
        assert (await engine.execution(arn)).output == '[true,{"a":1}]'
        assert (await types(engine, arn))[2:5] == ["TaskScheduled", "TaskStarted", "TaskSucceeded"]
        assert await store.tasks() == []


async def test_a_slow_integration_has_its_bound_and_holds_up_nobody_else(autojump_clock):
    """Of eight tasks three are called at a time, those that wait have not started; another
    integration is called meanwhile."""

    async def second(_request):
        await trio.sleep(1)

    async def at_once(_request):
        return None

    slow = Scripted(work=second)
    async with running(MemoryStore(), [slow, Scripted("quick", at_once)]) as engine:
        arns = [await start(engine, SLOW, f"n{n}") for n in range(8)]
        quick = await start(engine, QUICK, label="quick")
        await wait_status(engine, quick, "SUCCEEDED")
        assert len(await engine.store.tasks(started=False)) == 5
        began = clock()
        for arn in arns:
            await wait_status(engine, arn, "SUCCEEDED")
        assert (slow.most, clock() - began) == (3, 3000)


async def test_a_slow_place_of_an_integration_holds_up_no_other(autojump_clock):
    """The bound is each place's own: while one is full, another one's tasks are called."""
    slow = Scripted()
    other = {**SLOW, "Resource": "arn:aws:states:::slow:other"}
    async with running(MemoryStore(), [slow]) as engine:
        for n in range(8):
            await start(engine, SLOW, f"n{n}")
        await trio.testing.wait_all_tasks_blocked()
        assert slow.under_way == 3
        await start(engine, other, label="other")
        await trio.testing.wait_all_tasks_blocked()
        assert slow.requests[-1].resource == other["Resource"]


async def test_the_input_may_say_where_a_call_goes(autojump_clock):
    """Each place has its own bound; tasks that stood in a crash wait where their input says, and a
    place is forgotten with its last task."""

    async def second(_request):
        await trio.sleep(1)

    store, before, after = MemoryStore(), Scripted(), Scripted(work=second)
    async with running(store, [before]) as engine:
        arns = [
            await start(engine, SLOW, f"{where}{n}", f'{{"where": "{where}"}}')
            for where in ("narrow", "wide")
            for n in range(3)
        ]
        await trio.testing.wait_all_tasks_blocked()
        assert before.under_way == 1 + 3
    async with running(store, [after]) as engine:
        began = clock()
        for arn in arns[3:]:
            await wait_status(engine, arn, "SUCCEEDED")
        assert clock() - began < 2000
        for arn in arns:
            await wait_status(engine, arn, "SUCCEEDED")
        assert (after.most, clock() - began) == (1 + 3, 3000)
        await trio.testing.wait_all_tasks_blocked()
        assert engine._dispatcher._lanes == {}


async def test_timeout_seconds_cancel_the_call(autojump_clock):
    """The task times out, its call is cut, and its place is free for the next."""
    slow = Scripted()
    async with running(MemoryStore(), [slow]) as engine:
        arn = await start(engine, {**SLOW, "TimeoutSeconds": 5, "HeartbeatSeconds": 2})
        began = clock()
        await wait_status(engine, arn, "FAILED")
        assert clock() - began == 5000
        assert (await types(engine, arn))[-2] == "TaskTimedOut"
        await trio.testing.wait_all_tasks_blocked()
        assert slow.under_way == 0


async def test_the_calls_of_an_execution_that_ends_are_cancelled(autojump_clock):
    """StopExecution cuts the call under way and forgets the one that waits."""
    slow = Scripted()
    async with running(MemoryStore(), [slow]) as engine:
        branches = [{"StartAt": name, "States": {name: SLOW}} for name in "abcde"]
        arn = await start(engine, {"Type": "Parallel", "Branches": branches, "End": True})
        await trio.testing.wait_all_tasks_blocked()
        assert slow.under_way == 3
        await engine.stop_execution(arn, None, None)
        await trio.testing.wait_all_tasks_blocked()
        assert (slow.under_way, len(slow.requests)) == (0, 3)


async def test_a_call_that_was_cut_off_is_made_again_under_its_key(autojump_clock):
    """After a crash the same request comes again, nothing else does, and another attempt of the
    same state has a key of its own."""
    store, before, after = MemoryStore(), Scripted(), Scripted()

    async def once(_request):
        if len(after.requests) == 1:
            raise TaskFailure("Again", None)
        return "done"

    after.work = once
    retry = {"Retry": [{"ErrorEquals": ["Again"]}]}
    async with running(store, [before]) as engine:
        arn = await start(engine, {**SLOW, **retry})
        await trio.testing.wait_all_tasks_blocked()
    async with running(store, [after]) as engine:
        with trio.fail_after(60):
            await wait_status(engine, arn, "SUCCEEDED")
        assert before.requests == after.requests[:1]
        assert len({request.key for request in after.requests}) == 2
        assert (await types(engine, arn)).count("TaskStarted") == 2


async def test_a_task_that_is_answered_while_it_is_read_is_not_called(autojump_clock):
    """After a restart its row is read before it is called again; an answer by its token that comes
    meanwhile ends it, and the row that was read is of the past."""
    waiting = {
        **SLOW,
        "Resource": f"{SLOW['Resource']}.waitForTaskToken",
        "Parameters": {"token.$": "$$.Task.Token"},
    }
    store, before, after = SlowRead(), Scripted(), Scripted()
    async with running(store, [before]) as engine:
        arn = await start(engine, waiting)
        await trio.testing.wait_all_tasks_blocked()
        (request,) = before.requests
    store.held = held = trio.Event()
    async with running(store, [after]) as engine:
        await trio.testing.wait_all_tasks_blocked()
        assert store.held is None
        await engine.task_succeeded(request.input["token"], "1")
        held.set()
        await trio.testing.wait_all_tasks_blocked()
        assert (await engine.execution(arn)).status == "SUCCEEDED"
        assert after.requests == []
        assert engine._dispatcher._lanes == {}


async def test_a_committed_result_is_never_asked_for_again(autojump_clock):
    """The next life of the engine calls nothing that was answered."""
    store = MemoryStore()

    async def at_once(_request):
        return 1

    wait = {"Type": "Wait", "Seconds": 60, "End": True}
    async with running(store, [Scripted(work=at_once)]) as engine:
        text = machine(T={**SLOW, "End": False, "Next": "W"} | {}, W=wait)
        text = text.replace('"End":false,', "")
        arn = await put_machine(engine, text)
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        await trio.sleep(1)
    again = Scripted(work=at_once)
    async with running(store, [again]) as engine:
        await wait_status(engine, execution, "SUCCEEDED")
        assert again.requests == []


async def test_a_bug_of_an_integration_fails_its_task_loudly(autojump_clock):
    """It becomes States.TaskFailed, which Catch takes, and stands in the log with its traceback."""

    async def bug(_request):
        raise ZeroDivisionError("oh")

    with structlog.testing.capture_logs() as logs:
        async with running(MemoryStore(), [Scripted(work=bug)]) as engine:
            arn = await start(engine, SLOW)
            await wait_status(engine, arn, "FAILED")
            assert (await engine.execution(arn)).error == "States.TaskFailed"
    assert [entry["runner"] for entry in logs if entry.get("exc_info")] == ["slow"]


async def test_draining_waits_for_calls_and_begins_none(autojump_clock):
    """What is under way is answered durably; what waits is left for the next life."""

    async def second(_request):
        await trio.sleep(1)
        return 7

    slow = Scripted(work=second)
    store = MemoryStore()
    async with running(store, [slow]) as engine:
        arns = [await start(engine, SLOW, f"n{n}") for n in range(5)]
        await trio.testing.wait_all_tasks_blocked()
        await engine.drain()
        statuses = [(await engine.execution(arn)).status for arn in arns]
        assert sorted(statuses) == ["RUNNING"] * 2 + ["SUCCEEDED"] * 3
        assert len(await store.tasks(started=False)) == 2


async def test_a_result_waits_for_room_on_the_disk(autojump_clock):
    """A full disk loses no result: it is written when there is room, and called once."""
    store = FullStore()

    async def full(_request):
        store.full = True
        return 1

    slow = Scripted(work=full)
    engine = await build(store, [slow])
    async with trio.open_nursery() as nursery:
        await nursery.start(engine.run)
        arn = await start(engine, SLOW)
        await trio.sleep(30)
        assert (await engine.execution(arn)).status == "RUNNING"
        store.full = False
        await wait_status(engine, arn, "SUCCEEDED")
        assert len(slow.requests) == 1
        nursery.cancel_scope.cancel()


async def test_a_result_over_the_limit_fails_the_task(autojump_clock):
    """AWS's error stands in the task's own event and names the service; States.ALL catches it."""

    async def large(_request):
        return "x" * 263_000

    state = {**SLOW, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "P"}]}
    async with running(MemoryStore(), [Scripted(work=large)]) as engine:
        arn = await put_machine(engine, machine(T=state, P={"Type": "Pass", "End": True}))
        execution = (await engine.start_execution(arn, "n", "{}")).row.arn
        await wait_status(engine, execution, "SUCCEEDED")
        event = (await engine.history(execution))[4]
        assert event["taskFailedEventDetails"]["error"] == "States.DataLimitExceeded"
        assert "'slow'" in event["taskFailedEventDetails"]["cause"]
