"""Express machines through plain boto3."""

from __future__ import annotations

import json

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.api.conftest import PASS, ROLE, WAIT

FAIL = json.dumps({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}})


async def express(api, definition=PASS):
    """The ARN of a new Express machine."""
    made = await api.call(
        "create_state_machine", name="e", definition=definition, roleArn=ROLE, type="EXPRESS"
    )
    return made["stateMachineArn"]


async def test_a_synchronous_execution_answers_with_its_end(api):
    """Every member that AWS has."""
    arn = await express(api)
    answer = await api.call(
        "start_sync_execution", stateMachineArn=arn, name="one", input='{"n": 1}', traceHeader="t"
    )
    assert answer.pop("startDate") <= answer.pop("stopDate")
    execution = answer.pop("executionArn")
    assert execution.startswith(f"{arn.replace('stateMachine', 'express')}:one:")
    assert answer == {
        "stateMachineArn": arn,
        "name": "one",
        "status": "SUCCEEDED",
        "input": '{"n": 1}',
        "inputDetails": {"included": True},
        "output": '{"n": 1}',
        "outputDetails": {"included": True},
        "traceHeader": "t",
        "billingDetails": {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100},
    }
    bare = await api.call("start_sync_execution", stateMachineArn=arn, includedData="METADATA_ONLY")
    assert not bare.keys() & {"input", "output", "inputDetails", "outputDetails"}


async def test_a_failure_is_an_answer(api):
    """The call succeeds, the execution has failed."""
    arn = await express(api, FAIL)
    answer = await api.call("start_sync_execution", stateMachineArn=arn)
    assert (answer["status"], answer["error"], answer["cause"]) == ("FAILED", "E", "c")
    assert "output" not in answer


async def test_an_asynchronous_execution_cannot_be_asked_for(api):
    """It has no history and no description, and lists do not have it."""
    arn = await express(api, WAIT)
    started = await api.call("start_execution", stateMachineArn=arn, name="one")
    again = await api.call("start_execution", stateMachineArn=arn, name="one")
    assert started["executionArn"] != again["executionArn"]
    with pytest.raises(ClientError, match="StateMachineTypeNotSupported"):
        await api.call("list_executions", stateMachineArn=arn)
    for method in (
        "describe_execution",
        "stop_execution",
        "get_execution_history",
        "describe_state_machine_for_execution",
    ):
        with pytest.raises(ClientError, match="Resource type not valid in this context: express"):
            await api.call(method, executionArn=started["executionArn"])


async def test_a_standard_machine_has_no_synchronous_executions(api):
    """AWS's refusal; and that of an input that is none."""
    with pytest.raises(ClientError, match="StateMachineTypeNotSupported"):
        await api.call("start_sync_execution", stateMachineArn=await api.machine())
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        await api.call("start_sync_execution", stateMachineArn=await express(api), input="x")


async def test_an_alias_leads_to_an_express_version(api):
    """Versions and aliases of Express machines are started as others are."""
    arn = await express(api)
    version = await api.call("publish_state_machine_version", stateMachineArn=arn)
    routing = [{"stateMachineVersionArn": version["stateMachineVersionArn"], "weight": 100}]
    alias = await api.call("create_state_machine_alias", name="live", routingConfiguration=routing)
    await api.call("update_state_machine", stateMachineArn=arn, definition=FAIL)
    through = alias["stateMachineAliasArn"]
    answer = await api.call("start_sync_execution", stateMachineArn=through)
    assert (answer["status"], answer["stateMachineArn"]) == ("SUCCEEDED", arn)


@pytest.mark.parametrize("host", ["sync-localhost", "sync-states.us-east-1.amazonaws.com", "x"])
async def test_any_host_is_answered(api, host):
    """AWS's clients put ``sync-`` before the host of this operation unless they are told not to."""
    arn = await express(api)
    headers = {"host": host, "x-amz-target": "AWSStepFunctions.StartSyncExecution"}
    async with httpx.AsyncClient() as http:
        answer = await http.post(api.url, json={"stateMachineArn": arn}, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "SUCCEEDED")
