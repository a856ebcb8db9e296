"""A daemon that is killed while a service works asks it again, with the same client token."""

from __future__ import annotations

import json
import threading

import pytest

from tests.daemon.process import running, write_config
from tests.stand_ins.server import StandIn
from tests.tasks.services_rig import KEYS, JsonService, task

pytestmark = pytest.mark.slow


def test_sigkill_while_a_service_works(tmp_path):
    """The first call gets no answer; the next life's is the same one, and the history shows one
    attempt."""
    asked, killed = threading.Event(), threading.Event()

    def once(_request):
        if len(service.requests) == 1:
            asked.set()
            killed.wait(30)
        return {"QueryExecutionId": "q"}

    service = JsonService(once)
    query = task("aws-sdk:athena:startQueryExecution", {"QueryString": "select 1"})
    config = write_config(tmp_path, "machines: { ask: { definition: ask.asl.json } }\n")
    (tmp_path / "ask.asl.json").write_text(json.dumps({"StartAt": "Q", "States": {"Q": query}}))
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:ask"
    with StandIn(service) as stand_in:
        environment = {**KEYS, "AWS_ENDPOINT_URL": stand_in.url}
        with running(config, environment) as daemon:
            daemon.ready()
            started = daemon.aws("StartExecution", stateMachineArn=machine, name="n", input="{}")
            assert asked.wait(30)
            daemon.process.kill()
            daemon.end()
        killed.set()
        arn = started["executionArn"]
        with running(config, environment) as daemon:
            daemon.ready()
            daemon.until(
                lambda: daemon.aws("DescribeExecution", executionArn=arn)["status"] == "SUCCEEDED"
            )
            events = daemon.aws("GetExecutionHistory", executionArn=arn)["events"]
            assert daemon.stop() == 0
    assert [event["type"] for event in events].count("TaskStarted") == 1
    first, second = (json.loads(request.body) for request in service.requests)
    assert first == second
    assert len(first["ClientRequestToken"]) == 36
