"""Nested executions: what a task gets that begins an execution, and waits for it or does not."""

from __future__ import annotations

import orjson
import pytest
import trio

from gateway.engine.nested import outcome
from gateway.engine.starts import Call, StartRequest
from gateway.store.changes import Insert
from gateway.store.memory import MemoryStore
from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.rows import ExecutionRow
from tests.engine.rig import clock, machine, running, wait_status
from tests.engine.test_engine import put_machine
from tests.store.store_rows import execution
from tests.tasks.test_dispatcher import types

START = "arn:aws:states:::states:startExecution"
PASS = {"Type": "Pass", "Result": {"b": 2}, "End": True}
FOREVER = {"Type": "Wait", "Seconds": 1_000_000, "End": True}


def begins(child: str, how: str = "", **more) -> dict:
    """A task that begins an execution of the machine, with the parent's input."""
    given = {"StateMachineArn": child, "Input.$": "$.given", "Name.$": "$.name"}
    return {"Type": "Task", "Resource": START + how, "Parameters": given, "End": True, **more}


async def parent(engine, task, label="parent", given=None, child_name="c") -> str:
    """The ARN of an execution of a machine of such a task."""
    arn = await put_machine(engine, machine(T=task), label)
    text = orjson.dumps({"given": given, "name": child_name}).decode()
    return (await engine.start_execution(arn, "p", text)).row.arn


async def children(engine, child: str) -> list:
    """The executions of a machine."""
    return (await engine.store.executions(ExecutionFilter(child), Page(100))).rows


async def test_a_child_is_begun_and_not_waited_for(autojump_clock):
    """The task's result is the answer of StartExecution, with what the SDK adds."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        arn = await parent(engine, begins(child), given={"a": 1})
        await wait_status(engine, arn, "SUCCEEDED")
        output = orjson.loads((await engine.execution(arn)).output)
        (row,) = await children(engine, child)
        assert output["ExecutionArn"] == row.arn
        assert output["StartDate"] == "2023-11-14T22:13:20.000Z"
        assert output["SdkHttpMetadata"]["HttpStatusCode"] == 200
        assert row.status == "RUNNING"
        assert (await engine.execution(row.arn)).input == '{"a":1}'
        assert (await types(engine, arn))[2:5] == ["TaskScheduled", "TaskStarted", "TaskSucceeded"]


@pytest.mark.parametrize(
    ("given", "text"), [(None, "{}"), ('{"a": 1}', '{"a": 1}'), ([1], "[1]"), ("x", None)]
)
async def test_the_input_of_a_child(autojump_clock, given, text):
    """A text is taken as it is, and has to be JSON; nothing is an empty object."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(P=PASS), "child")
        arn = await parent(engine, begins(child), given=given)
        await wait_status(engine, arn, "FAILED" if text is None else "SUCCEEDED")
        if text is None:
            error = (await engine.execution(arn)).error
            assert error == "StepFunctions.InvalidExecutionInputException"
        else:
            (row,) = await children(engine, child)
            assert (await engine.execution(row.arn)).input == text


@pytest.mark.parametrize(("how", "parsed"), [(".sync", False), (".sync:2", True)])
async def test_a_child_is_waited_for(autojump_clock, how, parsed):
    """Its start is TaskSubmitted, its description at its end the result: with documents as text,
    or parsed. One that ends in the unit in which it began is no exception."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(P=PASS), "child")
        arn = await parent(engine, begins(child, how), given={"a": 1})
        await wait_status(engine, arn, "SUCCEEDED")
        told = await types(engine, arn)
        assert told[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
        (row,) = await children(engine, child)
        assert orjson.loads((await engine.execution(arn)).output) == {
            "ExecutionArn": row.arn,
            "Input": {"a": 1} if parsed else '{"a":1}',
            "InputDetails": {"Included": True},
            "Name": "c",
            "Output": {"b": 2} if parsed else '{"b":2}',
            "OutputDetails": {"Included": True},
            "StartDate": row.start_at,
            "StateMachineArn": child,
            "Status": "SUCCEEDED",
            "StopDate": row.stop_at,
        }


@pytest.mark.parametrize(
    ("state", "status", "why"),
    [
        (
            {"Type": "Fail", "Error": "No", "Cause": "because"},
            "FAILED",
            {"Error": "No", "Cause": "because"},
        ),
        (FOREVER, "TIMED_OUT", {}),
    ],
)
async def test_a_child_that_ends_badly_fails_the_task(autojump_clock, state, status, why):
    """With States.TaskFailed, whatever its own error; the cause describes it."""
    async with running(MemoryStore()) as engine:
        text = orjson.dumps({"StartAt": "S", "TimeoutSeconds": 5, "States": {"S": state}}).decode()
        child = await put_machine(engine, text, "child")
        catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]
        states = {"T": begins(child, ".sync:2", Catch=catch), "Caught": {"Type": "Succeed"}}
        arn = await put_machine(engine, machine(**states), "parent")
        given = '{"given": null, "name": "c"}'
        started = (await engine.start_execution(arn, "p", given)).row.arn
        await wait_status(engine, started, "SUCCEEDED")
        caught = orjson.loads((await engine.execution(started)).output)
        assert caught["Error"] == "States.TaskFailed"
        (row,) = await children(engine, child)
        assert orjson.loads(caught["Cause"]) == {
            "ExecutionArn": row.arn,
            "Input": "{}",
            "InputDetails": {"Included": True},
            "Name": "c",
            "StartDate": row.start_at,
            "StateMachineArn": child,
            "Status": status,
            "StopDate": row.stop_at,
            **why,
        }


def test_a_cause_has_no_input_where_that_is_too_long():
    """It stays JSON, and says what is missing."""
    child = execution(2, status="FAILED", stop_at=9, input='"' + "x" * 40_000 + '"')
    cause = orjson.loads(outcome(child, 1, START + ".sync").cause)
    assert cause["InputDetails"] == {"Included": False}
    assert "Input" not in cause


async def given_up(engine, arn, child):
    """The statuses of the children once the parent has ended and all is quiet."""
    await trio.testing.wait_all_tasks_blocked()
    assert (await engine.execution(arn)).status != "RUNNING"
    return [row.status for row in await children(engine, child)]


async def test_stopping_the_parent_stops_its_child_and_the_child_of_that(autojump_clock):
    """StopExecution of the outermost ends all three; one that nobody waits for goes on."""
    async with running(MemoryStore()) as engine:
        grandchild = await put_machine(engine, machine(W=FOREVER), "grandchild")
        child = await put_machine(engine, machine(T=begins(grandchild, ".sync")), "child")
        arn = await parent(engine, begins(child, ".sync"), given={"given": None, "name": "gc"})
        await parent(engine, begins(grandchild), "loose", child_name="free")
        await trio.testing.wait_all_tasks_blocked()
        await engine.stop_execution(arn, None, None)
        assert await given_up(engine, arn, child) == ["ABORTED"]
        ends = {row.name: row.status for row in await children(engine, grandchild)}
        assert ends == {"gc": "ABORTED", "free": "RUNNING"}


async def test_timeout_seconds_of_the_task_stop_the_child(autojump_clock):
    """The task times out after that many seconds, and its child is no more."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        began = clock()
        arn = await parent(engine, begins(child, ".sync", TimeoutSeconds=7))
        await wait_status(engine, arn, "FAILED")
        assert clock() - began == 7000
        assert (await types(engine, arn))[-2] == "TaskTimedOut"
        assert await given_up(engine, arn, child) == ["ABORTED"]


async def test_a_branch_that_is_given_up_stops_its_child(autojump_clock):
    """The failure of one branch ends what the other waits for."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        wait = {"Type": "Wait", "Seconds": 3, "Next": "F"}
        fails = {"StartAt": "W", "States": {"W": wait, "F": {"Type": "Fail"}}}
        waits = {"StartAt": "B", "States": {"B": begins(child, ".sync")}}
        both = {"Type": "Parallel", "Branches": [waits, fails], "End": True}
        arn = await parent(engine, both)
        await wait_status(engine, arn, "FAILED")
        assert await given_up(engine, arn, child) == ["ABORTED"]


async def test_a_child_whose_task_was_answered_by_token_goes_on(autojump_clock):
    """Also over restarts, and when its parent's history is deleted: whoever answered did not ask
    for its end."""
    store = MemoryStore()
    async with running(store) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        task = begins(child, ".sync")
        task["Parameters"] |= {"Input": {"token.$": "$$.Task.Token"}}
        del task["Parameters"]["Input.$"]
        arn = await parent(engine, task)
        await trio.testing.wait_all_tasks_blocked()
        (row,) = await children(engine, child)
        token = orjson.loads((await engine.execution(row.arn)).input)["token"]
        await engine.task_succeeded(token, '"enough"')
        assert (await engine.execution(arn)).output == '"enough"'
        assert await given_up(engine, arn, child) == ["RUNNING"]
    async with running(store) as engine:
        assert await given_up(engine, arn, child) == ["RUNNING"]
        assert await store.sweep(clock() + 1000, 100, engine.awaited()) == 1
    async with running(store) as engine:
        await trio.testing.wait_all_tasks_blocked()
        assert [row.status for row in await children(engine, child)] == ["RUNNING"]


@pytest.mark.parametrize("how", ["", ".sync"])
async def test_a_name_that_is_taken(autojump_clock, how):
    """An execution that has ended, or has another input, is not begun again: AWS's error, under its
    name in the SDK."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(P=PASS), "child")
        await engine.start_execution(child, "c", "{}")
        arn = await parent(engine, begins(child, how))
        await wait_status(engine, arn, "FAILED")
        row = await engine.execution(arn)
        assert row.error == "StepFunctions.ExecutionAlreadyExistsException"
        assert row.cause.startswith("Execution Already Exists: '")
        assert "(Service: AWSStepFunctions; Status Code: 400; Error Code: Ex" in row.cause


async def test_a_child_that_runs_with_the_same_input_is_the_answer_where_none_waits(autojump_clock):
    """As StartExecution itself has it."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        began = (await engine.start_execution(child, "c", "{ }")).row
        arn = await parent(engine, begins(child))
        await wait_status(engine, arn, "SUCCEEDED")
        assert orjson.loads((await engine.execution(arn)).output)["ExecutionArn"] == began.arn


async def begun_and_awaited(engine, child) -> tuple[str, list[str]]:
    """An execution that nobody waited for when it began; then two that wait for it."""
    running_ = (await engine.start_execution(child, "c", "{ }")).row.arn
    waiting = [
        await parent(engine, begins(child, how), label)
        for how, label in ((".sync", "one"), (".sync:2", "two"))
    ]
    await trio.testing.wait_all_tasks_blocked()
    return running_, waiting


@pytest.mark.parametrize("restarts", [False, True])
async def test_a_child_that_runs_with_the_same_input_is_waited_for(autojump_clock, restarts):
    """By as many as like, also over a restart: its end reaches each of them once."""
    store = MemoryStore()
    async with running(store) as engine:
        child = await put_machine(engine, machine(W={**FOREVER, "Seconds": 60}), "child")
        ran, waiting = await begun_and_awaited(engine, child)
        told = ["TaskScheduled", "TaskStarted", "TaskSubmitted"]
        assert [(await types(engine, arn))[2:] for arn in waiting] == [told, told]
        if not restarts:
            await assert_told(engine, ran, waiting)
    if restarts:
        async with running(store) as engine:
            await assert_told(engine, ran, waiting)


async def assert_told(engine, ran, waiting) -> None:
    """Those that wait hear of the end, and then nothing is awaited."""
    assert list(engine.awaited()) == [(await engine.execution(ran)).id]
    for arn in waiting:
        await wait_status(engine, arn, "SUCCEEDED")
        output = orjson.loads((await engine.execution(arn)).output)
        assert (output["ExecutionArn"], output["Status"]) == (ran, "SUCCEEDED")
        assert (await types(engine, arn)).count("TaskSucceeded") == 1
    assert list(engine.awaited()) == []


async def test_a_child_that_others_wait_for_is_stopped_only_by_what_began_it(autojump_clock):
    """A task that found it running is given up by itself; where the one that began it is, the child
    ends, and the others fail with it."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        first = await parent(engine, begins(child, ".sync"), "first")
        await trio.testing.wait_all_tasks_blocked()
        _, (one, two) = await begun_and_awaited(engine, child)
        await engine.stop_execution(one, None, None)
        assert await given_up(engine, one, child) == ["RUNNING"]
        await engine.stop_execution(first, None, None)
        assert await given_up(engine, two, child) == ["ABORTED"]
        row = await engine.execution(two)
        assert row.error == "States.TaskFailed"
        assert orjson.loads(row.cause)["Status"] == "ABORTED"
        assert list(engine.awaited()) == []


async def test_a_child_with_another_input_is_not_waited_for(autojump_clock):
    """The name is taken, as for StartExecution itself."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        await engine.start_execution(child, "c", "[1]")
        arn = await parent(engine, begins(child, ".sync"))
        await wait_status(engine, arn, "FAILED")
        error = (await engine.execution(arn)).error
        assert error == "StepFunctions.ExecutionAlreadyExistsException"
        assert list(engine.awaited()) == []


def test_a_call_that_is_made_again_finds_what_ran_at_the_first():
    """Though it has ended since; not one that had ended before."""
    ended = execution(2, status="SUCCEEDED", stop_at=9, input="{}")
    wants = StartRequest("m", "n", "{ }", call=Call("k", (1, 1), 8))
    assert wants.means(ended)
    assert not wants.means(ended._replace(stop_at=8))
    assert not wants.means(ended._replace(input="[]"))
    assert not wants._replace(call=Call("k", (1, 1), None)).means(ended)
    assert not wants._replace(call=None).means(ended)
    assert wants.means(ended._replace(begun_by="k", stop_at=8))


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"StateMachineArn": "arn:no"}, "StepFunctions.InvalidArnException"),
        ({"StateMachineArn": None}, "States.Runtime"),
        ({"StateMachineArn": 1}, "States.Runtime"),
        ({"Naem": "x"}, "States.Runtime"),
        ({"Name": "a/b"}, "StepFunctions.InvalidNameException"),
        ({"StateMachineArn": "gone"}, "StepFunctions.StateMachineDoesNotExistException"),
    ],
)
async def test_what_cannot_be_begun(autojump_clock, parameters, error):
    """AWS's errors, under their names in the SDK."""
    async with running(MemoryStore()) as engine:
        child = await put_machine(engine, machine(P=PASS), "child")
        if parameters.get("StateMachineArn") == "gone":
            parameters = {"StateMachineArn": child + "-gone"}
        task = begins(child)
        task["Parameters"] = {"StateMachineArn": child} | parameters
        arn = await parent(engine, task)
        await wait_status(engine, arn, "FAILED")
        assert (await engine.execution(arn)).error == error


async def test_an_express_machine_is_begun_and_cannot_be_waited_for(autojump_clock):
    """As in AWS, whose Express executions have no end that a task could be told."""
    async with running(MemoryStore()) as engine:
        text = machine(P=PASS)
        row, _ = await engine.catalog.create_machine("quick", text, type="EXPRESS")
        arn = await parent(engine, begins(row.arn))
        await wait_status(engine, arn, "SUCCEEDED")
        output = orjson.loads((await engine.execution(arn)).output)
        assert ":express:quick:c:" in output["ExecutionArn"]
        waiting = await parent(engine, begins(row.arn, ".sync"), "waiting")
        await wait_status(engine, waiting, "FAILED")
        error = (await engine.execution(waiting)).error
        assert error == "StepFunctions.StateMachineTypeNotSupportedException"


class SlowToBegin(MemoryStore):
    """The start of a child takes five seconds before it is on the disk."""

    async def commit(self, unit):
        """Write the unit."""
        rows = [change.row for change in unit if isinstance(change, Insert)]
        if any(isinstance(row, ExecutionRow) and row.parent is not None for row in rows):
            with trio.CancelScope(shield=True):
                await trio.sleep(5)
        await super().commit(unit)


async def test_a_child_that_begins_after_its_task_was_given_up_is_stopped(autojump_clock):
    """The task timed out while the child's start was on its way to the disk."""
    async with running(SlowToBegin()) as engine:
        child = await put_machine(engine, machine(W=FOREVER), "child")
        arn = await parent(engine, begins(child, ".sync", TimeoutSeconds=2))
        await wait_status(engine, arn, "FAILED")
        await trio.sleep(10)
        assert await given_up(engine, arn, child) == ["ABORTED"]
