"""TestState through plain boto3."""

from __future__ import annotations

import json
import re
from contextlib import closing

import boto3
import httpx
import pytest
import trio
from botocore.exceptions import ClientError

from tests.api.conftest import ROLE
from tests.readme import README

PASS = {"Type": "Pass", "End": True}
TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
INNER = {"StartAt": "I", "States": {"I": PASS}}
PARALLEL = {"Type": "Parallel", "Branches": [INNER], "End": True}
MAP = {"Type": "Map", "ItemProcessor": INNER, "End": True}
DISTRIBUTED = {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
WRITER = {
    "Resource": "arn:aws:states:::s3:putObject",
    "Parameters": {"Bucket": "b", "Prefix": "p"},
}
READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 2},
    "Parameters": {"Bucket": "b", "Key": "k"},
}
RESULT = {"result": '{"Payload": 1}'}


async def tried(api, state, **members):
    """The answer to a test of the state."""
    return await api.call("test_state", definition=json.dumps(state), **members)


async def test_the_smallest_test(api):
    """No role, no input; the level without inspection data."""
    assert await tried(api, PASS) == {"status": "SUCCEEDED", "output": "{}"}


async def test_a_test_says_where_the_state_leads(api):
    """The level with inspection data; what there is not is left out."""
    state = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": 1}, "Next": "Other"}
    answer = await tried(api, state, input='{"n":  1}', inspectionLevel="DEBUG")
    assert answer == {
        "status": "SUCCEEDED",
        "output": '{"a":1}',
        "nextState": "Other",
        "inspectionData": {"input": '{"n":  1}'},
    }


async def test_a_failure_is_an_answer(api):
    """The call succeeds, the state has failed."""
    state = {"Type": "Fail", "Error": "E", "Cause": "c"}
    assert await tried(api, state) == {"status": "FAILED", "error": "E", "cause": "c"}


async def test_a_test_has_an_express_execution_of_its_own(api):
    """Its ARN names machine and execution; the role is the request's. Nothing is left of it."""
    state = {**TASK, "Parameters": {"FunctionName": "f", "Payload.$": "$$"}}
    answer = await tried(api, state, inspectionLevel="TRACE", roleArn=ROLE, mock=RESULT)
    context = json.loads(answer["inspectionData"]["afterParameters"])["Payload"]
    machine, name = context["StateMachine"]["Name"], context["Execution"]["Name"]
    arn = "arn:aws:states:us-east-1:123456789012"
    assert context["Execution"]["Id"] == f"{arn}:express:{machine}:{name}"
    assert context["StateMachine"]["Id"] == f"{arn}:stateMachine:{machine}"
    assert context["Execution"]["RoleArn"] == ROLE
    assert (await api.call("list_state_machines"))["stateMachines"] == []


@pytest.mark.parametrize("name", ["Outer", "I"])
async def test_a_state_of_a_machine_is_tested_by_its_name(api, name):
    """One inside a branch as well, and in the machine's query language."""
    outer = {"Type": "Parallel", "Branches": [INNER], "Next": "End"}
    machine = {
        "QueryLanguage": "JSONata",
        "StartAt": "Outer",
        "States": {"Outer": outer, "End": {"Type": "Succeed"}},
    }
    mock = {"mock": {"result": "[1]"}} if name == "Outer" else {}
    answer = await tried(api, machine, stateName=name, inspectionLevel="TRACE", **mock)
    assert answer["status"] == "SUCCEEDED"
    assert answer["inspectionData"] == {"input": "{}"}
    assert answer.get("nextState") == ("End" if name == "Outer" else None)


async def test_the_items_of_a_reader_are_given(api):
    """As the text that the reader would find, in the format that it says."""
    state = {
        "Type": "Map",
        "ItemProcessor": DISTRIBUTED,
        "ItemReader": READER,
        "ItemSelector": {"n.$": "$$.Map.Item.Value.n"},
        "End": True,
    }
    given = {
        "inspectionLevel": "DEBUG",
        "mock": {"result": "[]"},
        "stateConfiguration": {"mapItemReaderData": "n,m\n1,x\n2,y\n3,z\n"},
    }
    data = (await tried(api, state, **given))["inspectionData"]
    assert data["afterItemSelector"] == '[{"n":"1"},{"n":"2"}]'
    given["stateConfiguration"]["mapItemReaderData"] = "n,n\n"
    answer = await tried(api, state, **given)
    assert (answer["status"], answer["error"]) == ("FAILED", "States.ItemReaderFailed")


async def test_a_listing_is_given_as_json(api):
    """Its reader says no format."""
    reader = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b"}}
    state = {
        "Type": "Map",
        "ItemProcessor": DISTRIBUTED,
        "ItemReader": reader,
        "ItemBatcher": {"MaxItemsPerBatch": 5},
        "End": True,
    }
    answer = await tried(
        api,
        state,
        inspectionLevel="DEBUG",
        mock={"result": "[]"},
        stateConfiguration={"mapItemReaderData": '[{"Key": "a"}, {"Key": "b"}]'},
    )
    batches = json.loads(answer["inspectionData"]["afterItemBatcher"])
    assert batches == [{"Items": [{"Key": "a"}, {"Key": "b"}]}]


async def test_failed_iterations_and_retries_are_configured(api):
    """The threshold of a Map, and how often a retrier has been used."""
    state = {
        **MAP,
        "ItemProcessor": DISTRIBUTED,
        "ItemsPath": "$.l",
        "ToleratedFailureCount": 1,
        "Retry": [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"]}],
    }
    answer = await tried(
        api,
        state,
        input='{"l": [1, 2, 3]}',
        mock={"result": "[1, 2, 3]"},
        stateConfiguration={"mapIterationFailureCount": 2, "retrierRetryCount": 2},
        inspectionLevel="DEBUG",
    )
    assert answer["status"] == "RETRIABLE"
    details = {"retryIndex": 0, "retryBackoffIntervalSeconds": 4}
    assert answer["inspectionData"]["errorDetails"] == details


def refused(code, said, state, **members):
    """A case: what is refused, with what."""
    return pytest.param(code, said, state, members, id=said[:50])


WITHOUT_MOCK = "when a mock is not specified"
CALLBACK = {**TASK, "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"}
WORK = {**TASK, "Resource": "arn:aws:states:us-east-1:123456789012:activity:work"}


@pytest.mark.parametrize(
    ("code", "said", "state", "members"),
    [
        refused("InvalidExecutionInput", "Invalid State Machine Execution Input", PASS, input="x"),
        refused("InvalidArn", "Invalid Role Arn: 'x'", PASS, roleArn="x"),
        refused("InvalidDefinition", "SCHEMA_VALIDATION_FAILED", {"Type": "Nope"}),
        refused("InvalidDefinition", "not a valid resource ARN", {**TASK, "Resource": "f"}),
        refused("InvalidDefinition", "say which of its states in 'stateName'", INNER),
        refused("InvalidDefinition", "does not support Map or Parallel", MAP),
        refused("InvalidDefinition", "does not support Activity", WORK),
        refused("InvalidDefinition", "'.waitForTaskToken'", CALLBACK),
        refused("ValidationException", "State not found", INNER, stateName="J"),
        refused("ValidationException", f"Context {WITHOUT_MOCK}", PASS, context="{}"),
        refused(
            "ValidationException",
            f"RetrierRetryCount {WITHOUT_MOCK}",
            PASS,
            stateConfiguration={"retrierRetryCount": 1},
        ),
        refused("ValidationException", "State type 'Pass' is not supported", PASS, mock=RESULT),
        refused("ValidationException", "should have one of", TASK, mock={}),
        refused(
            "ValidationException",
            "should have only one of",
            TASK,
            mock={**RESULT, "errorOutput": {"error": "E"}},
        ),
        refused("ValidationException", "the field 'error'", TASK, mock={"errorOutput": {}}),
        refused("ValidationException", "must be valid JSON", TASK, mock={"result": "x"}),
        refused("ValidationException", "RevealSecrets", TASK, mock=RESULT, revealSecrets=True),
        refused("ValidationException", "must be an array", PARALLEL, mock={"result": "{}"}),
        refused("ValidationException", "same number of items", PARALLEL, mock={"result": "[]"}),
        refused("ValidationException", "must be an array", MAP, mock={"result": "1"}),
        refused(
            "ValidationException",
            "must be a JSON object",
            {**MAP, "ItemProcessor": DISTRIBUTED, "ResultWriter": WRITER},
            mock={"result": "[]"},
        ),
        refused(
            "ValidationException",
            "schema validation error: Field 'StatusCode' must be an integer",
            TASK,
            mock={"result": '{"StatusCode": "x"}'},
        ),
        refused("ValidationException", "Variables must be", PASS, variables="[]"),
        refused("ValidationException", "Context object must", TASK, mock=RESULT, context="x"),
        refused(
            "ValidationException",
            "'State' must be a JSON object",
            TASK,
            mock=RESULT,
            context='{"State": 1}',
        ),
        refused(
            "ValidationException",
            "Context object contains 'Task'",
            TASK,
            mock=RESULT,
            context='{"Task": {"Token": "t"}}',
        ),
        refused(
            "ValidationException",
            "no state 'J' inside",
            MAP,
            mock={"errorOutput": {"error": "E"}},
            stateConfiguration={"errorCausedByState": "J"},
        ),
        refused(
            "ValidationException",
            "MapIterationFailureCount is supported for Map",
            TASK,
            mock=RESULT,
            stateConfiguration={"mapIterationFailureCount": 1},
        ),
        refused(
            "ValidationException",
            "MapItemReaderData is supported",
            MAP,
            mock={"result": "[]"},
            stateConfiguration={"mapItemReaderData": "[]"},
        ),
    ],
)
async def test_what_cannot_be_tested_is_refused(api, code, said, state, members):
    """With the error that AWS has for it, before anything is done."""
    with pytest.raises(ClientError) as error:
        await tried(api, state, **members)
    found = error.value.response["Error"]
    assert (found["Code"], said in found["Message"]) == (code, True), found["Message"]


async def test_a_result_need_not_be_checked(api):
    """NONE lets everything through that is JSON."""
    mock = {"result": '{"StatusCode": "x"}', "fieldValidationMode": "NONE"}
    assert (await tried(api, TASK, mock=mock))["output"] == '{"StatusCode": "x"}'


async def test_a_task_may_wait_for_its_token_in_a_test(api):
    """With a mock, and the token that the context has, or one that is made up."""
    state = {**CALLBACK, "Parameters": {"MessageBody.$": "$$.Task.Token"}}
    answer = await tried(
        api,
        state,
        mock={"result": '"done"'},
        context='{"Task": {"Token": "t"}}',
        inspectionLevel="DEBUG",
    )
    assert answer["output"] == '"done"'
    assert answer["inspectionData"]["afterParameters"] == '{"MessageBody":"t"}'
    made = await tried(api, state, mock={"result": '"done"'}, inspectionLevel="DEBUG")
    assert len(json.loads(made["inspectionData"]["afterParameters"])["MessageBody"]) > 20


@pytest.mark.parametrize("host", ["sync-localhost", "sync-states.us-east-1.amazonaws.com", "x"])
async def test_a_test_is_answered_whatever_the_host(api, host):
    """AWS's clients put ``sync-`` before the host of this operation, too."""
    headers = {"host": host, "x-amz-target": "AWSStepFunctions.TestState"}
    async with httpx.AsyncClient() as http:
        answer = await http.post(api.url, json={"definition": json.dumps(PASS)}, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (200, "SUCCEEDED")


async def test_the_environment_switches_the_prefix_off(api, monkeypatch):
    """As the README says, for clients whose code nobody can change."""
    monkeypatch.setenv("AWS_DISABLE_HOST_PREFIX_INJECTION", "true")
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "thing"}

    def ask():
        client = boto3.client(
            "stepfunctions", endpoint_url=api.url, region_name="us-east-1", **keys
        )
        with closing(client):
            return client.test_state(definition=json.dumps(PASS))["status"]

    assert await trio.to_thread.run_sync(ask) == "SUCCEEDED"


async def test_the_example_holds(api, monkeypatch):
    """The README's test of a single state passes, typed as it stands there."""
    monkeypatch.chdir(README.parent)
    [example] = re.findall(
        r"^```python\n(# try_a_state.py.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL
    )
    await trio.to_thread.run_sync(exec, example.replace("http://127.0.0.1:8083", api.url), {})
