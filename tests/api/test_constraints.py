"""Requests are checked from the shapes of the service model, in AWS's words."""

from __future__ import annotations

import pytest

from gateway.api.model import step_functions_model
from gateway.errors import ApiError

MODEL = step_functions_model()
ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:m"


def refusal(operation, request):
    """The error with which the request is refused."""
    with pytest.raises(ApiError) as refused:
        MODEL.check(operation, request)
    return refused.value


def one(rest):
    """The message of a single violation."""
    return f"1 validation error detected: {rest}"


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        (
            "ListStateMachines",
            {"maxResults": 1001},
            "Value '1001' at 'maxResults' failed to satisfy constraint: "
            "Member must have value less than or equal to 1000",
        ),
        (
            "ListStateMachines",
            {"maxResults": -1},
            "Value '-1' at 'maxResults' failed to satisfy constraint: "
            "Member must have value greater than or equal to 0",
        ),
        (
            "ListStateMachines",
            {"nextToken": "x" * 1025},
            f"Value '{'x' * 1025}' at 'nextToken' failed to satisfy constraint: "
            "Member must have length less than or equal to 1024",
        ),
        (
            "StartExecution",
            {},
            "Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null",
        ),
        (
            "StartExecution",
            {"stateMachineArn": ""},
            "Value '' at 'stateMachineArn' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
        (
            "StartExecution",
            {"stateMachineArn": ARN, "traceHeader": "ü"},
            "Value 'ü' at 'traceHeader' failed to satisfy constraint: "
            "Member must satisfy regular expression pattern: \\p{ASCII}*",
        ),
        (
            "ListExecutions",
            {"statusFilter": "DONE"},
            "Value 'DONE' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum "
            "value set: [RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, PENDING_REDRIVE]",
        ),
        (
            "TagResource",
            {"resourceArn": ARN, "tags": [{"key": "ok"}, {"key": ""}]},
            "Value '' at 'tags.2.member.key' failed to satisfy constraint: "
            "Member must have length greater than or equal to 1",
        ),
    ],
)
def test_a_violation_is_told_as_aws_does(operation, request_, message):
    """ValidationException names the value, its place and the constraint."""
    error = refusal(operation, request_)
    assert (error.code, error.message) == ("ValidationException", one(message))


def test_all_violations_are_collected():
    """Each one is in the message, with their number."""
    error = refusal("CreateStateMachine", {"name": "x" * 81, "type": "SLOW"})
    assert error.message.startswith("4 validation errors detected: Value 'xxx")
    assert error.message.count("failed to satisfy constraint") == 4
    assert "Value null at 'definition'" in error.message


def test_a_sensitive_value_is_not_shown():
    """What the model calls sensitive does not come back in a message."""
    error = refusal("SendTaskHeartbeat", {"taskToken": "s" * 2049})
    assert "Value at 'taskToken' failed" in error.message
    assert "sss" not in error.message


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("StartExecution", [], "START_ARRAY can not be converted to Structure"),
        ("StartExecution", None, "NULL_VALUE can not be converted to Structure"),
        ("StartExecution", {"stateMachineArn": 1}, "NUMBER_VALUE can not be converted to String"),
        ("StartExecution", {"stateMachineArn": {}}, "START_OBJECT can not be converted to String"),
        ("ListActivities", {"maxResults": "1"}, "STRING_VALUE can not be converted to Integer"),
        ("ListActivities", {"maxResults": 1.5}, "NUMBER_VALUE can not be converted to Integer"),
        ("ListActivities", {"maxResults": True}, "TRUE_VALUE can not be converted to Integer"),
        ("GetExecutionHistory", {"reverseOrder": 1}, "NUMBER_VALUE can not be converted to Boole"),
        ("CreateActivity", {"name": "a", "tags": {}}, "START_OBJECT can not be converted to List"),
    ],
)
def test_a_wrong_json_type_cannot_be_deserialised(operation, request_, message):
    """SerializationException names what came and what was wanted."""
    error = refusal(operation, request_)
    assert error.code == "SerializationException"
    assert error.message.startswith(message)


def test_nulls_and_unknown_members_do_no_harm():
    """A null member is an absent one, and so is one that the model does not know; in lists and in
    structures as well."""
    request = {"stateMachineArn": ARN, "name": None, "newMember": [1]}
    assert MODEL.check("StartExecution", request) == {"stateMachineArn": ARN}
    logs = {"destinations": [{"cloudWatchLogsLogGroup": None, "new": 1}], "level": None}
    update = {"stateMachineArn": ARN, "loggingConfiguration": logs}
    assert MODEL.check("UpdateStateMachine", update) == {
        "stateMachineArn": ARN,
        "loggingConfiguration": {"destinations": [{}]},
    }


def test_timestamps_go_out_in_seconds():
    """Milliseconds inside, seconds with a fraction on the wire, at any depth; all else stays."""
    started = {"id": 1, "timestamp": 1_700_000_000_123, "type": "ExecutionStarted"}
    details = {"executionStartedEventDetails": {"input": "{}"}}
    wire = MODEL.serialise("GetExecutionHistory", {"events": [{**started, **details}]})
    assert wire == {"events": [{**started, **details, "timestamp": 1_700_000_000.123}]}
    assert MODEL.serialise("StopExecution", {"stopDate": 1_500}) == {"stopDate": 1.5}
    assert MODEL.serialise("DeleteActivity", {}) == {}


@pytest.mark.parametrize("wrong", [[], {"a": 1}, 5, "x", [[]], [None]])
def test_a_wrong_type_inside_is_told_before_a_wrong_size(wrong):
    """What says that a list is too long shows all of it, so its items have to be what they should
    be."""
    items = [wrong, wrong, wrong]
    request = {"name": "a", "routingConfiguration": items}
    if wrong == {"a": 1}:
        assert refusal("CreateStateMachineAlias", request).code == "ValidationException"
    else:
        assert refusal("CreateStateMachineAlias", request).code == "SerializationException"
