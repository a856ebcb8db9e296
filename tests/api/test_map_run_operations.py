"""Map runs through plain boto3."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.api.conftest import ROLE
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
