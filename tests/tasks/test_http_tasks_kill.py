"""SIGKILL of the daemon in the middle of an HTTP task: what becomes of the call is as the
connection says."""

from __future__ import annotations

import json
import threading

import pytest

from tests.daemon.process import running, write_config
from tests.stand_ins.server import Answer, StandIn
from tests.tasks.test_http_functions import Endpoint

pytestmark = pytest.mark.slow


def definition(url):
    """A task that asks there, and is tried again after States.TaskFailed."""
    given = {
        "ApiEndpoint": url,
        "Method": "POST",
        "Authentication": {
            "ConnectionArn": "arn:aws:events:us-east-1:123456789012:connection/shop/1"
        },
    }
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::http:invoke",
        "Parameters": given,
        "Retry": [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "End": True,
    }
    return json.dumps({"StartAt": "A", "States": {"A": task}})


@pytest.mark.parametrize("interrupted", ["again", "fail"])
def test_sigkill_in_the_middle_of_an_http_task(tmp_path, interrupted):
    """Asked again under the same key within the same attempt; or States.TaskFailed, and Retry asks
    under another one."""
    asked, killed = threading.Event(), threading.Event()

    def answer(_request):
        if len(endpoint.requests) == 1:
            asked.set()
            killed.wait(60)
        return Answer(200, b'"done"', (("Content-Type", "application/json"),))

    endpoint = Endpoint(answer)
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:ask"
    with StandIn(endpoint) as stand_in:
        (tmp_path / "ask.asl.json").write_text(definition(stand_in.url))
        config = write_config(
            tmp_path,
            "machines: { ask: { definition: ask.asl.json } }\n"
            f"connections: {{ shop: {{ type: none, allow_private: true, "
            f"interrupted: {interrupted} }} }}\n",
        )
        with running(config) as daemon:
            daemon.ready()
            arn = daemon.aws("StartExecution", stateMachineArn=machine, name="n")["executionArn"]
            assert asked.wait(30)
            daemon.process.kill()
            daemon.end()
        killed.set()
        with running(config) as daemon:
            daemon.ready()
            daemon.until(
                lambda: daemon.aws("DescribeExecution", executionArn=arn)["status"] == "SUCCEEDED"
            )
            events = daemon.aws("GetExecutionHistory", executionArn=arn)["events"]
            assert daemon.stop() == 0
    keys = [request.headers["idempotency-key"] for request in endpoint.requests]
    failed = [event["taskFailedEventDetails"] for event in events if event["type"] == "TaskFailed"]
    assert len(keys) == 2
    if interrupted == "again":
        assert (keys[0] == keys[1], failed) == (True, [])
    else:
        assert (keys[0] == keys[1], [each["error"] for each in failed]) == (
            False,
            ["States.TaskFailed"],
        )
