"""JSONata in states: what each field sees, how a query fails, and who catches that."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gateway.asl import stimuli
from gateway.asl.definition import parse_definition
from gateway.asl.errors import DefinitionError
from tests.asl.driver import Driver

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
TASK = {"Type": "Task", "Resource": ACTIVITY, "End": True}
PASS = {"Type": "Pass", "End": True}


def machine(**states):
    """The states in the order they are given, all in JSONata."""
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states}


def failed(driver):
    """The details of the only EvaluationFailed."""
    (event,) = [e for e in driver.events() if e["type"] == "EvaluationFailed"]
    return event["evaluationFailedEventDetails"]


def test_a_task_sees_input_result_and_context():
    """Arguments see the input, Output and Assign the result, too; variables are those before."""
    task = {
        **TASK,
        "Arguments": {"n": "{% $states.input.n + $v %}", "list": [1, "{% $states.input.n %}"]},
        "Assign": {"v": "{% $states.result.r %}"},
        "Output": {"v": "{% $v %}", "all": "{% $states.result.r & $states.context.State.Name %}"},
    }
    first = {"Type": "Pass", "Assign": {"v": 2}, "Next": "T"}
    driver = Driver(machine(A=first, T=task), {"n": 40})
    asked = []

    def answer(given):
        asked.append(given.input)
        return stimuli.Succeed(given.number, {"r": "done"})

    execution = driver.run(answer)
    assert asked == [{"n": 42, "list": [1, 40]}]
    assert execution.output == {"v": 2, "all": "doneT"}
    assert execution.frames[0].variables == {"v": "done"}
    assert driver.folded().dump() == execution.dump()


@pytest.mark.parametrize(("own", "caught"), [("{% $states.result %}", False), ("x", True)])
def test_the_error_output_is_the_catchers(own, caught):
    """A catcher sees $states.errorOutput and no result; without an Output, the error goes on."""
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Z"}
    output = "{% $states.errorOutput.Error %}" if caught else own
    task = {**TASK, "Catch": [{**catch, "Output": output}]}
    driver = Driver(machine(T=task, Z=PASS))
    execution = driver.run(lambda t: stimuli.Fail(t.number, "Broken", None))
    if caught:
        assert execution.output == "Broken"
    else:
        assert failed(driver)["location"] == "Catch[0]/Output"
        assert execution.error == "States.QueryEvaluationError"


@pytest.mark.parametrize(
    ("state", "location", "words"),
    [
        ({**TASK, "TimeoutSeconds": "{% 'x' %}"}, "TimeoutSeconds", "'number', but was 'string'"),
        ({**TASK, "HeartbeatSeconds": "{% 0 %}"}, "HeartbeatSeconds", "an integer from 1"),
        ({"Type": "Wait", "Seconds": "{% 1.5 %}", "End": True}, "Seconds", "an integer from 0"),
        ({"Type": "Wait", "Timestamp": "{% 'soon' %}", "End": True}, "Timestamp", "ISO-8601"),
        ({"Type": "Fail", "Error": "{% 1 %}"}, "Error", "Expected 'string', but was 'number'"),
        ({**PASS, "Output": {"a": [0, "{% $no %}"]}}, "Output/a[1]", "nothing (undefined)"),
        ({**PASS, "Assign": {"a": "{% 1 + 'x' %}"}}, "Assign/a", "threw an error"),
        (
            {"Type": "Choice", "Default": "Z", "Choices": [{"Condition": "{% 1 %}", "Next": "Z"}]},
            "Choices[0]/Condition",
            "Expected 'boolean', but was 'number'",
        ),
    ],
)  # fmt: skip
def test_what_a_field_cannot_take_fails_the_state(state, location, words):
    """EvaluationFailed names the field; only a Wait's Timestamp follows the state's own event."""
    states = {"S": state, "Z": PASS} if state["Type"] == "Choice" else {"S": state}
    driver = Driver(machine(**states))
    execution = driver.run()
    assert failed(driver)["location"] == location
    assert failed(driver)["state"] == "S"
    assert words in execution.cause
    (event,) = [e for e in driver.events() if e["type"] == "EvaluationFailed"]
    assert event["previousEventId"] == (2 if location == "Timestamp" else 0)
    assert driver.folded().dump() == execution.dump()


def test_a_failed_evaluation_is_retried_and_caught():
    """Retry and Catch take States.QueryEvaluationError as any other error."""
    rules = {
        "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"], "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}],
    }
    driver = Driver(machine(T={**TASK, "Arguments": "{% $no %}", **rules}, Z=PASS))
    execution = driver.run()
    assert execution.output["Error"] == "States.QueryEvaluationError"
    assert [e["type"] for e in driver.events()].count("EvaluationFailed") == 2


def test_a_map_makes_its_iterations_of_queries():
    """Items may hold queries among other values; ItemSelector sees the item in the context."""
    state = {
        "Type": "Map",
        "Items": ["{% $states.input %}", 2],
        "ItemSelector": "{% $states.context.Map.Item.Value * 10 %}",
        "MaxConcurrency": "{% 1 %}",
        "ItemProcessor": machine(P=PASS) | {"QueryLanguage": "JSONata"},
        "End": True,
    }
    del state["ItemProcessor"]["QueryLanguage"]
    assert Driver(machine(M=state), 1).run().output == [10, 20]


@pytest.mark.parametrize(
    "state",
    [
        {**PASS, "InputPath": "$"},
        {**PASS, "Arguments": 1},
        {**PASS, "Output": "{% $( %}"},
        {**PASS, "Output": "{% 1"},
        {**PASS, "QueryLanguage": "JSONPath"},
    ],
)
def test_refused(state):
    """Members of JSONPath, Arguments where nothing is asked for, and queries that do not parse."""
    with pytest.raises(DefinitionError):
        parse_definition(json.dumps(machine(S=state)))


def test_the_members_of_jsonata_are_refused_in_jsonpath():
    """Output, Arguments, Items and a rule's Condition."""
    rule = {"Condition": True, "Next": "Z"}
    states = [
        {**PASS, "Output": 1},
        {**TASK, "Arguments": 1},
        {"Type": "Choice", "Choices": [rule], "Default": "Z"},
    ]
    for state in states:
        with pytest.raises(DefinitionError, match="not allowed with QueryLanguage 'JSONPath'"):
            parse_definition(json.dumps({"StartAt": "S", "States": {"S": state, "Z": PASS}}))


def test_the_library_leaves_the_process_as_it_is():
    """Its import raises the recursion limit, which guards everything else against deep input."""
    code = (
        "import sys; before = sys.getrecursionlimit()\n"
        "from gateway.asl.jsonata.expression import compile_jsonata\n"
        "compile_jsonata('1 + 1'); assert sys.getrecursionlimit() == before\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("joins", ["Parallel", "Map"])
def test_what_fails_at_once_when_it_is_tried_again_is_not_given_up_as_well(joins):
    """The timer of its Retry has fired: a task whose Arguments fail then waits for nothing, and its
    line of control ends once."""
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    inner = machine(T={**TASK, "Arguments": "{% $states.input.none %}", "Retry": retry})
    del inner["QueryLanguage"]
    inside = {
        "Parallel": {"Branches": [inner]},
        "Map": {"Items": [1], "ItemProcessor": inner},
    }
    driver = Driver(machine(J={"Type": joins, "End": True, **inside[joins]}), {})
    execution = driver.run()
    assert execution.error == "States.QueryEvaluationError"
    types = [event["type"] for event in driver.events()]
    assert types.count("TaskStateAborted") == 1
    assert "MapIterationAborted" not in types
    assert driver.folded().dump() == execution.dump()


def test_what_runs_inside_is_over_before_a_catcher_is_evaluated():
    """Also where the catcher's own Assign fails: its failure follows the siblings' ends."""
    aside = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
    broken = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}
    catch = {"ErrorEquals": ["E"], "Next": "Done", "Assign": {"v": "{% $states.input.none %}"}}
    states = {
        "Both": {"Type": "Parallel", "Branches": [aside, broken], "Catch": [catch], "End": True},
        "Done": {"Type": "Succeed"},
    }
    driver = Driver({"QueryLanguage": "JSONata", "StartAt": "Both", "States": states}, {})
    assert driver.run().error == "States.QueryEvaluationError"
    said = [event["type"] for event in driver.events()]
    assert said[-4:] == [
        "WaitStateAborted",
        "EvaluationFailed",
        "ParallelStateFailed",
        "ExecutionFailed",
    ]
