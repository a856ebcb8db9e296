"""Map runs through plain boto3."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.api.conftest import ROLE
from tests.engine.rig import TASK
from tests.engine.test_map_runs import distributed

WAIT = {"Type": "Wait", "Seconds": 60, "End": True}


async def started(api):
    """The ARN of an execution whose map run has three children, of two items or one."""
    batcher = {"MaxItemsPerBatch": 2}
    definition = distributed(WAIT, ItemBatcher=batcher, MaxConcurrency=2)
    made = await api.call("create_state_machine", name="m", definition=definition, roleArn=ROLE)
    arn = made["stateMachineArn"]
    given = json.dumps([1, 2, 3, 4, 5])
    began = await api.call("start_execution", stateMachineArn=arn, name="e", input=given)
    return began["executionArn"]


async def map_run(api, execution):
    """The one map run of the execution, as it is listed."""
    [run] = (await api.call("list_map_runs", executionArn=execution))["mapRuns"]
    return run


async def test_a_map_run_is_listed_and_described(api):
    """Counts of items and executions; the children say whose they are."""
    execution = await started(api)
    run = await map_run(api, execution)
    assert run["executionArn"] == execution
    assert run["stateMachineArn"].endswith(":stateMachine:m/items")
    listed = {"executions": []}
    while len(listed["executions"]) < 2:
        listed = await api.call("list_executions", mapRunArn=run["mapRunArn"])
    assert {each["itemCount"] for each in listed["executions"]} == {2}
    child = listed["executions"][0]["executionArn"]
    described = await api.call("describe_execution", executionArn=child)
    assert described["mapRunArn"] == run["mapRunArn"]
    shown = await api.call("describe_map_run", mapRunArn=run["mapRunArn"])
    assert (shown["status"], shown["maxConcurrency"]) == ("RUNNING", 2)
    items, executions = shown["itemCounts"], shown["executionCounts"]
    assert (items["running"], items["pending"], items["total"]) == (4, 1, 5)
    assert (executions["running"], executions["succeeded"]) == (2, 0)


async def test_a_map_run_is_updated_while_it_runs(api):
    """New limits count; without any, or after its end, it is refused."""
    execution = await started(api)
    arn = (await map_run(api, execution))["mapRunArn"]
    await api.call("update_map_run", mapRunArn=arn, maxConcurrency=9, toleratedFailureCount=1)
    shown = await api.call("describe_map_run", mapRunArn=arn)
    assert (shown["maxConcurrency"], shown["toleratedFailureCount"]) == (9, 1)
    with pytest.raises(ClientError, match="At least one"):
        await api.call("update_map_run", mapRunArn=arn)
    await api.call("stop_execution", executionArn=execution)
    with pytest.raises(ClientError, match="cannot be updated"):
        await api.call("update_map_run", mapRunArn=arn, maxConcurrency=9)


async def test_a_map_run_that_is_not_there(api):
    """ResourceNotFound; an ARN of something else is no ARN of a map run."""
    missing = "arn:aws:states:us-east-1:123456789012:mapRun:m/items:no"
    with pytest.raises(ClientError, match="ResourceNotFound"):
        await api.call("describe_map_run", mapRunArn=missing)
    with pytest.raises(ClientError, match="InvalidArn"):
        await api.call("describe_map_run", mapRunArn=missing.replace("mapRun", "execution"))


async def failed(api):
    """The ARNs of an execution whose map run has failed with both of its children, and of that map
    run; a redrive runs one child at a time."""
    work = await api.call("create_activity", name="work")
    limits = {"MaxConcurrency": 1, "ToleratedFailureCount": 1}
    definition = distributed({**TASK, "Resource": work["activityArn"]}, **limits)
    machine = await api.machine("m", definition)
    started = await api.call("start_execution", stateMachineArn=machine, input="[1,2]")
    for _ in range(2):
        task = await api.call("get_activity_task", activityArn=work["activityArn"])
        await api.call("send_task_failure", taskToken=task["taskToken"])
    await api.until_ended(started["executionArn"])
    run = await map_run(api, started["executionArn"])
    return started["executionArn"], run["mapRunArn"]


async def statuses(api, run, **narrowed):
    """The statuses of its children, newest first, with what they say of a redrive."""
    listed = await api.call("list_executions", mapRunArn=run, **narrowed)
    found = []
    for each in listed["executions"]:
        arn = each["executionArn"]
        described = await api.call("describe_execution", executionArn=arn)
        assert described["status"] == each["status"]
        found.append((each["status"], described["redriveStatus"], each["redriveCount"]))
    return found


async def test_a_map_run_is_redriven_with_its_parent(api):
    """One child runs again while the other one waits; counts, filters and descriptions say so."""
    execution, run = await failed(api)
    assert await statuses(api, run) == [("FAILED", "REDRIVABLE_BY_MAP_RUN", 0)] * 2
    redriven = await api.call("redrive_execution", executionArn=execution)
    activity = "arn:aws:states:us-east-1:123456789012:activity:work"
    task = await api.call("get_activity_task", activityArn=activity)
    shown = await api.call("describe_map_run", mapRunArn=run)
    assert shown["redriveCount"] == 1
    assert shown["redriveDate"] >= redriven["redriveDate"]  # its state is entered a moment later
    counts = shown["executionCounts"]
    assert (counts["running"], counts["pendingRedrive"], counts["total"]) == (1, 1, 2)
    waiting = ("PENDING_REDRIVE", "REDRIVABLE_BY_MAP_RUN", 0)
    assert await statuses(api, run, statusFilter="PENDING_REDRIVE") == [waiting]
    assert await statuses(api, run, redriveFilter="NOT_REDRIVEN") == [waiting]
    runs = ("RUNNING", "NOT_REDRIVABLE", 1)
    assert await statuses(api, run, redriveFilter="REDRIVEN") == [runs]
    assert await statuses(api, run, statusFilter="FAILED") == []
    await api.call("send_task_success", taskToken=task["taskToken"], output="1")
    task = await api.call("get_activity_task", activityArn=activity)
    await api.call("send_task_success", taskToken=task["taskToken"], output="1")
    assert (await api.until_ended(execution))["status"] == "SUCCEEDED"
    child = (await api.call("list_executions", mapRunArn=run))["executions"][0]["executionArn"]
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        await api.call("redrive_execution", executionArn=child)


async def test_a_child_names_its_map_run_and_the_label(api):
    """DescribeStateMachineForExecution of a child says what began it; of its parent, nothing."""
    execution, run = await failed(api)
    child = (await api.call("list_executions", mapRunArn=run))["executions"][0]["executionArn"]
    operation = "describe_state_machine_for_execution"
    described = await api.call(operation, executionArn=child)
    label = run.split("/")[1].split(":")[0]
    assert (described["mapRunArn"], described["label"]) == (run, label)
    described = await api.call(operation, executionArn=execution)
    assert not {"mapRunArn", "label"} & described.keys()


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("start_execution", {}),
        ("update_state_machine", {"roleArn": ROLE}),
        ("delete_state_machine", {}),
    ],
)
async def test_a_distributed_map_state_is_no_machine(api, operation, parameters):
    """It cannot be started, changed or deleted by an ARN of its own."""
    machine = await api.machine("m", distributed(TASK))
    with pytest.raises(ClientError, match=r"ValidationException.*m/items"):
        await api.call(operation, stateMachineArn=f"{machine}/items", **parameters)


async def test_a_page_of_children_reads_no_others(api, monkeypatch):
    """Of a map run that has a million of them, too."""
    execution = await started(api)
    run = (await map_run(api, execution))["mapRunArn"]
    while len((await api.call("list_executions", mapRunArn=run))["executions"]) < 2:
        pass
    map_items, read = api.store.map_items, []

    async def watched(*given, **narrowed):
        found = await map_items(*given, **narrowed)
        read.append(len(found))
        return found

    monkeypatch.setattr(api.store, "map_items", watched)
    page = await api.call("list_executions", mapRunArn=run, maxResults=1)
    await api.call("list_executions", mapRunArn=run, maxResults=1, nextToken=page["nextToken"])
    await api.call("list_executions", mapRunArn=run, statusFilter="FAILED")
    assert read == [1, 1, 0]
