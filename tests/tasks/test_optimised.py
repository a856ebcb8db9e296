"""The services that AWS integrates by themselves, against real servers."""

from __future__ import annotations

import json

import pytest

from gateway.engine.express import ExpressStart
from gateway.tasks.protocol import TaskRequest
from tests.engine.rig import machine
from tests.stand_ins.server import Fault, Refusal, StandIn
from tests.tasks.services_rig import (
    AllServices,
    JsonService,
    engine_at,
    failure,
    optimised_calls,
    run,
    task,
)

pytestmark = pytest.mark.slow

KEY = {"id": {"S": "o1"}}
ENTRY = {"Detail": {"a": 1}, "DetailType": "t", "Source": "shop"}


def messages(sqs, url):
    """The bodies that wait in a queue."""
    return [m["Body"] for m in sqs.receive_message(QueueUrl=url).get("Messages", ())]


@pytest.mark.parametrize(
    ("body", "sent"), [("hello", "hello"), ({"a": [1, "é"]}, '{"a":[1,"é"]}'), (7, "7")]
)
async def test_a_message_to_a_queue(moto, clients, monkeypatch, body, sent):
    """An object is sent as its text; the result is the answer, and how it came."""
    sqs = clients("sqs")
    url = sqs.create_queue(QueueName="inbox")["QueueUrl"]
    attributes = {"kind": {"DataType": "String", "StringValue": "greeting"}}
    parameters = {"QueueUrl": url, "MessageBody": body, "MessageAttributes": attributes}
    async with engine_at(moto, monkeypatch) as engine:
        output = (await run(engine, task("sqs:sendMessage", parameters))).output
    assert messages(sqs, url) == [sent]
    assert {"MessageId", "MD5OfMessageBody", "SdkResponseMetadata"} <= output.keys()
    metadata = output["SdkHttpMetadata"]
    assert metadata["HttpStatusCode"] == 200
    assert metadata["AllHttpHeaders"]["Content-Type"] == ["application/x-amz-json-1.0"]


async def test_a_notification_of_a_topic(moto, clients, monkeypatch):
    """A topic without subscribers takes it."""
    topic = clients("sns").create_topic(Name="news")["TopicArn"]
    parameters = {"TopicArn": topic, "Message": {"text": "x"}, "Subject": "s"}
    async with engine_at(moto, monkeypatch) as engine:
        output = (await run(engine, task("sns:publish", parameters))).output
    assert len(output["MessageId"]) == 36
    assert "ResponseMetadata" not in output


async def test_items_of_a_table(moto, clients, monkeypatch):
    """Each of the four actions; members of values have DynamoDB's own names."""
    at = {"TableName": "scores"}
    item = {**KEY, "won": {"BOOL": True}, "n": {"N": "1"}}
    add = {
        "UpdateExpression": "SET n = n + :one",
        "ExpressionAttributeValues": {":one": {"N": 1}},
        "ReturnValues": "UPDATED_NEW",
    }
    async with engine_at(moto, monkeypatch) as engine:
        put = await run(engine, task("dynamodb:putItem", {**at, "Item": item}))
        update = await run(engine, task("dynamodb:updateItem", {**at, "Key": KEY, **add}))
        got = await run(engine, task("dynamodb:getItem", {**at, "Key": KEY}))
        deleted = await run(engine, task("dynamodb:deleteItem", {**at, "Key": KEY}))
        gone = await run(engine, task("dynamodb:getItem", {**at, "Key": KEY}))
    assert put.output.keys() == deleted.output.keys() == {"SdkHttpMetadata", "SdkResponseMetadata"}
    assert update.output["Attributes"] == {"n": {"N": "2"}}
    assert got.output["Item"] == {**item, "n": {"N": "2"}}
    assert "Item" not in gone.output


async def test_events_on_a_bus(moto, monkeypatch):
    """A detail that is an object becomes its text."""
    async with engine_at(moto, monkeypatch) as engine:
        output = (await run(engine, task("events:putEvents", {"Entries": [ENTRY]}))).output
    assert output["FailedEntryCount"] == 0
    assert len(output["Entries"][0]["EventId"]) == 36


def resources(service):
    """Those of each entry of the call that came."""
    (request,) = service.requests
    return [entry.get("Resources") for entry in json.loads(request.body)["Entries"]]


@pytest.mark.parametrize("own", [None, [], ["a", "b"]])
async def test_an_event_tells_which_execution_has_put_it(monkeypatch, own):
    """Execution and state machine are added to what each entry has of its own; the history shows
    the parameters as they were given."""
    given = {"Entries": [ENTRY, {**ENTRY, "Resources": own}]}
    service = JsonService(lambda _: {"FailedEntryCount": 0})
    with StandIn(service) as stand_in:
        async with engine_at(stand_in.url, monkeypatch) as engine:
            ended = await run(engine, task("events:putEvents", given))
    origin = [ended.row.arn, ended.row.machine_arn]
    assert resources(service) == [origin, [*(own or ()), *origin]]
    (scheduled,) = [e for e in ended.events if e["type"] == "TaskScheduled"]
    assert json.loads(scheduled["taskScheduledEventDetails"]["parameters"]) == given


async def test_an_event_tells_which_express_execution_has_put_it(monkeypatch):
    """Although its rows are in memory only."""
    service = JsonService(lambda _: {"FailedEntryCount": 0})
    with StandIn(service) as stand_in:
        async with engine_at(stand_in.url, monkeypatch) as engine:
            text = machine(S=task("events:putEvents", {"Entries": [ENTRY]}))
            arn = (await engine.catalog.create_machine("quick", text, type="EXPRESS"))[0].arn
            target = engine.catalog.publications.target(arn)
            ended = await engine.start_sync_execution(ExpressStart(target, "n", "{}", None))
    assert ended.status == "SUCCEEDED"
    assert resources(service) == [[ended.arn, arn]]


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
async def test_an_event_tells_which_child_of_a_map_run_has_put_it(monkeypatch, kind):
    """Not the execution that the map run belongs to; the state machine is that of the children."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
        "StartAt": "P",
        "States": {"P": task("events:putEvents", {"Entries": [ENTRY]})},
    }
    state = {"Type": "Map", "Label": "items", "ItemProcessor": processor, "End": True}
    service = JsonService(lambda _: {"FailedEntryCount": 0})
    with StandIn(service) as stand_in:
        async with engine_at(stand_in.url, monkeypatch) as engine:
            ended = await run(engine, state, given=[1])
    assert ended.row.status == "SUCCEEDED"
    ((child, of),) = resources(service)
    assert of == f"{ended.row.machine_arn}/items"
    start = of.replace(":stateMachine:", ":express:" if kind == "EXPRESS" else ":execution:")
    assert child.startswith(f"{start}:")


async def test_an_event_of_a_task_that_is_tried_tells_of_no_execution(monkeypatch):
    """There is none, and the entry stays as it was given."""
    service = JsonService(lambda _: {"FailedEntryCount": 0})
    with StandIn(service) as stand_in:
        async with engine_at(stand_in.url, monkeypatch) as engine:
            given = {"Entries": [ENTRY]}
            await engine.try_task(TaskRequest("arn:aws:states:::events:putEvents", given, "k"))
    assert resources(service) == [None]


async def test_an_event_that_the_bus_refuses_fails_the_task(monkeypatch):
    """Although the call itself succeeded; the cause has every entry."""
    bad = {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    answer = {"Entries": [{"EventId": "e"}, bad], "FailedEntryCount": 1}
    with StandIn(JsonService(lambda _: answer)) as stand_in:
        async with engine_at(stand_in.url, monkeypatch) as engine:
            state = task("events:putEvents", {"Entries": [ENTRY, ENTRY]})
            error, cause = await failure(engine, state)
    assert error == "EventBridge.FailedEntry"
    assert json.loads(cause) == answer


@pytest.mark.parametrize(
    ("resource", "parameters", "error", "said"),
    [
        (
            "dynamodb:putItem",
            {"TableName": "scores", "Item": KEY, "ConditionExpression": "attribute_exists(id)"},
            "DynamoDB.ConditionalCheckFailedException",
            "(Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ConditionalCheck",
        ),
        (
            "dynamodb:getItem",
            {"TableName": "none", "Key": KEY},
            "DynamoDB.ResourceNotFoundException",
            "Proxy: null)",
        ),
        (
            "dynamodb:putItem",
            {"TableName": "scores", "Item": {}},
            "DynamoDB.AmazonDynamoDBException",
            "",
        ),
        (
            "sns:publish",
            {"TopicArn": "arn:aws:sns:us-east-1:123456789012:none", "Message": "x"},
            "SNS.NotFoundException",
            "Service: AmazonSNS; Status Code: 404; Error Code: NotFound",
        ),
        (
            "sqs:sendMessage",
            {"QueueUrl": "http://127.0.0.1:1/none", "MessageBody": "x"},
            "SQS.SdkClientException",
            "Unable to execute HTTP request: ",
        ),
    ],
)
async def test_errors(moto, clients, monkeypatch, resource, parameters, error, said):
    """The names and causes of the SDK's version 1; Catch takes them. A queue is asked where its URL
    says."""
    async with engine_at(moto, monkeypatch) as engine:
        found, cause = await failure(engine, task(resource, parameters))
    assert found == error
    assert said in cause


async def test_no_such_queue(moto, monkeypatch):
    """The error of the model, by the code of SQS's older protocol, too."""
    async with engine_at(moto, monkeypatch) as engine:
        url = f"{moto}/123456789012/none"
        state = task("sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})
        error, cause = await failure(engine, state)
    assert error == "SQS.QueueDoesNotExistException"
    assert "Error Code: AWS.SimpleQueueService.NonExistentQueue;" in cause


async def test_retry_asks_anew(monkeypatch):
    """After the service's own troubles, which the SDK's own attempts have met before."""
    trouble = Refusal("InternalFailure", 500)
    retry = [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    with StandIn(JsonService(lambda _: {"Item": KEY})) as stand_in:
        stand_in.plan = lambda _operation, number: trouble if number <= 3 else None
        async with engine_at(stand_in.url, monkeypatch) as engine:
            parameters = {"TableName": "t", "Key": KEY}
            ended = await run(engine, task("dynamodb:getItem", parameters, Retry=retry))
    assert ended.output["Item"] == KEY
    assert stand_in.calls["GetItem"] == 4


def branch(action, parameters, retry):
    """One that asks; what is caught is its output."""
    caught = f"not {action}"
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": caught}]
    asks = task(action, parameters, Retry=retry, Catch=catch)
    return {"StartAt": action, "States": {action: asks, caught: {"Type": "Pass", "End": True}}}


async def run_all(engine, url, *retry):
    """An execution with a branch for each action."""
    branches = [branch(*call, retry) for call in optimised_calls(url).items()]
    return await run(engine, {"Type": "Parallel", "Branches": branches, "End": True})


async def test_retry_asks_each_anew(monkeypatch):
    """After connections that broke for as long as the SDK itself has asked."""
    service = AllServices(lambda _: {})
    with StandIn(service) as stand_in:
        stand_in.plan = lambda _operation, number: Fault.RESET if number <= 3 else None
        async with engine_at(stand_in.url, monkeypatch) as engine:
            retry = {"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 1, "IntervalSeconds": 1}
            ended = await run_all(engine, stand_in.url, retry)
    assert [each["SdkHttpMetadata"]["HttpStatusCode"] for each in ended.output] == [200] * 7
    assert set(stand_in.calls.values()) == {4}
    assert len(stand_in.calls) == len(service.requests) == 7


async def test_catch_takes_that_nobody_answers(monkeypatch):
    """Each says so under the name of its service."""
    with StandIn(AllServices(lambda _: {})) as stand_in:
        stand_in.plan = lambda _operation, _number: Fault.RESET
        async with engine_at(stand_in.url, monkeypatch) as engine:
            ended = await run_all(engine, stand_in.url)
    names = ["SQS", "SNS", *4 * ["DynamoDB"], "EventBridge"]
    assert [each["Error"] for each in ended.output] == [f"{n}.SdkClientException" for n in names]
