"""Tasks that are over when somebody says so who has their token."""

from __future__ import annotations

import pytest

from gateway.asl import stimuli
from gateway.asl.frame import Task, Timer
from gateway.asl.resources import called, pattern
from gateway.asl.tokens import token_hash
from gateway.engine.tokens import read_token
from tests.asl.driver import Driver

QUEUE = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
ASK = {
    "Type": "Task",
    "Resource": QUEUE,
    "Parameters": {"token.$": "$$.Task.Token", "given.$": "$"},
    "End": True,
}


def driver(**changes) -> Driver:
    """An execution of one such task."""
    return Driver({"StartAt": "Ask", "States": {"Ask": ASK | changes}}, {"a": 1})


def called_task(run: Driver) -> Task:
    """The task, handed out as the engine does it: under the token that it was made with."""
    (task,) = (e for e in run.execution.effects.values() if isinstance(e, Task))
    run.give(stimuli.HandOut(task.number, None, task.token_hash))
    return run.execution.task(task.number)


def words(run: Driver) -> list[str]:
    """The types of its events from the task's on."""
    return [event["type"] for event in run.events()[2:]]


def test_the_arguments_may_hold_the_token():
    """It is known before the call, names its task, and its hash is what an answer must have."""
    run = driver()
    run.give(stimuli.Start())
    task = called_task(run)
    token = task.input["token"]
    assert read_token(token)[1:] == (task.number, task.token_hash)
    assert task.token_hash == token_hash(token)
    assert task.input["given"] == {"a": 1}


def test_jsonata_sees_it_in_the_context():
    """As $states.context.Task.Token, also on the way out."""
    changes = {
        "QueryLanguage": "JSONata",
        "Arguments": {"token": "{% $states.context.Task.Token %}"},
        "Output": "{% $states.context.Task.Token %}",
    }
    state = {k: v for k, v in ASK.items() if k != "Parameters"} | changes
    run = Driver({"StartAt": "Ask", "States": {"Ask": state}}, {})
    run.give(stimuli.Start())
    task = called_task(run)
    run.give(stimuli.Submit(task.number, {}))
    run.give(stimuli.Succeed(task.number, 1, task.token_hash))
    assert run.execution.output == task.input["token"]


def test_the_answer_to_the_call_is_submitted_and_the_token_ends_the_task():
    """AWS's events of both; the result is what was sent with the token."""
    run = driver()
    run.give(stimuli.Start())
    task = called_task(run)
    run.give(stimuli.Submit(task.number, {"MessageId": "m"}))
    assert run.execution.status == "RUNNING"
    run.give(stimuli.Succeed(task.number, "done", task.token_hash))
    assert run.execution.output == "done"
    ended = ["TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]
    assert words(run) == ["TaskScheduled", "TaskStarted", "TaskSubmitted", *ended]
    told = run.events()[4]
    assert told["previousEventId"] == 4
    assert told["taskSubmittedEventDetails"] == {
        "resourceType": "sqs",
        "resource": "sendMessage.waitForTaskToken",
        "output": '{"MessageId":"m"}',
        "outputDetails": {"truncated": False},
    }
    assert run.folded().dump() == run.execution.dump()


def test_an_answer_before_the_call_has_returned_counts():
    """What the call says then changes nothing."""
    run = driver()
    run.give(stimuli.Start())
    task = called_task(run)
    run.give(stimuli.Succeed(task.number, 1, task.token_hash))
    assert run.execution.status == "SUCCEEDED"
    assert run.give(stimuli.Submit(task.number, {})) == []


def test_a_call_is_answered_once():
    """The same answer again leaves no second event."""
    run = driver()
    run.give(stimuli.Start())
    task = called_task(run)
    run.give(stimuli.Submit(task.number, {}))
    assert run.give(stimuli.Submit(task.number, {})) == []


def test_a_call_that_fails_fails_the_task():
    """Retry calls again, under another token; the first one answers nothing any more."""
    run = driver(Retry=[{"ErrorEquals": ["States.ALL"]}])
    run.give(stimuli.Start())
    first = called_task(run)
    run.give(stimuli.Fail(first.number, "SQS.SdkClientException", "no"))
    run.give(run.next_stimulus(None))
    second = called_task(run)
    assert first.token_hash != second.token_hash
    assert run.give(stimuli.Succeed(first.number, 1, first.token_hash)) == []
    assert run.give(stimuli.Succeed(second.number, 1, first.token_hash)) == []
    run.give(stimuli.Succeed(second.number, 1, second.token_hash))
    assert run.execution.status == "SUCCEEDED"


def test_an_answer_to_the_call_that_is_too_large_fails_the_task():
    """As a result does."""
    run = driver()
    run.give(stimuli.Start())
    run.give(stimuli.Submit(called_task(run).number, "x" * 263_000))
    assert run.execution.error == "States.DataLimitExceeded"


@pytest.mark.parametrize("how", ["TimeoutSeconds", "HeartbeatSeconds"])
def test_both_clocks_run_from_the_call(how):
    """Time without an answer, or without a heartbeat, is over after that many seconds."""
    run = driver(**{how: 5})
    run.give(stimuli.Start())
    assert not any(isinstance(e, Timer) for e in run.execution.effects.values())
    run.at += 60_000
    called = run.at
    run.give(stimuli.Submit(called_task(run).number, {}))
    run.give(run.next_stimulus(None))
    assert run.at == called + 5000
    assert words(run)[-2:] == ["TaskTimedOut", "ExecutionFailed"]


def test_no_heartbeat_is_expected_of_what_nobody_can_send_one_for():
    """The call of a request and its response, or of what is waited for, sends none."""
    for resource in ("arn:aws:states:::sqs:sendMessage", "arn:aws:states:::states:start.sync"):
        run = driver(Resource=resource, HeartbeatSeconds=5, Parameters={})
        run.give(stimuli.Start())
        called_task(run)
        assert not any(isinstance(e, Timer) for e in run.execution.effects.values())


def test_there_is_no_token_where_the_task_waits_for_none():
    """The path leads nowhere in a state beside it, also after one with a token."""
    after = {"Type": "Pass", "Parameters": {"t.$": "$$.Task.Token"}, "End": True}
    ask = {**ASK, "Next": "After"}
    del ask["End"]
    run = Driver({"StartAt": "Ask", "States": {"Ask": ask, "After": after}}, {})
    run.give(stimuli.Start())
    task = called_task(run)
    run.give(stimuli.Succeed(task.number, {}, task.token_hash))
    assert run.execution.error == "States.Runtime"
    assert "$$.Task.Token" in run.execution.cause


@pytest.mark.parametrize(
    ("resource", "ends", "calls"),
    [
        (QUEUE, ".waitForTaskToken", "arn:aws:states:::sqs:sendMessage"),
        ("arn:aws:states:::states:startExecution.sync", ".sync", None),
        ("arn:aws:states:::states:startExecution.sync:2", ".sync:2", None),
        ("arn:aws:states:::states:startExecution", "", None),
        ("arn:aws:states:us-east-1:123456789012:activity:my.sync", "", None),
        ("arn:aws:lambda:us-east-1:123456789012:function:f", "", None),
    ],
)
def test_how_a_resource_ends_says_how_its_task_ends(resource, ends, calls):
    """Only that of an integration; what is called has no word of tokens."""
    assert pattern(resource) == ends
    assert called(resource) == (calls or resource)
