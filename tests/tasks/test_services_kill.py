"""A daemon that is killed while services work asks each of them again, with the same parameters and
the same client token where there is one."""

from __future__ import annotations

import json
import threading
from collections import defaultdict

import pytest

from gateway.aws.java_names import action_name
from tests.daemon.process import running, write_config
from tests.stand_ins.server import StandIn
from tests.tasks.services_rig import KEYS, AllServices, optimised_calls, task
from tests.tasks.test_tasks_kill import MACHINE, types

pytestmark = pytest.mark.slow

QUERY = {"aws-sdk:athena:startQueryExecution": {"QueryString": "select 1"}}


class Working(AllServices):
    """None answers before the daemon is dead."""

    def __init__(self) -> None:
        super().__init__(self._work)
        self.asked = threading.Semaphore(0)
        self.killed = threading.Event()

    def _work(self, _request):
        self.asked.release()
        self.killed.wait(60)
        return {}


def cut_off(daemon, service, calls):
    """Kill the daemon in the middle of so many calls; the next ones are answered."""
    for _ in range(calls):
        assert service.asked.acquire(timeout=30)
    daemon.process.kill()
    daemon.end()
    service.killed.set()


def test_sigkill_while_services_work(tmp_path):
    """The first call of each optimised action, and of one with a client token, gets no answer. The
    next life's is the same one, the history shows one attempt, and the execution ends once."""
    service = Working()
    with StandIn(service) as stand_in:
        asked = optimised_calls(stand_in.url) | QUERY
        names = {resource.rpartition(":")[2]: resource for resource in asked}
        for name, resource in names.items():
            machine = {"StartAt": "T", "States": {"T": task(resource, asked[resource])}}
            (tmp_path / f"{name}.json").write_text(json.dumps(machine))
        machines = ", ".join(f"{name}: {{ definition: {name}.json }}" for name in names)
        config = write_config(tmp_path, f"machines: {{ {machines} }}\n")
        environment = {**KEYS, "AWS_ENDPOINT_URL": stand_in.url}
        with running(config, environment) as daemon:
            daemon.ready()
            arns = [
                daemon.aws("StartExecution", stateMachineArn=MACHINE + name)["executionArn"]
                for name in names
            ]
            cut_off(daemon, service, len(names))
        with running(config, environment) as daemon:
            daemon.ready()
            for arn in arns:
                daemon.until(lambda arn=arn: status(daemon, arn) == "SUCCEEDED")
                assert types(daemon, arn) == [
                    "ExecutionStarted",
                    "TaskStateEntered",
                    "TaskScheduled",
                    "TaskStarted",
                    "TaskSucceeded",
                    "TaskStateExited",
                    "ExecutionSucceeded",
                ]
            assert daemon.stop() == 0
    bodies = defaultdict(list)
    for request in service.requests:
        bodies[action_name(service.operation(request))].append(request.body)
    assert bodies.keys() == names.keys()
    for first, second in bodies.values():
        assert first == second
    assert len(json.loads(bodies["startQueryExecution"][0])["ClientRequestToken"]) == 36


def status(daemon, arn):
    """An execution's, which has not failed."""
    found = daemon.aws("DescribeExecution", executionArn=arn)["status"]
    assert found in {"RUNNING", "SUCCEEDED"}
    return found


@pytest.mark.parametrize("answers", [0, 1])
def test_sigkill_while_a_message_with_a_token_is_sent(tmp_path, answers):
    """It is sent again with the same token, so that either message answers the task."""
    service = Working()
    with StandIn(service) as stand_in:
        body = {"token.$": "$$.Task.Token"}
        parameters = {"QueueUrl": f"{stand_in.url}/123456789012/inbox", "MessageBody": body}
        asks = task("sqs:sendMessage.waitForTaskToken", parameters)
        (tmp_path / "ask.json").write_text(json.dumps({"StartAt": "T", "States": {"T": asks}}))
        config = write_config(tmp_path, "machines: { ask: { definition: ask.json } }\n")
        environment = {**KEYS, "AWS_ENDPOINT_URL": stand_in.url}
        with running(config, environment) as daemon:
            daemon.ready()
            arn = daemon.aws("StartExecution", stateMachineArn=MACHINE + "ask")["executionArn"]
            cut_off(daemon, service, 1)
        with running(config, environment) as daemon:
            daemon.ready()
            daemon.until(lambda: types(daemon, arn)[-1] == "TaskSubmitted")
            sent = [json.loads(request.body)["MessageBody"] for request in service.requests]
            assert len(sent) == 2
            token = json.loads(sent[answers])["token"]
            daemon.aws("SendTaskSuccess", taskToken=token, output='"yes"')
            assert daemon.aws("DescribeExecution", executionArn=arn)["output"] == '"yes"'
            assert types(daemon, arn).count("TaskStarted") == 1
            assert daemon.stop() == 0
