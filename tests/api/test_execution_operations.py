"""Executions through plain boto3."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

WAIT = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "End": True}}})
LOOP = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "A"}}})
FAIL = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "C"}}})


async def test_an_execution_is_started_and_described(api):
    """DescribeExecution has the members of AWS, input and output included."""
    arn = await api.machine()
    started = await api.call(
        "start_execution", stateMachineArn=arn, name="one", input='{"a": 1}', traceHeader="Root=1"
    )
    described = await api.until_ended(started["executionArn"])
    assert described.pop("stopDate") >= started["startDate"]
    assert described == {
        "executionArn": arn.replace("stateMachine", "execution") + ":one",
        "stateMachineArn": arn,
        "name": "one",
        "status": "SUCCEEDED",
        "startDate": started["startDate"],
        "input": '{"a": 1}',
        "inputDetails": {"included": True},
        "output": described["output"],
        "outputDetails": {"included": True},
        "traceHeader": "Root=1",
        "redriveCount": 0,
        "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
    }
    assert json.loads(described["output"]) == {"a": 1}


async def test_metadata_can_do_without_data(api):
    """includedData: METADATA_ONLY leaves input and output out."""
    started = await api.call("start_execution", stateMachineArn=await api.machine())
    await api.until_ended(started["executionArn"])
    described = await api.call(
        "describe_execution", executionArn=started["executionArn"], includedData="METADATA_ONLY"
    )
    assert not described.keys() & {"input", "output", "inputDetails", "outputDetails"}


async def test_a_failed_execution_says_why(api):
    """Error and cause are members, and it could be redriven."""
    arn = await api.machine("f", FAIL)
    started = await api.call("start_execution", stateMachineArn=arn)
    described = await api.until_ended(started["executionArn"])
    wanted = {"status": "FAILED", "error": "E", "cause": "C", "redriveStatus": "REDRIVABLE"}
    assert described.items() >= wanted.items()
    assert "output" not in described


async def test_starting_is_idempotent_while_it_runs(api):
    """The same name and input is the same execution; another input, or a closed one, is refused."""
    arn = await api.machine("w", WAIT)
    one = {"stateMachineArn": arn, "name": "one"}
    first = await api.call("start_execution", **one, input="{}")
    assert await api.call("start_execution", **one, input="{}") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        await api.call("start_execution", **one, input="[]")
    stopped = await api.call("stop_execution", executionArn=first["executionArn"])
    described = await api.call("describe_execution", executionArn=first["executionArn"])
    assert (described["status"], described["stopDate"]) == ("ABORTED", stopped["stopDate"])
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        await api.call("start_execution", **one, input="{}")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"input": "not some json"}, "InvalidExecutionInput.*Unrecognized token 'not'"),
        ({"name": "a b"}, "InvalidName"),
        ({"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:x"}, "NotExist"),
    ],
)
async def test_what_cannot_start_is_refused(api, parameters, message):
    """Each with AWS's code."""
    wanted = {"stateMachineArn": await api.machine(), **parameters}
    with pytest.raises(ClientError, match=message):
        await api.call("start_execution", **wanted)


async def test_executions_are_listed_newest_first(api):
    """By pages, and narrowed by status."""
    arn = await api.machine("w", WAIT)
    for number in range(5):
        await api.call("start_execution", stateMachineArn=arn, name=str(number))
    stopped = f"{arn.replace('stateMachine', 'execution')}:2"
    await api.call("stop_execution", executionArn=stopped)
    names, more = [], {}
    while True:
        page = await api.call("list_executions", stateMachineArn=arn, maxResults=2, **more)
        names += [row["name"] for row in page["executions"]]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert names == ["4", "3", "2", "1", "0"]
    page = await api.call("list_executions", stateMachineArn=arn, statusFilter="ABORTED")
    assert [row["name"] for row in page["executions"]] == ["2"]
    with pytest.raises(ClientError, match=r"ValidationException.*PENDING_REDRIVE"):
        await api.call("list_executions", stateMachineArn=arn, statusFilter="PENDING_REDRIVE")
    with pytest.raises(ClientError, match="InvalidToken"):
        await api.call("list_executions", stateMachineArn=arn, statusFilter="RUNNING", **more)


async def test_what_does_not_exist_cannot_be_listed_or_described(api):
    """StateMachineDoesNotExist, ExecutionDoesNotExist; and a list needs something to list."""
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:x"
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        await api.call("list_executions", stateMachineArn=arn)
    with pytest.raises(ClientError, match="ValidationException"):
        await api.call("list_executions")
    arn = "arn:aws:states:us-east-1:123456789012:execution:x:y"
    for operation in ("describe_execution", "get_execution_history", "stop_execution"):
        with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
            await api.call(operation, executionArn=arn)


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_history_pages_in_both_orders(api, newest_first):
    """Every event once, in the order asked for."""
    started = await api.call("start_execution", stateMachineArn=await api.machine())
    await api.until_ended(started["executionArn"])
    ids, more = [], {}
    while True:
        page = await api.call(
            "get_execution_history",
            executionArn=started["executionArn"],
            maxResults=3,
            reverseOrder=newest_first,
            **more,
        )
        ids += [event["id"] for event in page["events"]]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert ids == ([4, 3, 2, 1] if newest_first else [1, 2, 3, 4])


@pytest.mark.parametrize("newest_first", [False, True])
async def test_a_page_of_a_forgotten_execution_is_not_one_of_its_successor(api, newest_first):
    """The token is refused: by name alone it would show the middle of another history."""
    started = await api.call("start_execution", stateMachineArn=await api.machine(), name="same")
    await api.until_ended(started["executionArn"])
    wanted = {
        "executionArn": started["executionArn"],
        "maxResults": 2,
        "reverseOrder": newest_first,
    }
    page = await api.call("get_execution_history", **wanted)
    assert await api.store.sweep(2**50, 10) == 1
    await api.call("start_execution", stateMachineArn=await api.machine(), name="same")
    await api.until_ended(started["executionArn"])
    with pytest.raises(ClientError, match="InvalidToken"):
        await api.call("get_execution_history", **wanted, nextToken=page["nextToken"])


async def test_an_execution_whose_history_is_full_cannot_be_redriven(api):
    """DescribeExecution says so, and in which words RedriveExecution will refuse it."""
    arn = await api.machine("loop", LOOP)
    started = await api.call("start_execution", stateMachineArn=arn)
    described = await api.until_ended(started["executionArn"])
    reason = "Execution history event limit exceeded"
    assert described["redriveStatus"] == "NOT_REDRIVABLE"
    assert described["redriveStatusReason"] == reason
    with pytest.raises(ClientError, match=reason):
        await api.call("redrive_execution", executionArn=started["executionArn"])


async def test_a_history_without_its_data(api):
    """includeExecutionData: false leaves inputs and outputs out, and nothing else."""
    started = await api.call("start_execution", stateMachineArn=await api.machine())
    await api.until_ended(started["executionArn"])
    page = await api.call(
        "get_execution_history",
        executionArn=started["executionArn"],
        includeExecutionData=False,
    )
    assert page["events"][1]["stateEnteredEventDetails"] == {"name": "A"}
    assert "executionSucceededEventDetails" in page["events"][3]


async def test_the_machine_of_an_execution_is_the_one_it_began_with(api):
    """DescribeStateMachineForExecution shows the old revision after an update."""
    arn = await api.machine("w", WAIT)
    started = await api.call("start_execution", stateMachineArn=arn)
    await api.call("update_state_machine", stateMachineArn=arn, definition=FAIL)
    execution = {"executionArn": started["executionArn"]}
    described = await api.call("describe_state_machine_for_execution", **execution)
    assert (described["definition"], described["name"]) == (WAIT, "w")
    assert "revisionId" not in described


async def test_an_execution_is_redriven(api):
    """It runs again, says so, and lists tell it from the others."""
    wait = json.dumps(
        {"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "End": True}}}
    )
    arn = await api.machine("w", wait)
    started = await api.call("start_execution", stateMachineArn=arn, name="e")
    await api.call("start_execution", stateMachineArn=arn, name="other")
    execution = started["executionArn"]
    with pytest.raises(ClientError, match=r"ExecutionNotRedrivable.*RUNNING"):
        await api.call("redrive_execution", executionArn=execution)
    await api.call("stop_execution", executionArn=execution)
    described = await api.call("describe_execution", executionArn=execution)
    assert (described["redriveStatus"], described["redriveCount"]) == ("REDRIVABLE", 0)
    redriven = await api.call("redrive_execution", executionArn=execution)
    described = await api.call("describe_execution", executionArn=execution)
    assert described["status"] == "RUNNING"
    assert described["redriveDate"] == redriven["redriveDate"]
    assert (described["redriveStatus"], described["redriveCount"]) == ("NOT_REDRIVABLE", 1)
    for which, name in (("REDRIVEN", "e"), ("NOT_REDRIVEN", "other")):
        listed = await api.call("list_executions", stateMachineArn=arn, redriveFilter=which)
        assert [row["name"] for row in listed["executions"]] == [name]
