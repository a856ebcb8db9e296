"""Advice: what AWS accepts and is likely to be a mistake."""

from __future__ import annotations

import pytest

from gateway.asl.advice import advise
from gateway.asl.members import STATES

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
CALLBACK = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
END = {"Type": "Pass", "End": True}
CHOICE = {"Type": "Choice", "Choices": [{"Next": "B"}], "Default": "C"}


def machine(state=None, **more):
    """A machine whose first state is the one to look at."""
    return {"StartAt": "A", "States": {"A": {"End": True, **(state or END)}, **more}}


def task(resource, **more):
    """A task state."""
    return machine({"Type": "Task", "Resource": resource, **more})


TOKEN = {"token.$": "$$.Task.Token"}
RULES = {
    "a misspelt member": (
        task(ACTIVITY, TimeoutSecond=3, HeartbeatSeconds=1),
        [("/States/A/TimeoutSecond", 'did you mean "TimeoutSeconds"?')],
    ),
    "a member of the machine": (
        {**machine(), "Timeout": 3},
        [("/Timeout", 'did you mean "TimeoutSeconds"?')],
    ),
    "a member that is like none": (
        machine({"Type": "Pass", "Zzz": 1}),
        [("/States/A/Zzz", 'use "Comment"')],
    ),
    "a member of another type": (
        machine({"Type": "Wait", "Seconds": 1, "ResultSelector": {}}),
        [("/States/A/ResultSelector", "a Wait state has no such field")],
    ),
    "an entry of Retry": (
        task(ACTIVITY, TimeoutSeconds=1, Retry=[{"ErrorEquals": ["E"], "MaxAttempt": 1}]),
        [("/States/A/Retry[0]/MaxAttempt", 'did you mean "MaxAttempts"?')],
    ),
    "a branch": (
        machine({"Type": "Parallel", "Branches": [{**machine(), "Start": 1}]}),
        [("/States/A/Branches[0]/Start", 'did you mean "StartAt"?')],
    ),
    "named from what nobody reaches": (
        machine(B={**END, "Next": "C"}, C={"Type": "Pass", "Next": "B"}),
        [("/States/B", "no way leads here"), ("/States/C", "no way leads here")],
    ),
    "the same in an iteration": (
        machine(
            {
                "Type": "Map",
                "ItemProcessor": machine(B={"Type": "Pass", "Next": "B"}),
            }
        ),
        [("/States/A/ItemProcessor/States/B", "no way leads here")],
    ),
    "a worker that dies": (task(ACTIVITY), [("/States/A", "its worker dies")]),
    "a callback that never comes": (
        task(CALLBACK, Parameters=TOKEN),
        [("/States/A", "its callback never comes")],
    ),
    "a token that nobody gets": (
        task(CALLBACK, TimeoutSeconds=3, Parameters={"a": 1}),
        [("/States/A", "handed to nobody")],
    ),
    "what stands behind States.ALL": (
        task(
            ACTIVITY,
            TimeoutSeconds=1,
            Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["E"]}],
        ),
        [("/States/A/Retry[0]/ErrorEquals", "never used")],
    ),
    "a path without its suffix": (
        machine({"Type": "Pass", "Parameters": {"a": "$.b", "c.$": "$.d", "e": "$5"}}),
        [("/States/A/Parameters/a", 'did you mean "a.$"?')],
    ),
    "a context path that finds nothing": (
        machine({"Type": "Pass", "Parameters": {"a": [{"b.$": "$$.Executon.Id"}]}}),
        [("/States/A/Parameters/a[0]/b.$", 'did you mean "$$.Execution"?')],
    ),
}


@pytest.mark.parametrize("start", [None, [], {}, 1])
def test_a_start_that_is_no_name(start):
    """What cannot be followed is the diagnostics' matter."""
    assert list(advise({**machine(), "StartAt": start})) == []


@pytest.mark.parametrize(("definition", "expected"), RULES.values(), ids=RULES)
def test_what_is_likely_a_mistake(definition, expected):
    """Each rule finds its mistake, says where it is and what to do, and nothing else."""
    found = list(advise(definition))
    assert [advice.location for advice in found] == [place for place, _ in expected]
    for advice, (_, said) in zip(found, expected, strict=True):
        assert said in advice.message


@pytest.mark.parametrize(
    "definition",
    [
        machine(),
        task(ACTIVITY, HeartbeatSeconds=3),
        task("arn:aws:lambda:us-east-1:123456789012:function:f"),
        task(CALLBACK, TimeoutSecondsPath="$.t", Parameters=TOKEN),
        task(CALLBACK, TimeoutSeconds=1, Arguments={"t": "{% $states.context.Task.Token %}"}),
        machine({"Type": "Pass", "Result": {"a": "$$.Nothing.at.all"}}),
        {"StartAt": "A", "States": {"A": CHOICE, "B": END, "C": END}},
        task(ACTIVITY, TimeoutSeconds=1, Catch=[{"ErrorEquals": ["E"], "Next": "B"}])
        | {"Comment": "caught"},
    ],
)
def test_nothing_is_said_of_what_is_good(definition):
    """What is common and right gives no warning."""
    assert list(advise(definition)) == []


@pytest.mark.parametrize(
    "odd", [None, 1, [], {}, {"States": 1}, {"StartAt": 1, "States": {"A": 1}}]
)
def test_any_json_is_looked_at(odd):
    """A document that is no definition raises nothing."""
    assert all(advice.location != "/States" for advice in advise(odd))
    for name in ("Branches", "ItemProcessor", "Retry", "Catch", "Choices", "Parameters", "Next"):
        for kind in STATES:
            list(advise(machine({"Type": kind, name: odd, "Resource": odd})))
            list(advise(machine({"Type": kind, name: [odd]})))
