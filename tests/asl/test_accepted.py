"""Definitions in the shapes that AWS's documents show: each is taken at the door."""

from __future__ import annotations

import orjson
import pytest

from gateway.asl.validation import accepted

TASK = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
CALL = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
PASS = {"Type": "Pass", "End": True}
PROGRAM = {"StartAt": "In", "States": {"In": PASS}}
MAP = {"Type": "Map", "ItemProcessor": PROGRAM, "End": True}


def machine(state, **members):
    """A machine whose first state is this one."""
    return {"StartAt": "A", "States": {"A": state}, **members}


def jsonata(state):
    """The same in JSONata."""
    return machine(state, QueryLanguage="JSONata")


def retried(**members):
    """A task with this entry of Retry."""
    return machine({**TASK, "Retry": [{"ErrorEquals": ["E"], **members}]})


READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW", "MaxItems": 10},
    "Parameters": {"Bucket": "b", "Key": "k"},
}
CHILDREN = {**PROGRAM, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
ACCEPTED = {
    "comments": {**machine({**PASS, "Comment": "c"}), "Comment": "c", "Version": "1.0"},
    "a field that nobody knows": machine({**PASS, "Owner": "me"}),
    "members that mean nothing here": machine({**PASS, "ItemProcessor": 1, "Branches": [PROGRAM]}),
    "timeout from the input": machine({**TASK, "TimeoutSecondsPath": "$.t", "HeartbeatSeconds": 9}),
    "empty Retry and Catch": machine({**TASK, "Retry": [], "Catch": []}),
    "a job that is waited for": machine(
        {
            **TASK,
            "Resource": "arn:aws:states:::batch:submitJob.sync",
            "Parameters": {"JobName": "j", "JobQueue": "q", "JobDefinition": "d"},
            "Credentials": {"RoleArn.$": "$.role"},
        }
    ),
    "any action of an SDK": machine(
        {**TASK, "Resource": "arn:aws:states:::aws-sdk:ec2:stopInstances"}
    ),
    "another partition": machine(
        {**TASK, "Resource": "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:f:PROD"}
    ),
    "all of Retry": retried(
        IntervalSeconds=3, MaxAttempts=0, BackoffRate=1, MaxDelaySeconds=60, JitterStrategy="FULL"
    ),
    "a poller": {
        "StartAt": "Submit",
        "States": {
            "Submit": {**CALL, "ResultPath": "$.guid", "Next": "Wait"},
            "Wait": {"Type": "Wait", "SecondsPath": "$.seconds", "Next": "Get"},
            "Get": {**CALL, "InputPath": "$.guid", "Next": "Done?"},
            "Done?": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.status", "StringEquals": "FAILED", "Next": "Failed"},
                    {
                        "And": [
                            {"Variable": "$.status", "StringMatches": "SUC*"},
                            {"Not": {"Variable": "$.n", "NumericLessThanPath": "$.m"}},
                        ],
                        "Next": "Final",
                    },
                ],
                "Default": "Wait",
            },
            "Failed": {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "States.Format('{}', $.c)"},
            "Final": {"Type": "Succeed"},
        },
    },
    "an old Map": machine(
        {
            "Type": "Map",
            "InputPath": "$.detail",
            "ItemsPath": "$.shipped",
            "MaxConcurrency": 0,
            "Parameters": {"parcel.$": "$$.Map.Item.Value"},
            "Iterator": PROGRAM,
            "ResultPath": "$.detail.shipped",
            "End": True,
        }
    ),
    "an inline Map that tolerates": jsonata(
        {**MAP, "ToleratedFailureCount": "{% $states.input %}"}
    ),
    "a Map over a file": machine(
        {
            **MAP,
            "ItemProcessor": CHILDREN,
            "ItemReader": READER,
            "ItemBatcher": {"MaxItemsPerBatch": 10, "BatchInput": {"day.$": "$.day"}},
            "MaxConcurrency": 1000,
            "ToleratedFailurePercentage": 5,
            "Label": "rows",
            "ResultWriter": {
                "Resource": "arn:aws:states:::s3:putObject",
                "Parameters": {"Bucket": "b", "Prefix": "p"},
            },
        }
    ),
    "JSONata": jsonata(
        {
            **TASK,
            "Arguments": {"FunctionName": "f", "Payload": "{% $states.input.order %}"},
            "Assign": {"total": "{% $sum($states.result.Payload.prices) %}"},
            "Output": "{% $merge([$states.input, {'n': $count($states.result)}]) %}",
            "TimeoutSeconds": "{% 3 * 4 %}",
            "Credentials": {"RoleArn": "{% $role %}"},
            "Catch": [{"ErrorEquals": ["E"], "Next": "A", "Output": "{% $states.errorOutput %}"}],
        }
    ),
    "JSONata of one state": machine(
        {
            "Type": "Choice",
            "QueryLanguage": "JSONata",
            "Choices": [{"Condition": "{% true %}", "Next": "A"}],
        }
    ),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(name):
    """What AWS's own documents show is taken."""
    definition = ACCEPTED[name]
    assert accepted(orjson.dumps(definition).decode()).start_at == definition["StartAt"]
