"""``gateway.testing.run``: definitions in memory, mocks for tasks, a clock that jumps."""

from __future__ import annotations

import json

import pytest

from gateway.asl.errors import DefinitionError
from gateway.testing import Mocks, MocksError, NoAnswer, TaskFailure, run

TASK = {"Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:work"}
YEAR = 365 * 86_400


def one(state, **more):
    """A machine of one state."""
    return {"StartAt": "A", "States": {"A": {**state, "End": True, **more}}}


def kinds(visit):
    """What happened in a visit."""
    return [note.kind for note in visit.notes]


def test_a_year_passes_at_once():
    """A Wait of a year is over, and the clock has moved on by it."""
    outcome = run(one({"Type": "Wait", "Seconds": YEAR}), {"a": 1})
    assert (outcome.status, outcome.output, outcome.seconds) == ("SUCCEEDED", {"a": 1}, YEAR)
    assert kinds(outcome.visits[0]) == ["waited"]


def test_nothing_runs_for_longer_than_any_execution_may():
    """A Wait of three years ends with the execution, as it does in the daemon."""
    outcome = run(one({"Type": "Wait", "Seconds": 3 * YEAR}))
    assert (outcome.status, outcome.seconds) == ("TIMED_OUT", 366 * 86_400)
    assert outcome.visits[0].outcome == "aborted"


def test_answers_are_taken_in_order():
    """One for each attempt; the last one again and again."""
    states = {
        "A": {**TASK, "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 2}], "Next": "B"},
        "B": {"Type": "Choice", "Choices": [], "Default": "C"},
        "C": {"Type": "Succeed"},
    }
    again = {"Variable": "$", "NumericLessThan": 2, "Next": "A"}
    states["B"]["Choices"] = [again, {"Variable": "$", "NumericEquals": 9, "Next": "A"}]
    mocks = {"A": [{"throw": {"Error": "Busy", "Cause": "full"}}, {"return": 1}, {"return": 3}]}
    outcome = run({"StartAt": "A", "States": states}, mocks=mocks)
    assert outcome.path == ["A", "B", "A", "B", "C"]
    first, second = outcome.visits_of("A")
    assert kinds(first) == ["asked", "threw", "retried", "asked", "returned"]
    assert first.notes[1].details == {"error": "Busy", "cause": "full"}
    assert (second.at_seconds, second.output) == (1, 3)


def test_the_last_answer_repeats():
    """Every attempt after the last answer of the list gets that one."""
    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 2, "BackoffRate": 3}]
    outcome = run(one(TASK, Retry=retry), mocks={"A": {"throw": {"Error": "Busy"}}})
    assert (outcome.status, outcome.error, outcome.seconds) == ("FAILED", "Busy", 4)
    assert kinds(outcome.visits[0]).count("threw") == 3
    assert outcome.visits[0].outcome == "failed"


def test_an_answer_can_come_too_late():
    """A timeout that is over before the answer comes fails the task; heartbeats are sent."""
    late = {"A": {"return": 1, "after_seconds": 90}}
    caught = [{"ErrorEquals": ["States.Timeout"], "Next": "A2"}]
    machine = one(TASK, TimeoutSeconds=60, HeartbeatSeconds=5, Catch=caught)
    machine["States"]["A2"] = {"Type": "Succeed"}
    outcome = run(machine, mocks=late)
    assert (outcome.seconds, outcome.path) == (60, ["A", "A2"])
    assert outcome.visits[0].outcome == "caught"
    machine["States"]["A"]["TimeoutSeconds"] = 91
    assert run(machine, mocks=late).seconds == 90


def test_a_mock_may_be_a_function():
    """It is given the task's input, and raises to fail; iterations say where they belong."""

    def work(given):
        if given == 2:
            raise TaskFailure("Even", "no")
        return given * 10

    caught = [{"ErrorEquals": ["Even"], "ResultPath": "$.why", "Next": "B"}]
    inner = {"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}, "A": {}}}
    inner["States"]["A"] = {**TASK, "Next": "B"}
    inner["StartAt"] = "A"
    machine = one({"Type": "Map", "ItemProcessor": inner}, MaxConcurrency=1)
    machine = json.loads(json.dumps(machine).replace('"A"', '"Each"', 1))
    machine["States"] = {"Each": machine["States"]["A"]}
    outcome = run(machine, [1, 3], {"A": work})
    assert outcome.output == [10, 30]
    assert [v.within for v in outcome.visits_of("A")] == [("Each[0]",), ("Each[1]",)]
    machine["States"]["Each"]["ItemProcessor"]["States"]["A"]["Catch"] = caught
    failed = run(machine, [1, 2], {"A": work})
    assert (failed.status, failed.error) == ("FAILED", "States.ResultPathMatchFailure")


def test_a_task_without_a_mock_is_named():
    """With its state and its input."""
    with pytest.raises(NoAnswer, match="state 'A' asks for a task and has no mock") as missing:
        run(one(TASK), {"x": 1}, {"B": {"return": 1}})
    assert (missing.value.state, missing.value.given) == ("A", {"x": 1})


@pytest.mark.parametrize(
    "mocks",
    [
        {"A": []},
        {"A": 1},
        {"A": {"result": 1}},
        {"A": {"return": 1, "throw": {}}},
        {"A": {"throw": "Busy"}},
        {"A": {"throw": {"Error": 1}}},
        {"A": {"return": 1, "after_seconds": -1}},
        {"A": {"return": 1, "after_seconds": float("nan")}},
        {"A": {"return": 1, "after_seconds": 1e300}},
        {"A": [{"return": 1}, {}]},
    ],
)
def test_mocks_of_another_shape_are_refused(mocks):
    """The message names the state and says what an answer is."""
    with pytest.raises(MocksError, match=r"^A"):
        Mocks(mocks)


LOCAL = {
    "StateMachines": {"M": {"TestCases": {"Slow": {"A": "Busy twice"}, "Odd": {"A": "none"}}}},
    "MockedResponses": {
        "Busy twice": {"0-1": {"Throw": {"Error": "Busy", "Cause": ""}}, "2": {"Return": [7]}}
    },
}


def test_the_mocks_of_step_functions_local():
    """A test case of AWS's own format gives the same answers."""
    machine = one(TASK, Retry=[{"ErrorEquals": ["Busy"]}])
    outcome = run(machine, mocks=Mocks(LOCAL, case="Slow"))
    assert (outcome.output, kinds(outcome.visits[0]).count("threw")) == ([7], 2)


@pytest.mark.parametrize(
    ("config", "case", "said"),
    [
        (LOCAL, None, "test cases Slow, Odd"),
        (LOCAL, "Odd", "no mocked response 'none'"),
        ({"A": {"return": 1}}, "Slow", "only a mock configuration of Step Functions Local"),
    ],
)
def test_a_case_that_is_not_there(config, case, said):
    """What there is, is named."""
    with pytest.raises(MocksError, match=said):
        Mocks(config, case=case)


def test_every_run_is_the_same():
    """Clock and dice begin where they began before; another seed rolls others."""
    machine = one({"Type": "Pass", "Parameters": {"a.$": "States.UUID()", "t.$": "$$.State"}})
    assert run(machine).output == run(machine).output
    assert run(machine).output["a"] != run(machine, seed=1).output["a"]


def test_a_definition_with_problems_is_refused():
    """As the daemon refuses it."""
    with pytest.raises(DefinitionError):
        run({"StartAt": "A", "States": {}})


def test_a_parallel_that_fails_aborts_its_branches():
    """What ran beside the failure is aborted; a timeout of the machine aborts everything."""
    wait = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 99, "End": True}}}
    fail = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "No"}}}
    outcome = run(one({"Type": "Parallel", "Branches": [wait, fail]}))
    found = {visit.state: visit.outcome for visit in outcome.visits}
    assert found == {"A": "failed", "W": "aborted", "F": "failed"}
    timed_out = run({**one({"Type": "Parallel", "Branches": [wait]}), "TimeoutSeconds": 5})
    assert (timed_out.status, timed_out.seconds) == ("TIMED_OUT", 5)
    assert {visit.outcome for visit in timed_out.visits} == {"aborted"}


def test_the_children_of_a_distributed_map_run_in_turn():
    """Their tasks are answered by their states' names; too many failures fail the Map."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, "StartAt": "B", "States": {"B": {**TASK, "End": True}}}
    state = {"Type": "Map", "ItemProcessor": processor}
    answers = {"B": [{"return": 7}, {"throw": {"Error": "Busy"}}, {"return": 8}]}
    outcome = run(one(state, ToleratedFailureCount=1), [1, 2, 3], mocks=answers)
    assert (outcome.status, outcome.output) == ("SUCCEEDED", [7, 8])
    outcome = run(one(state), [1, 2, 3], mocks=answers)
    assert (outcome.status, outcome.error) == ("FAILED", "States.ExceedToleratedFailureThreshold")


def test_whoever_has_the_token_answers_with_the_mock():
    """A task that waits for one is given it, as in the daemon; its mock is the answer by token, and
    one that comes too late is none."""
    ask = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"MessageBody": {"token.$": "$$.Task.Token"}},
        "HeartbeatSeconds": 5,
    }
    given = []
    outcome = run(one(ask), mocks={"A": given.append})
    assert outcome.status == "SUCCEEDED"
    assert len(given[0]["MessageBody"]["token"]) == 39
    late = run(one(ask, TimeoutSeconds=60), mocks={"A": {"return": 1, "after_seconds": 61}})
    assert (late.error, late.seconds) == ("States.Timeout", 60)


def test_a_nested_execution_is_what_its_mock_says():
    """Nothing else is there that could run."""
    begin = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Parameters": {"StateMachineArn": "arn:any"},
    }
    outcome = run(one(begin), mocks={"A": {"return": {"Output": {"b": 1}}}})
    assert outcome.output == {"Output": {"b": 1}}
