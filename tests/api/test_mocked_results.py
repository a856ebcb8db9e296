"""Mocked results against the models of the services that they stand for."""

from __future__ import annotations

import pytest

from gateway.api.mocked_results import answer_of, check_result
from gateway.errors import ApiError


def resource(name):
    """The Resource of an integration."""
    return f"arn:aws:states:::{name}"


def said(name, result, mode="STRICT"):
    """What is wrong with the result; empty where nothing is."""
    answer = answer_of(resource(name))
    assert answer is not None, "the model is known"
    try:
        check_result(answer, result, mode)
    except ApiError as error:
        return error.message.removeprefix("Mock result schema validation error: ")
    return ""


START = {"ExecutionArn": "e", "StartDate": "2026-01-01"}


@pytest.mark.parametrize(
    ("name", "result", "expected"),
    [
        ("events:putEvents", [1], "The result must be an object"),
        (
            "events:putEvents",
            {"FailedEntryCount": "1"},
            "Field 'FailedEntryCount' must be an integer",
        ),
        (
            "events:putEvents",
            {"FailedEntryCount": 1.5},
            "Field 'FailedEntryCount' must be an integer",
        ),
        (
            "events:putEvents",
            {"FailedEntryCount": True},
            "Field 'FailedEntryCount' must be an integer",
        ),
        ("events:putEvents", {"Entries": {}}, "Field 'Entries' must be an array"),
        ("events:putEvents", {"Entries": [1]}, "Field 'Entries' must be an object"),
        ("events:putEvents", {"Entries": [{"EventId": 1}]}, "Field 'EventId' must be a string"),
        ("dynamodb:getItem", {"Item": []}, "Field 'Item' must be an object"),
        ("dynamodb:getItem", {"Item": {"a": {"N": 5}}}, "Field 'N' must be a string"),
        ("dynamodb:getItem", {"Item": {"a": {"BOOL": "x"}}}, "Field 'BOOL' must be a boolean"),
        ("aws-sdk:kms:encrypt", {"CiphertextBlob": 1}, "Field 'CiphertextBlob' must be a string"),
        (
            "aws-sdk:kms:encrypt",
            {"CiphertextBlob": "a" * 6145},
            "Field 'CiphertextBlob' exceeds the maximum length",
        ),
        (
            "aws-sdk:kms:encrypt",
            {"EncryptionAlgorithm": "ROT13"},
            "Field 'EncryptionAlgorithm' must be one of [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, "
            "RSAES_OAEP_SHA_256, SM2PKE]",
        ),
        ("states:startExecution", {"ExecutionArn": "e"}, "Required field 'StartDate' is missing"),
        ("states:startExecution", {**START, "StartDate": 5}, "Field 'StartDate' must be a string"),
        ("aws-sdk:sfn:startExecution", {}, "Required field 'ExecutionArn' is missing"),
        (
            "aws-sdk:sqs:sendMessage",
            {"Md5OfMessageBody": 1},
            "Field 'Md5OfMessageBody' must be a string",
        ),
        ("sqs:sendMessage", {"MD5OfMessageBody": 1}, "Field 'MD5OfMessageBody' must be a string"),
    ],
)
def test_a_result_that_the_service_cannot_give_is_refused(name, result, expected):
    """The first mistake is told, by the name of the innermost member, as AWS tells it."""
    assert said(name, result) == expected


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("events:putEvents", {"Entries": [], "SdkHttpMetadata": {"HttpStatusCode": 200}}),
        ("events:putEvents", {"Entries": None}),
        ("lambda:invoke", {"Payload": {"any": ["thing"]}, "StatusCode": 200}),
        ("states:startExecution", START),
        ("dynamodb:putItem", {"ConsumedCapacity": {"CapacityUnits": 1}}),
        ("aws-sdk:cloudwatchlogs:describeLogGroups", {"LogGroups": [{"StoredBytes": 1}]}),
    ],
)
def test_a_result_that_the_service_can_give_is_taken(name, result):
    """With members that the model does not know, and with a document as a function's Payload."""
    assert said(name, result) == ""


def test_what_is_missing_counts_in_strict_mode_only():
    """PRESENT looks at what is there."""
    assert said("states:startExecution", {}, "PRESENT") == ""
    wrong = said("states:startExecution", {"StartDate": 5}, "PRESENT")
    assert wrong == "Field 'StartDate' must be a string"


@pytest.mark.parametrize("sync", ["sync", "sync:2"])
def test_a_nested_execution_has_the_result_of_its_description(sync):
    """Its times are numbers there, and the Output of ``.sync:2`` is a document."""
    result = {
        "ExecutionArn": "e",
        "StateMachineArn": "m",
        "Status": "SUCCEEDED",
        "StartDate": 1_700_000_000_000,
        "Output": {"a": 1},
    }
    expected = "" if sync == "sync:2" else "Field 'Output' must be a string"
    assert said(f"states:startExecution.{sync}", result) == expected
    wrong = said(f"states:startExecution.{sync}", {**result, "Status": "NONE", "Output": ""})
    assert wrong.startswith("Field 'Status' must be one of [RUNNING")


@pytest.mark.parametrize(
    "name",
    [
        resource("http:invoke"),
        resource("apigateway:invoke"),
        resource("aws-sdk:nosuchservice:doThings"),
        resource("sqs:noSuchAction"),
        resource("..:sendMessage"),
        resource("aws-sdk:..:sendMessage"),
        resource("sqs:sendMessage.waitForTaskToken"),
        resource("ecs:runTask.sync"),
        "arn:aws:lambda:us-east-1:123456789012:function:f",
        "arn:aws:states:us-east-1:123456789012:activity:a",
    ],
)
def test_where_no_model_says_it_any_result_will_do(name):
    """Functions and workers answer what they like, and so do services that are not known."""
    assert answer_of(name) is None
