"""Errors: what Retry and Catch match, in both query languages, and what Fail says."""

from __future__ import annotations

import pytest

from gateway.asl import stimuli
from tests.asl.driver import START, Driver

TASK = {
    "Type": "Task",
    "Resource": "arn:aws:states:us-east-1:123456789012:activity:work",
    "Next": "Z",
}
END = {"Type": "Pass", "End": True}
LANGUAGES = ["JSONPath", "JSONata"]

ORDINARY = [
    "Custom",
    "Lambda.Unknown",
    "States.BranchFailed",
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    "States.ResultPathMatchFailure",
    "States.ResultWriterFailed",
    "States.TaskFailed",
]
MATCHED = {
    **{error: {error, "States.ALL", "States.TaskFailed"} for error in ORDINARY},
    "States.Timeout": {"States.Timeout", "States.ALL"},
    "States.DataLimitExceeded": {"States.DataLimitExceeded"},
    "States.Runtime": set(),
}
"""Each error, and by which names it is matched."""


def machine(state, language="JSONPath"):
    """This state, and Z behind it."""
    return {"StartAt": "A", "QueryLanguage": language, "States": {"A": state, "Z": END}}


def failing(*errors):
    """Answers the task with these errors in turn, then with success."""
    left = list(errors)

    def answer(task):
        if left:
            return stimuli.Fail(task.number, left.pop(0), "why", task.token_hash)
        return stimuli.Succeed(task.number, "done", task.token_hash)

    return answer


def names_for(error):
    """What an ErrorEquals may ask for."""
    return sorted({error, "States.ALL", "States.TaskFailed", "Other"})


CASES = [(error, name) for error in MATCHED for name in names_for(error)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("error", "name"), CASES)
def test_what_catch_matches(error, name, language):
    """States.ALL and States.TaskFailed have their exceptions; States.Runtime is never caught."""
    state = {**TASK, "Catch": [{"ErrorEquals": [name], "Next": "Z"}]}
    execution = Driver(machine(state, language), {}).run(failing(error))
    if name in MATCHED[error]:
        assert (execution.status, execution.output) == (
            "SUCCEEDED",
            {"Error": error, "Cause": "why"},
        )
    else:
        assert (execution.status, execution.error) == ("FAILED", error)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("error", "name"), CASES)
def test_what_retry_matches(error, name, language):
    """The same as Catch."""
    state = {**TASK, "Retry": [{"ErrorEquals": [name], "MaxAttempts": 1}]}
    execution = Driver(machine(state, language), {}).run(failing(error))
    if name in MATCHED[error]:
        assert (execution.output, execution.stop_at) == ("done", START + 1000)
    else:
        assert (execution.error, execution.stop_at) == (error, START)


@pytest.mark.parametrize("language", LANGUAGES)
def test_catch_comes_when_the_retries_are_used_up(language):
    """The first retrier that matches decides, also when it has none left: those behind it are not
    asked."""
    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 2}, {"ErrorEquals": ["States.ALL"]}]
    state = {**TASK, "Retry": retry, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]}
    driver = Driver(machine(state, language), {})
    execution = driver.run(failing(*"AAA"))
    assert execution.output == {"Error": "A", "Cause": "why"}
    assert execution.stop_at == START + (1 + 2) * 1000
    assert driver.folded().dump() == execution.dump()


def test_no_attempts_are_none():
    """MaxAttempts 0: such an error is not tried again, whatever stands behind it."""
    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]
    execution = Driver(machine({**TASK, "Retry": retry}), {}).run(failing("A"))
    assert (execution.error, execution.stop_at) == ("A", START)


@pytest.mark.parametrize("jitter", ["FULL", "NONE"])
def test_a_delay_is_capped(jitter):
    """MaxDelaySeconds bounds what BackoffRate makes of the interval; jitter stays below it."""
    retry = {"ErrorEquals": ["A"], "IntervalSeconds": 60, "BackoffRate": 10, "MaxDelaySeconds": 61}
    state = {**TASK, "Retry": [{**retry, "JitterStrategy": jitter}]}
    execution = Driver(machine(state), {}).run(failing(*"AAA"))
    waited = (execution.stop_at - START) / 1000
    assert waited == 60 + 61 + 61 if jitter == "NONE" else waited < 60 + 61 + 61


@pytest.mark.parametrize("language", LANGUAGES)
def test_retries_are_counted_in_the_context(language):
    """State.RetryCount is there for the attempt that succeeds."""
    query = {
        "JSONPath": {"ResultSelector": {"n.$": "$$.State.RetryCount"}},
        "JSONata": {"Output": {"n": "{% $states.context.State.RetryCount %}"}},
    }
    state = {**TASK, **query[language], "Retry": [{"ErrorEquals": ["States.ALL"]}]}
    assert Driver(machine(state, language), {}).run(failing("A", "B")).output == {"n": 2}


CATCHERS = {
    "JSONPath": {"ResultPath": "$.why", "Assign": {"e.$": "$.Error"}},
    "JSONata": {
        "Output": {"in": 1, "why": "{% $states.errorOutput %}"},
        "Assign": {"e": "{% $states.errorOutput.Error %}"},
    },
}
READS = {
    "JSONPath": {"Parameters": {"d.$": "$", "e.$": "$e"}},
    "JSONata": {"Output": {"d": "{% $states.input %}", "e": "{% $e %}"}},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catcher_shapes_output_and_variables(language):
    """The error output goes where it says, and variables are assigned from it."""
    state = {**TASK, "Catch": [{"ErrorEquals": ["A"], "Next": "Z", **CATCHERS[language]}]}
    given = machine(state, language)
    given["States"]["Z"] = {**END, **READS[language]}
    execution = Driver(given, {"in": 1}).run(failing("A"))
    assert execution.output == {"d": {"in": 1, "why": {"Error": "A", "Cause": "why"}}, "e": "A"}


CATCH = [{"ErrorEquals": ["States.ALL"], "Next": "Z"}]
BRANCH = {"StartAt": "I", "States": {"I": END}}
OWN = {
    "a function that cannot work": (
        {**TASK, "Parameters": {"a.$": "States.MathAdd('x', 1)"}},
        "States.IntrinsicFailure",
        True,
    ),
    "a result that does not fit": (
        {**TASK, "InputPath": "$.a", "ResultPath": "$.a.y"},
        "States.ResultPathMatchFailure",
        True,
    ),
    "a path that leads nowhere": (
        {**TASK, "Parameters": {"a.$": "$.none"}},
        "States.Runtime",
        False,
    ),
    "a timeout that is none": (
        {**TASK, "TimeoutSecondsPath": "$.a"},
        "States.Runtime",
        False,
    ),
    "a query that throws": (
        {**TASK, "QueryLanguage": "JSONata", "Arguments": "{% $error('no') %}"},
        "States.QueryEvaluationError",
        True,
    ),
    "a query that finds nothing": (
        {**TASK, "QueryLanguage": "JSONata", "Arguments": {"x": "{% $states.input.none %}"}},
        "States.QueryEvaluationError",
        True,
    ),
    "items that are none": (
        {"Type": "Map", "ItemsPath": "$.a", "ItemProcessor": BRANCH, "Next": "Z"},
        "States.Runtime",
        False,
    ),
    "no choice inside": (
        {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "C",
                    "States": {
                        "C": {
                            "Type": "Choice",
                            "Choices": [{"Variable": "$.a", "IsNull": True, "Next": "I"}],
                        },
                        "I": END,
                    },
                }
            ],
            "Next": "Z",
        },
        "States.NoChoiceMatched",
        True,
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_errors_of_the_language(name):
    """What a state does wrong itself has AWS's name, and is caught by States.ALL or not at all."""
    state, error, caught = OWN[name]
    execution = Driver(machine({**state, "Catch": CATCH}), {"a": "text"}).run(failing())
    if caught:
        assert (execution.status, execution.output["Error"]) == ("SUCCEEDED", error)
    else:
        assert (execution.status, execution.error) == ("FAILED", error)


FAILS = {
    "constants": ({"Error": "E", "Cause": "C"}, "E", "C"),
    "nothing": ({}, None, None),
    "paths": ({"ErrorPath": "$.e", "CausePath": "$.c"}, "Bad", "worse"),
    "an intrinsic": ({"Error": "E", "CausePath": "States.Format('{}!', $.c)"}, "E", "worse!"),
    "the context": ({"ErrorPath": "$$.State.Name"}, "A", None),
    "queries": (
        {"QueryLanguage": "JSONata", "Error": "{% $states.input.e & '!' %}", "Cause": "as it is"},
        "Bad!",
        "as it is",
    ),
}


@pytest.mark.parametrize("name", FAILS)
def test_what_fail_says(name):
    """Error and Cause, given, found or made."""
    members, error, cause = FAILS[name]
    given = {"StartAt": "A", "States": {"A": {"Type": "Fail", **members}}}
    execution = Driver(given, {"e": "Bad", "c": "worse"}).run()
    assert (execution.status, execution.error, execution.cause) == ("FAILED", error, cause)


WRONG = {
    "not there": ({"ErrorPath": "$.none"}, "States.Runtime", "'ErrorPath'"),
    "no text": ({"CausePath": "$.n"}, "States.Runtime", "is not a string"),
    "a function": ({"CausePath": "States.MathAdd($.e, 1)"}, "States.IntrinsicFailure", "MathAdd"),
    "a query": (
        {"QueryLanguage": "JSONata", "Error": "{% $states.input.n %}"},
        "States.QueryEvaluationError",
        "'Error' returned an unexpected result type",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_fail_cannot_say(name):
    """It fails all the same, for a reason of the language."""
    members, error, said = WRONG[name]
    given = {"StartAt": "A", "States": {"A": {"Type": "Fail", **members}}}
    execution = Driver(given, {"e": "Bad", "n": 1}).run()
    assert (execution.status, execution.error) == ("FAILED", error)
    assert said in execution.cause
