"""``aws-sdk:<service>:<action>`` against real servers: services of each of AWS's protocols."""

from __future__ import annotations

import json

import pytest
import trio

from tests.stand_ins.server import Fault, Refusal, StandIn
from tests.tasks.services_rig import JsonService, engine_at, failure, run, task

pytestmark = pytest.mark.slow

BY_KEY = {"TableName": "scores", "Key": {"id": {"S": "p1"}}}


async def test_json_protocol(moto, clients, monkeypatch):
    """What was put into a table comes back, under AWS's names."""
    item = {"id": {"S": "p1"}, "won": {"Bool": True}, "levels": {"Ss": ["a", "b"]}}
    put = task("aws-sdk:dynamodb:putItem", {"TableName": "scores", "Item": item})
    get = task("aws-sdk:dynamodb:getItem", BY_KEY)
    async with engine_at(moto, monkeypatch) as engine:
        ended = await run(engine, put, get)
    assert ended.output["Item"] == item
    assert "ResponseMetadata" not in ended.output
    scheduled = next(event for event in ended.events if event["type"] == "TaskScheduled")
    details = scheduled["taskScheduledEventDetails"]
    assert (details["resourceType"], details["resource"]) == ("aws-sdk:dynamodb", "putItem")


@pytest.mark.parametrize(
    ("body", "kept", "shown"),
    [
        ("text", b"text", "text"),
        ({"level": 3}, b'{"level":3}', '{"level":3}'),
        ("", b"", ""),
    ],
)
async def test_rest_and_xml(moto, clients, monkeypatch, body, kept, shown):
    """An object is stored as what was given, an object of JSON as its text; and read again."""
    place = {"Bucket": "reports", "Key": "a/b c.json"}
    put = task("aws-sdk:s3:putObject", {**place, "Body": body}, ResultPath=None)
    get = task("aws-sdk:s3:getObject", place)
    async with engine_at(moto, monkeypatch) as engine:
        output = (await run(engine, put, get)).output
    assert clients("s3").get_object(**place)["Body"].read() == kept
    assert output["Body"] == shown
    assert output["ContentLength"] == len(kept)
    assert output["LastModified"].endswith("Z")
    assert output["ETag"].startswith('"')


async def test_query_protocol(moto, clients, monkeypatch):
    """CloudWatch takes a metric, and RDS answers under the names of the SDK for Java."""
    metric = {"MetricName": "Finished", "Value": 1, "Unit": "Count"}
    put = task("aws-sdk:cloudwatch:putMetricData", {"Namespace": "Game", "MetricData": [metric]})
    find = task("aws-sdk:rds:describeDBInstances", {})
    async with engine_at(moto, monkeypatch) as engine:
        ended = await run(engine, put, find)
    assert ended.output == {"DbInstances": []}
    (found,) = clients("cloudwatch").list_metrics(Namespace="Game")["Metrics"]
    assert found["MetricName"] == "Finished"


@pytest.mark.parametrize(
    ("resource", "parameters", "member", "value"),
    [
        ("s3:headBucket", {"Bucket": "reports"}, "BucketRegion", "us-east-1"),
        ("s3:deleteObject", {"Bucket": "reports", "Key": "none"}, "DeleteMarker", None),
        ("lambda:listFunctions", {}, "Functions", []),
        ("route53:listHostedZones", {}, "IsTruncated", False),
        ("sts:getCallerIdentity", {}, "Account", "123456789012"),
        ("secretsmanager:listSecrets", {}, "SecretList", []),
    ],
)
async def test_every_kind_of_answer(
    moto, clients, monkeypatch, resource, parameters, member, value
):
    """HEAD, an answer without a body, REST with JSON and with XML, a form's XML, JSON."""
    async with engine_at(moto, monkeypatch) as engine:
        output = (await run(engine, task(f"aws-sdk:{resource}", parameters))).output
    assert output.get(member) == value


async def test_step_functions_is_this_engine(moto, monkeypatch):
    """``sfn`` starts and describes executions here, although every other service is elsewhere."""
    async with engine_at(moto, monkeypatch) as engine:
        text = json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}})
        row, _ = await engine.catalog.create_machine("child", text)
        given = {"StateMachineArn": row.arn, "Name": "one", "Input": {"k": "v"}}
        start = task("aws-sdk:sfn:startExecution", given)
        describe = task("aws-sdk:sfn:describeExecution", {"ExecutionArn.$": "$.ExecutionArn"})
        output = (await run(engine, start, describe)).output
        wrong = task("aws-sdk:sfn:sendTaskSuccess", {"TaskToken": "none", "Output": "{}"})
        error, cause = await failure(engine, wrong)
    assert (output["Name"], output["Input"], output["Status"]) == ("one", '{"k":"v"}', "SUCCEEDED")
    assert error == "Sfn.InvalidTokenException"
    assert cause.startswith("Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, ")


@pytest.mark.parametrize(
    ("resource", "parameters", "error", "said"),
    [
        (
            "dynamodb:getItem",
            {"TableName": "none", "Key": {"id": {"S": "1"}}},
            "DynamoDb.ResourceNotFoundException",
            "Service: DynamoDb, Status Code: 400",
        ),
        (
            "dynamodb:putItem",
            {
                "TableName": "scores",
                "Item": {"id": {"S": "x"}},
                "ConditionExpression": "attribute_exists(id)",
            },
            "DynamoDb.ConditionalCheckFailedException",
            "The conditional request failed",
        ),
        (
            "dynamodb:putItem",
            {"TableName": "scores", "Item": {"no": {"S": "x"}}},
            "DynamoDb.DynamoDbException",
            "",
        ),
        (
            "s3:getObject",
            {"Bucket": "reports", "Key": "none"},
            "S3.NoSuchKeyException",
            "Status Code: 404",
        ),
        (
            "s3:listObjectsV2",
            {"Bucket": "no-such"},
            "S3.NoSuchBucketException",
            "Extended Request ID: ",
        ),
        (
            "sqs:getQueueUrl",
            {"QueueName": "none"},
            "Sqs.QueueDoesNotExistException",
            "Service: Sqs",
        ),
        (
            "rds:stopDBInstance",
            {"DbInstanceIdentifier": "x"},
            "Rds.DbInstanceNotFoundException",
            "",
        ),
        (
            "secretsmanager:getSecretValue",
            {"SecretId": "x"},
            "SecretsManager.ResourceNotFoundException",
            "",
        ),
        ("iam:getRole", {"RoleName": "x"}, "Iam.NoSuchEntityException", "Status Code: 404"),
    ],
)
async def test_refusals(moto, clients, monkeypatch, resource, parameters, error, said):
    """An error of the model has its name, every other one the service's general name; Catch takes
    it."""
    async with engine_at(moto, monkeypatch) as engine:
        found, cause = await failure(engine, task(f"aws-sdk:{resource}", parameters))
    assert found == error
    assert said in cause
    assert cause.endswith("(SDK Attempt Count: 1)")


@pytest.mark.parametrize(
    ("resource", "parameters", "said"),
    [
        ("sqs:sendMessage", {"QueueUrl": "u", "Body": "x"}, "The field 'Body' is not supported"),
        (
            "sqs:sendMessage",
            {"QueueUrl": "u"},
            "The field 'MessageBody' is required but was missing",
        ),
        ("sqs:sendMesage", {}, "no action sendMesage of aws-sdk:sqs; did you mean"),
        ("dynamo:getItem", {}, "no service dynamo for aws-sdk; did you mean"),
        ("kinesis:subscribeToShard", {}, "stream of events"),
    ],
)
async def test_what_is_never_sent(moto, monkeypatch, resource, parameters, said):
    """Parameters that the service does not have, and services that there are not, end the
    execution."""
    async with engine_at(moto, monkeypatch) as engine:
        error, cause = await failure(engine, task(f"aws-sdk:{resource}", parameters))
    assert error == "States.Runtime"
    assert said in cause


async def test_a_client_token_is_the_key_of_the_attempt(monkeypatch):
    """Where the service takes one, all calls of an attempt have the same, another attempt's
    differs, and one that is given stays."""
    service = JsonService(lambda _: {"QueryExecutionId": "q"})
    with StandIn(service) as stand_in:
        start = task("aws-sdk:athena:startQueryExecution", {"QueryString": "select 1"})
        own = {"QueryString": "select 1", "ClientRequestToken": "mine"}
        stand_in.plan = lambda _operation, number: Fault.LOST if number == 1 else None
        async with engine_at(stand_in.url, monkeypatch) as engine:
            await run(engine, start, start, task("aws-sdk:athena:startQueryExecution", own))
    tokens = [json.loads(request.body)["ClientRequestToken"] for request in service.requests]
    first, again, second, given = tokens
    assert first == again != second
    assert len(first) == 36
    assert given == "mine"


@pytest.mark.parametrize(
    "wrong",
    [
        Fault.RESET, Fault.LOST, Fault.HALF, Fault.NO_HTTP,
        Refusal("ThrottlingException"), Refusal("InternalServerError", 500), Refusal("X", 503),
    ],
)  # fmt: skip
async def test_what_passes_is_asked_again(monkeypatch, wrong):
    """As the SDKs do: a broken connection, a throttled call, and trouble of the service's own."""
    with StandIn(JsonService(lambda _: {"Item": {}})) as stand_in:
        stand_in.plan = lambda _operation, number: wrong if number <= 2 else None
        async with engine_at(stand_in.url, monkeypatch) as engine:
            ended = await run(engine, task("aws-sdk:dynamodb:getItem", BY_KEY))
    assert ended.output == {"Item": {}}
    assert stand_in.calls["GetItem"] == 3
    assert ended.types.count("TaskScheduled") == 1


@pytest.mark.parametrize(
    ("wrong", "calls", "error"),
    [
        (Refusal("ResourceNotFoundException"), 1, "DynamoDb.ResourceNotFoundException"),
        (Refusal("Strange", 400), 1, "DynamoDb.DynamoDbException"),
        (Refusal("Strange", 500), 3, "DynamoDb.DynamoDbException"),
        (Fault.RESET, 3, "DynamoDb.SdkClientException"),
        (Fault.GARBAGE, 1, "DynamoDb.SdkClientException"),
    ],
)
async def test_what_does_not_pass_is_the_tasks_error(monkeypatch, wrong, calls, error):
    """What was asked in vain is told to Retry, which asks anew."""
    retry = [{"ErrorEquals": [error], "MaxAttempts": 1, "IntervalSeconds": 1}]
    with StandIn(JsonService(lambda _: {})) as stand_in:
        stand_in.plan = lambda _operation, number: wrong if number <= calls else None
        async with engine_at(stand_in.url, monkeypatch) as engine:
            ended = await run(engine, task("aws-sdk:dynamodb:getItem", BY_KEY, Retry=retry))
    assert ended.output == {}
    assert stand_in.calls["GetItem"] == calls + 1
    (failed,) = (event for event in ended.events if event["type"] == "TaskFailed")
    assert failed["taskFailedEventDetails"]["error"] == error


async def test_a_call_ends_with_its_task(monkeypatch):
    """TimeoutSeconds cuts a call that nobody answers; the next one has a connection of its own."""
    retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1, "IntervalSeconds": 1}]
    state = task("aws-sdk:dynamodb:getItem", BY_KEY, TimeoutSeconds=4, Retry=retry)
    with StandIn(JsonService(lambda _: {})) as stand_in:
        stand_in.plan = lambda _operation, number: Fault.HANG if number == 1 else None
        async with engine_at(stand_in.url, monkeypatch) as engine:
            ended = await run(engine, state)
    assert ended.output == {}
    assert stand_in.calls["GetItem"] == 2


async def test_without_credentials_it_is_the_clients_error(moto, monkeypatch):
    """Nothing is sent, and the cause says what is missing."""
    async with engine_at(moto, monkeypatch) as engine:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with trio.fail_after(30):
            error, cause = await failure(engine, task("aws-sdk:dynamodb:listTables", {}))
    assert error == "DynamoDb.SdkClientException"
    assert "Unable to locate credentials" in cause
