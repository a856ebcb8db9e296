"""A daemon that is killed in the middle of a call makes it again, under the same key."""

from __future__ import annotations

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
