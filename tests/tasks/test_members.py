"""What becomes of documents on their way to a service and back, by botocore's own models."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO

import pytest
from botocore.session import Session

from gateway.tasks.members import Unfit, to_document, to_parameters
from gateway.tasks.sdk import VERSION_1, VERSION_2


def shape(service, operation, output=False):
    """What an operation takes or gives."""
    model = Session().get_service_model(service).operation_model(operation)
    return model.output_shape if output else model.input_shape


@pytest.mark.parametrize(
    ("service", "operation", "given", "taken"),
    [
        (
            "stepfunctions",
            "StartExecution",
            {"StateMachineArn": "a", "Input": {"k": [1]}},
            {"stateMachineArn": "a", "input": '{"k":[1]}'},
        ),
        (
            "s3",
            "PutObject",
            {"Bucket": "b", "Key": 7, "Body": {"a": 1}},
            {"Bucket": "b", "Key": "7", "Body": b'{"a":1}'},
        ),
        ("rds", "StartDBCluster", {"DbClusterIdentifier": "x"}, {"DBClusterIdentifier": "x"}),
        ("rds", "StartDBCluster", {"DBClusterIdentifier": "x"}, {"DBClusterIdentifier": "x"}),
        (
            "sqs",
            "ReceiveMessage",
            {"QueueUrl": "u", "MaxNumberOfMessages": "3"},
            {"QueueUrl": "u", "MaxNumberOfMessages": 3},
        ),
        ("sqs", "ReceiveMessage", {"QueueUrl": "u", "WaitTimeSeconds": None}, {"QueueUrl": "u"}),
        (
            "dynamodb",
            "PutItem",
            {"TableName": "t", "Item": {"a": {"L": [{"Bool": True}, {"Nul": True}]}}},
            {"TableName": "t", "Item": {"a": {"L": [{"BOOL": True}, {"NULL": True}]}}},
        ),
        (
            "cloudwatch",
            "PutMetricData",
            {
                "Namespace": "n",
                "MetricData": [
                    {"MetricName": "m", "Value": "1.5", "Timestamp": "2024-01-02T03:04:05Z"}
                ],
            },
            {
                "Namespace": "n",
                "MetricData": [
                    {
                        "MetricName": "m",
                        "Value": 1.5,
                        "Timestamp": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
                    },
                ],
            },
        ),
    ],
)
def test_parameters(service, operation, given, taken):
    """Names and kinds become the model's; null is nothing."""
    assert to_parameters(shape(service, operation), given, VERSION_2) == taken


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"queueUrl": "u"}, "The field 'queueUrl' is not supported by Step Functions"),
        ({}, "The field 'QueueUrl' is required but was missing"),
        ({"QueueUrl": "u", "WaitTimeSeconds": True}, "'WaitTimeSeconds' must be an integer"),
        ({"QueueUrl": "u", "WaitTimeSeconds": "x"}, "'WaitTimeSeconds' must be an integer"),
        ({"QueueUrl": "u", "AttributeNames": "All"}, "'AttributeNames' must be an array"),
        (["u"], "The parameters must be an object"),
    ],
)
def test_what_does_not_fit(given, said):
    """All that is wrong is told, in AWS's words where they are known."""
    with pytest.raises(Unfit, match=said):
        to_parameters(shape("sqs", "ReceiveMessage"), given, VERSION_2)


def test_bytes_of_version_1_are_base64():
    """Both ways; of version 2 they are text wherever they are text."""
    given = {"TableName": "t", "Key": {"k": {"B": "AP8="}}}
    taken = to_parameters(shape("dynamodb", "GetItem"), given, VERSION_1)
    assert taken["Key"] == {"k": {"B": b"\x00\xff"}}
    output = shape("dynamodb", "GetItem", output=True)
    assert to_document(output, {"Item": {"k": {"B": b"hi"}}}, VERSION_1) == {
        "Item": {"k": {"B": "aGk="}}
    }
    assert to_document(output, {"Item": {"k": {"B": b"hi"}}}, VERSION_2) == {
        "Item": {"k": {"B": "hi"}}
    }


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC), "2024-01-02T03:04:05Z"),
        (datetime(2024, 1, 2, 3, 4, 5, 120_000, tzinfo=UTC), "2024-01-02T03:04:05.120Z"),
        (datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2024-01-02T03:04:05.000006Z"),
        (datetime(2024, 1, 2, 3, tzinfo=timezone(timedelta(hours=3))), "2024-01-02T00:00:00Z"),
    ],
)
def test_moments(moment, text):
    """As Java writes an Instant."""
    output = shape("s3", "GetObject", output=True)
    assert to_document(output, {"LastModified": moment}, VERSION_2) == {"LastModified": text}


def test_answers():
    """Members have the SDK's names, streams are read, and what the model does not know is left
    out."""
    output = shape("s3", "GetObject", output=True)
    answer = {
        "ETag": "e",
        "Body": BytesIO(b"\xff"),
        "Metadata": {"a-B": "c"},
        "ResponseMetadata": {},
    }
    shown = {"ETag": "e", "Body": "/w==", "Metadata": {"a-B": "c"}}
    assert to_document(output, answer, VERSION_2) == shown
    output = shape("rds", "DescribeDBInstances", output=True)
    answer = {"DBInstances": [{"DBInstanceStatus": "available"}]}
    assert to_document(output, answer, VERSION_2) == {
        "DbInstances": [{"DbInstanceStatus": "available"}]
    }
