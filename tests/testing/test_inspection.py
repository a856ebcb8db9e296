"""``Inspection``: one state, entered alone and looked into."""

from __future__ import annotations

import json

import pytest

from gateway.asl.frame import Identity
from gateway.asl.validation import accepted_state
from gateway.testing.inspection import Inspection, Setting
from gateway.testing.mocks import Returned, Thrown
from gateway.testing.verbatim import Verbatim

TASK = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
INNER = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
DISTRIBUTED = {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
JSONATA = {"QueryLanguage": "JSONata"}


def inspect(state, given=None, answer=None, failed=0, **setting):
    """What became of the state."""
    documents = Verbatim()
    identity = Identity("arn:e", "n", "arn:m", "", 0, json.dumps({} if given is None else given))
    wanted = Setting(identity=identity, seed=bytes(16), documents=documents, **setting)
    inspection = Inspection(accepted_state(json.dumps(state)), wanted)
    inspection.begin()
    if inspection.wants_answer:
        assert answer is not None, "the state wants an answer"
        inspection.answer(answer, failed)
    return inspection.inspected()


def shown(state, given=None, answer=None, failed=0, **setting):
    """The members of InspectionData, besides the input, as values."""
    data = inspect(state, given, answer, failed, **setting).data
    assert json.loads(data.pop("input")) == ({} if given is None else given)
    return {name: json.loads(v) if isinstance(v, str) else v for name, v in data.items()}


PATHS = {"InputPath": "$.in", "OutputPath": "$.out"}
IN = {"in": {"a": 1}}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (
            {"Type": "Pass", "InputPath": "$.in", "Parameters": {"b.$": "$.a"}, "End": True},
            {
                "afterInputPath": {"a": 1},
                "afterParameters": {"b": 1},
                "afterResultSelector": {"b": 1},
                "afterResultPath": {"b": 1},
            },
        ),
        (
            {"Type": "Pass", "Result": 5, "ResultPath": "$.out", "End": True},
            {
                "result": 5,
                "afterResultSelector": 5,
                "afterResultPath": {**IN, "out": 5},
            },
        ),
        ({"Type": "Wait", "Seconds": 99_999_999, "End": True}, {"afterInputPath": IN}),
        ({"Type": "Succeed", "InputPath": "$.in"}, {"afterInputPath": {"a": 1}}),
        ({"Type": "Fail", "Error": "E"}, {"afterInputPath": IN}),
        (
            {
                "Type": "Choice",
                "InputPath": "$.in",
                "Choices": [{"Variable": "$.a", "IsPresent": True, "Next": "N"}],
            },
            {"afterInputPath": {"a": 1}},
        ),
        ({"Type": "Pass", **JSONATA, "Output": "{% 1 %}", "End": True}, {}),
        ({"Type": "Wait", **JSONATA, "Seconds": 60, "End": True}, {}),
    ],
)
def test_a_state_shows_what_became_of_its_data(state, expected):
    """Each type shows the steps that AWS shows of it, and no other; a wait is over at once."""
    assert shown(state, IN) == expected


def test_a_task_shows_every_step():
    """In both query languages."""
    state = {
        **TASK,
        "InputPath": "$.in",
        "Parameters": {"b.$": "$.a"},
        "ResultSelector": {"id.$": "$.MessageId"},
        "ResultPath": "$.sent",
        "OutputPath": "$.sent.id",
    }
    result = {"MessageId": "m"}
    assert shown(state, IN, Returned(result)) == {
        "afterInputPath": {"a": 1},
        "afterParameters": {"b": 1},
        "result": result,
        "afterResultSelector": {"id": "m"},
        "afterResultPath": {**IN, "sent": {"id": "m"}},
    }
    assert inspect(state, IN, Returned(result)).output == '"m"'
    jsonata = {**TASK, **JSONATA, "Arguments": {"b": "{% $states.input.in.a %}"}, "Output": 1}
    found = shown(jsonata, IN, Returned(result))
    assert found == {"afterArguments": {"b": 1}, "result": result}


def test_what_comes_after_a_failure_is_not_shown():
    """A path that leads nowhere ends the way through the state, and the state."""
    state = {**TASK, "Parameters": {"b.$": "$.a"}}
    found = inspect(state, IN)
    assert (found.status, found.error) == ("FAILED", "States.Runtime")
    assert "'$.a' specified for the field 'b.$'" in (found.cause or "")
    assert "executing the state 'StateName' (entered at the event id #2)" in (found.cause or "")
    assert shown(state, IN) == {"afterInputPath": IN}


@pytest.mark.parametrize(
    ("retries", "status", "details"),
    [
        (0, "RETRIABLE", {"retryIndex": 1, "retryBackoffIntervalSeconds": 2}),
        (2, "RETRIABLE", {"retryIndex": 1, "retryBackoffIntervalSeconds": 18}),
        (3, "CAUGHT_ERROR", {"retryIndex": 1, "catchIndex": 1}),
    ],
)
def test_a_failure_is_tried_again_then_caught(retries, status, details):
    """The details say which entries of Retry and Catch took it, and how long it would wait."""
    state = {
        **TASK,
        "Retry": [
            {"ErrorEquals": ["Other"]},
            {"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "BackoffRate": 3},
        ],
        "Catch": [
            {"ErrorEquals": ["Other"], "Next": "O"},
            {"ErrorEquals": ["States.ALL"], "Next": "C", "ResultPath": "$.error"},
        ],
    }
    found = inspect(state, IN, Thrown("Busy", "full"), retries=retries)
    assert (found.status, found.error, found.cause) == (status, "Busy", "full")
    assert found.data["errorDetails"] == details
    caught = status == "CAUGHT_ERROR"
    assert found.next == ("C" if caught else None)
    output = {**IN, "error": {"Error": "Busy", "Cause": "full"}}
    assert json.loads(found.output or "null") == (output if caught else None)


def test_a_catch_that_fails_catches_nothing():
    """The failure of its ResultPath is the state's."""
    catch = {"ErrorEquals": ["States.ALL"], "Next": "C", "ResultPath": "$.in.a.b"}
    found = inspect({**TASK, "Catch": [catch]}, IN, Thrown("Busy", None))
    assert (found.status, found.error) == ("FAILED", "States.ResultPathMatchFailure")


def test_a_runtime_error_is_nobodys():
    """No Retry and no Catch takes States.Runtime, so none is named."""
    state = {**TASK, "Retry": [{"ErrorEquals": ["States.ALL"]}]}
    found = inspect(state, IN, Thrown("States.Runtime", None))
    assert (found.status, found.data.keys() & {"errorDetails"}) == ("FAILED", set())


def test_branches_are_not_run():
    """A Parallel's answer stands for all of them."""
    other = {"StartAt": "J", "States": {"J": {"Type": "Pass", "End": True}}}
    state = {"Type": "Parallel", "Branches": [INNER, other], "ResultPath": "$.out", "End": True}
    answer = Returned([1, 2])
    assert shown(state, IN, answer) == {
        "afterResultSelector": [1, 2],
        "afterResultPath": {**IN, "out": [1, 2]},
    }
    failed = inspect(state, IN, Thrown("E", "c"))
    assert (failed.status, failed.error, failed.cause) == ("FAILED", "E", "c")


ITEMS = {"list": ["a", "b"]}


@pytest.mark.parametrize("processor", [INNER, DISTRIBUTED])
def test_a_map_shows_what_its_iterations_are_given(processor):
    """Items, and what ItemSelector makes of each of them."""
    state = {
        "Type": "Map",
        "ItemsPath": "$.list",
        "ItemProcessor": processor,
        "ItemSelector": {"n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"},
        "MaxConcurrency": 3,
        "ResultPath": None,
        "End": True,
    }
    assert shown(state, ITEMS, Returned([1, 2])) == {
        "afterInputPath": ITEMS,
        "afterItemsPath": ["a", "b"],
        "afterItemSelector": [{"n": 0, "v": "a"}, {"n": 1, "v": "b"}],
        "maxConcurrency": 3,
        "afterResultSelector": [1, 2],
        "afterResultPath": ITEMS,
    }


def test_a_distributed_map_shows_its_batches_and_limits():
    """What ItemBatcher gives to each child, in JSONata as well."""
    state = {
        "Type": "Map",
        **JSONATA,
        "Items": "{% $states.input.list %}",
        "ItemProcessor": DISTRIBUTED,
        "ItemBatcher": {"MaxItemsPerBatch": 1, "BatchInput": {"x": 1}},
        "ToleratedFailurePercentage": "{% 12.5 %}",
        "End": True,
    }
    assert shown(state, ITEMS, Returned([1, 2])) == {
        "afterItemBatcher": [
            {"BatchInput": {"x": 1}, "Items": ["a"]},
            {"BatchInput": {"x": 1}, "Items": ["b"]},
        ],
        "maxConcurrency": 0,
        "toleratedFailurePercentage": 12.5,
    }


def test_items_come_from_a_reader():
    """Where the setting has what it would read; the pointer's items are shown."""
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/rows"},
        "Parameters": {"Bucket": "b", "Key": "k"},
    }
    state = {"Type": "Map", "ItemProcessor": DISTRIBUTED, "ItemReader": reader, "End": True}

    def read(config):
        assert config["parameters"] == {"Bucket": "b", "Key": "k"}
        return [1, 2, 3]

    found = shown(state, ITEMS, Returned([]), read=read)
    assert found["afterItemsPointer"] == [1, 2, 3]
    assert "afterItemsPointer" not in shown(state, ITEMS, Returned([]))


@pytest.mark.parametrize(
    ("limits", "failed", "status"),
    [
        ({}, 2, "SUCCEEDED"),
        ({"ToleratedFailureCount": 0}, 0, "SUCCEEDED"),
        ({"ToleratedFailureCount": 0}, 1, "FAILED"),
        ({"ToleratedFailureCount": 2}, 2, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 50}, 1, "SUCCEEDED"),
        ({"ToleratedFailurePercentage": 49}, 1, "FAILED"),
    ],
)
def test_iterations_may_fail_as_often_as_is_tolerated(limits, failed, status):
    """Above the threshold the state fails; AWS looks at a threshold only where there is one."""
    state = {"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": DISTRIBUTED, "End": True}
    found = inspect({**state, **limits}, ITEMS, Returned([1, 2]), failed)
    assert found.status == status
    error = None if status == "SUCCEEDED" else "States.ExceedToleratedFailureThreshold"
    assert found.error == error


def test_a_large_item_selector_is_cut_short():
    """What it makes of each of many items is looked at only as far as an answer has room."""
    state = {
        "Type": "Map",
        "ItemsPath": "$.list",
        "ItemProcessor": INNER,
        "ItemSelector": {"all.$": "$"},
        "End": True,
    }
    given = {"list": [1] * 20_000}
    found = shown(state, given, Returned([]))
    assert 0 < len(found["afterItemSelector"]) < 20


def test_variables_are_seen_and_shown():
    """Those that were given and those that the state assigns; without any there is no member."""
    state = {"Type": "Pass", "Parameters": {"s.$": "$old"}, "Assign": {"new": 2}, "End": True}
    found = inspect(state, variables={"old": 1})
    assert json.loads(found.output or "") == {"s": 1}
    assert json.loads(found.data["variables"]) == {"old": 1, "new": 2}
    assert "variables" not in inspect({"Type": "Pass", "End": True}).data


def test_the_context_object_is_given_or_made_up():
    """One that is given is what ``$$`` shows; of the item of a Map, whatever was given."""
    state = {**TASK, "Parameters": {"c.$": "$$"}}
    made = shown(state, answer=Returned(1), retries=2)["afterParameters"]["c"]
    assert made == {
        "Execution": {
            "Id": "arn:e",
            "Input": {},
            "Name": "n",
            "RoleArn": None,
            "StartTime": "1970-01-01T00:00:00.000Z",
        },
        "State": {
            "EnteredTime": "1970-01-01T00:00:00.000Z",
            "Name": "StateName",
            "RetryCount": 2,
        },
        "StateMachine": {"Id": "arn:m", "Name": "m"},
    }
    given = shown(state, answer=Returned(1), context={"Mine": 1})["afterParameters"]["c"]
    assert given == {"Mine": 1}
    items = {"Type": "Map", "ItemsPath": "$.list", "ItemProcessor": INNER, "End": True}
    items["ItemSelector"] = {"c.$": "$$"}
    found = shown(items, ITEMS, Returned([]), context={"Mine": 1})
    assert found["afterItemSelector"][1] == {
        "c": {"Mine": 1, "Map": {"Item": {"Index": 1, "Value": "b"}}}
    }
