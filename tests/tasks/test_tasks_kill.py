"""A daemon that is killed in the middle of a call makes it again, under the same key; between a
call and what ends its task it makes none."""

from __future__ import annotations

import json
import threading

import pytest

from tests.daemon.process import running, write_config
from tests.stand_ins.functions import Functions, echo
from tests.stand_ins.server import StandIn

pytestmark = pytest.mark.slow

CALL = """
{"StartAt": "A", "States": {"A": {
  "Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "End": true}}}
"""


ASK = """
{"StartAt": "A", "States": {"A": {
  "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
  "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}}, "End": true}}}
"""
PARENT = """
{"StartAt": "A", "States": {"A": {
  "Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync:2",
  "Parameters": {"StateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:child",
                 "Input.$": "$"}, "End": true}}}
"""
CHILD = """
{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3, "End": true}}}
"""
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:"
KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "thing"}


def test_sigkill_between_a_call_and_its_callback(tmp_path):
    """The function is called once; the token that it was given is good in the next life."""
    functions = Functions(echo)
    config = write_config(tmp_path, "machines: { ask: { definition: ask.asl.json } }\n")
    (tmp_path / "ask.asl.json").write_text(ASK)
    with StandIn(functions) as stand_in:
        keys = {**KEYS, "AWS_ENDPOINT_URL_LAMBDA": stand_in.url}
        with running(config, keys) as daemon:
            daemon.ready()
            started = daemon.aws("StartExecution", stateMachineArn=MACHINE + "ask", name="n")
            arn = started["executionArn"]
            daemon.until(lambda: types(daemon, arn)[-1] == "TaskSubmitted")
            daemon.process.kill()
            daemon.end()
        with running(config, keys) as daemon:
            daemon.ready()
            token = json.loads(functions.invocations[0].payload)["token"]
            daemon.aws("SendTaskSuccess", taskToken=token, output='"yes"')
            assert daemon.aws("DescribeExecution", executionArn=arn)["output"] == '"yes"'
            assert types(daemon, arn).count("TaskSubmitted") == 1
            assert daemon.stop() == 0
    assert len(functions.invocations) == 1


def test_sigkill_while_a_child_is_waited_for(tmp_path):
    """Its end reaches its parent in the next life, and it began once."""
    machines = "child: { definition: child.asl.json }, parent: { definition: p.asl.json }"
    config = write_config(tmp_path, f"machines: {{ {machines} }}\n")
    (tmp_path / "child.asl.json").write_text(CHILD)
    (tmp_path / "p.asl.json").write_text(PARENT)
    with running(config, KEYS) as daemon:
        daemon.ready()
        started = daemon.aws("StartExecution", stateMachineArn=MACHINE + "parent", input="[1]")
        arn = started["executionArn"]
        daemon.until(lambda: types(daemon, arn)[-1] == "TaskSubmitted")
        daemon.process.kill()
        daemon.end()
    with running(config, KEYS) as daemon:
        daemon.ready()
        daemon.until(lambda: types(daemon, arn)[-1] == "ExecutionSucceeded")
        described = daemon.aws("DescribeExecution", executionArn=arn)
        assert json.loads(described["output"])["Output"] == [1]
        children = daemon.aws("ListExecutions", stateMachineArn=MACHINE + "child")["executions"]
        assert [child["status"] for child in children] == ["SUCCEEDED"]
        assert daemon.stop() == 0


def test_sigkill_while_two_wait_for_a_child_that_neither_began(tmp_path):
    """Its end reaches both in the next life, also where it came while nobody was told."""
    machines = "child: { definition: child.asl.json }, parent: { definition: p.asl.json }"
    config = write_config(tmp_path, f"machines: {{ {machines} }}\n")
    (tmp_path / "child.asl.json").write_text(CHILD)
    named = json.loads(PARENT)
    named["States"]["A"]["Parameters"]["Name"] = "one"
    (tmp_path / "p.asl.json").write_text(json.dumps(named))
    with running(config, KEYS) as daemon:
        daemon.ready()
        daemon.aws("StartExecution", stateMachineArn=MACHINE + "child", name="one", input="[1]")
        begun = {"stateMachineArn": MACHINE + "parent", "input": "[1]"}
        parents = [daemon.aws("StartExecution", **begun)["executionArn"] for _ in range(2)]
        for arn in parents:
            daemon.until(lambda arn=arn: types(daemon, arn)[-1] == "TaskSubmitted")
        daemon.process.kill()
        daemon.end()
    with running(config, KEYS) as daemon:
        daemon.ready()
        for arn in parents:
            daemon.until(lambda arn=arn: types(daemon, arn)[-1] == "ExecutionSucceeded")
            described = daemon.aws("DescribeExecution", executionArn=arn)
            assert json.loads(described["output"])["Name"] == "one"
            assert types(daemon, arn).count("TaskSucceeded") == 1
        children = daemon.aws("ListExecutions", stateMachineArn=MACHINE + "child")["executions"]
        assert [child["status"] for child in children] == ["SUCCEEDED"]
        assert daemon.stop() == 0


def types(daemon, arn):
    """The types of an execution's events."""
    events = daemon.aws("GetExecutionHistory", executionArn=arn)["events"]
    return [event["type"] for event in events]


def test_sigkill_in_the_middle_of_a_call(tmp_path):
    """The first call gets no answer, the next life's has the same key, and the history shows one
    attempt."""
    asked = threading.Event()

    def once(invocation):
        if len(functions.invocations) == 1:
            asked.set()
            killed.wait(30)
        return echo(invocation)

    killed = threading.Event()
    functions = Functions(once)
    config = write_config(tmp_path, "machines: { call: { definition: call.asl.json } }\n")
    (tmp_path / "call.asl.json").write_text(CALL)
    with StandIn(functions) as stand_in:
        keys = {
            "AWS_ENDPOINT_URL_LAMBDA": stand_in.url,
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "thing",
        }
        machine = "arn:aws:states:us-east-1:123456789012:stateMachine:call"
        with running(config, keys) as daemon:
            daemon.ready()
            arn = daemon.aws("StartExecution", stateMachineArn=machine, name="n", input='{"a":1}')
            assert asked.wait(30)
            daemon.process.kill()
            daemon.end()
        killed.set()
        with running(config, keys) as daemon:
            daemon.ready()
            arn = arn["executionArn"]
            daemon.until(
                lambda: daemon.aws("DescribeExecution", executionArn=arn)["status"] == "SUCCEEDED"
            )
            events = daemon.aws("GetExecutionHistory", executionArn=arn)["events"]
            assert daemon.stop() == 0
    assert [event["type"] for event in events].count("LambdaFunctionStarted") == 1
    first, second = functions.invocations
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.payload == second.payload == b'{"a":1}'
