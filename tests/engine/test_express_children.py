"""Map runs whose children are Express executions."""

from __future__ import annotations

from collections import Counter

import orjson
import trio
import trio.testing

from gateway.engine.verify import verify
from gateway.store.memory import MemoryStore
from gateway.tasks.protocol import Place, TaskFailure
from tests.engine.rig import running, wait_status

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


class Function:
    """Answers each item after some seconds of virtual time: twice as much, or a failure."""

    name = "lambda"

    def __init__(self, seconds=1.0, bad=()):
        self.seconds = seconds
        self.bad = bad
        self.calls = Counter()
        self.most = self.under_way = 0

    @staticmethod
    def takes(resource):
        """Every function."""
        return resource == FUNCTION

    @staticmethod
    def place(resource, _given):
        """All of them in one."""
        return Place(resource, 1000)

    async def call(self, request):
        """The answer."""
        self.calls[request.input] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.under_way -= 1
        if request.input in self.bad:
            raise TaskFailure("Bad", "no")
        return request.input * 2


class Sleeper(Function):
    """Answers anything."""

    async def call(self, _request):
        """Nothing, after a while."""
        await trio.sleep(self.seconds)


def machine(**members):
    """A Distributed Map whose children call the function."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Child",
        "States": {"Child": {"Type": "Task", "Resource": FUNCTION, "End": True}},
    }
    state = {"Type": "Map", "Label": "items", "ItemProcessor": processor, "End": True, **members}
    return orjson.dumps({"StartAt": "Map", "States": {"Map": state}}).decode()


async def start(engine, items, **members):
    """The ARN of an execution over these items."""
    row, _ = await engine.catalog.create_machine("m", machine(**members))
    return (await engine.start_execution(row.arn, "e", orjson.dumps(items).decode())).row.arn


async def closed(store):
    """When nothing is left to be done for any map run."""
    while await store.open_map_runs():  # noqa: ASYNC110 - the clock is virtual
        await trio.sleep(1)


async def test_the_output_is_the_children_s_in_order(autojump_clock):
    """Every item is a call, at most MaxConcurrency at a time; the children have no rows of their
    own, and are counted."""
    function, store = Function(), MemoryStore()
    async with running(store, [function]) as engine:
        arn = await start(engine, list(range(50)), MaxConcurrency=8)
        await wait_status(engine, arn, "SUCCEEDED")
        row = await engine.execution(arn)
        assert orjson.loads(row.output) == [2 * n for n in range(50)]
        assert (function.most, max(function.calls.values())) == (8, 1)
        [run] = await store.map_runs(row.id)
        counts = await engine.map_runs.counts(run)
        assert {status: tuple(each) for status, each in counts.items()} == {"SUCCEEDED": (50, 50)}
        assert await store.last_execution() == row.id
        assert [line async for line in verify(store, engine._door)] == []


async def counted(engine, store):
    """Items of the one map run by status."""
    [run] = await store.map_runs(1)
    counts = await engine.map_runs.counts(run)
    return {status: items for status, (_, items) in counts.items() if items}


async def test_those_that_run_are_counted_as_running(autojump_clock):
    """Though they have no rows; and not as waiting once they are redriven."""
    function, store = Function(seconds=10, bad=[1, 2]), MemoryStore()
    limits = {"MaxConcurrency": 2, "ToleratedFailureCount": 1}
    async with running(store, [function]) as engine:
        arn = await start(engine, [0, 1, 2, 3, 4], **limits)
        await trio.sleep(5)
        assert await counted(engine, store) == {"RUNNING": 2, "PENDING": 3}
        await trio.sleep(10)
        found = {"SUCCEEDED": 1, "FAILED": 1, "RUNNING": 2, "PENDING": 1}
        assert await counted(engine, store) == found
        await wait_status(engine, arn, "FAILED")
        await closed(store)
        failed = {"SUCCEEDED": 2, "FAILED": 2, "ABORTED": 1}
        assert await counted(engine, store) == failed
        function.bad = ()
        await engine.redrive_execution(arn, None)
        await trio.sleep(5)
        again = {"SUCCEEDED": 2, "RUNNING": 2, "PENDING": 1}
        assert await counted(engine, store) == again
        await wait_status(engine, arn, "SUCCEEDED")
        assert await counted(engine, store) == {"SUCCEEDED": 5}


async def test_batches_that_run_are_counted_with_their_items(autojump_clock):
    """A child counts once, and all of its items."""
    function, store = Sleeper(seconds=10), MemoryStore()
    batches = {"MaxConcurrency": 1, "ItemBatcher": {"MaxItemsPerBatch": 2}}
    async with running(store, [function]) as engine:
        await start(engine, [0, 1, 2, 3], **batches)
        await trio.sleep(5)
        [run] = await store.map_runs(1)
        counts = await engine.map_runs.counts(run)
        assert (tuple(counts["RUNNING"]), counts["PENDING"].items) == ((1, 2), 2)


async def test_what_has_not_ended_runs_again_after_a_crash(autojump_clock):
    """At least once: a child that had ended is not called again, one that ran is; none is lost."""
    function, store = Function(seconds=10), MemoryStore()
    async with running(store, [function]) as engine:
        arn = await start(engine, list(range(9)), MaxConcurrency=3)
        await trio.sleep(15)
    assert function.calls == Counter({0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1})
    async with running(store, [function]) as engine:
        await wait_status(engine, arn, "SUCCEEDED")
        row = await engine.execution(arn)
    assert orjson.loads(row.output) == [2 * n for n in range(9)]
    assert function.calls == Counter({0: 1, 1: 1, 2: 1, 3: 2, 4: 2, 5: 2, 6: 1, 7: 1, 8: 1})


async def test_a_failure_ends_the_run_and_its_children(autojump_clock):
    """The others are stopped, their calls cancelled; what is not known to have ended is aborted."""
    function, store = Function(bad=[0]), MemoryStore()
    async with running(store, [function]) as engine:
        function.seconds = 1.0
        arn = await start(engine, list(range(30)), MaxConcurrency=5)
        await wait_status(engine, arn, "FAILED")
        row = await engine.execution(arn)
        assert row.error == "States.ExceedToleratedFailureThreshold"
        await closed(store)
        await trio.testing.wait_all_tasks_blocked()
        assert function.under_way == 0
        [run] = await store.map_runs(row.id)
        counts = await engine.map_runs.counts(run)
        assert counts["FAILED"].items == 1
        assert sum(each.items for each in counts.values()) == 30
        assert engine.express._running == set()


async def test_tolerated_failures_are_left_out(autojump_clock):
    """The output has what succeeded."""
    store = MemoryStore()
    async with running(store, [Function(bad=[1, 3])]) as engine:
        arn = await start(engine, [0, 1, 2, 3], ToleratedFailureCount=2)
        await wait_status(engine, arn, "SUCCEEDED")
        assert (await engine.execution(arn)).output == "[0,4]"


async def test_stopping_the_parent_ends_the_children(autojump_clock):
    """Their calls are cancelled."""
    function, store = Function(seconds=100), MemoryStore()
    async with running(store, [function]) as engine:
        arn = await start(engine, [1, 2, 3])
        await trio.sleep(1)
        assert function.under_way == 3
        await engine.stop_execution(arn, None, None)
        await closed(store)
        await trio.testing.wait_all_tasks_blocked()
        assert function.under_way == 0
        assert engine.express._running == set()


async def test_a_redrive_runs_again_what_had_not_succeeded(autojump_clock):
    """Those that succeeded stay; the failed ones are called again, and the others begin."""
    function, store = Function(bad=[1]), MemoryStore()
    async with running(store, [function]) as engine:
        arn = await start(engine, [0, 1, 2, 3], MaxConcurrency=1)
        await wait_status(engine, arn, "FAILED")
        await closed(store)
        function.bad = ()
        await engine.redrive_execution(arn, None)
        await wait_status(engine, arn, "SUCCEEDED")
        assert (await engine.execution(arn)).output == "[0,2,4,6]"
        assert function.calls == Counter({0: 1, 1: 2, 2: 1, 3: 1})
        [run] = await store.map_runs((await engine.execution(arn)).id)
        assert (await engine.map_runs.counts(run))["SUCCEEDED"].items == 4
