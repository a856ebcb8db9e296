"""A daemon that is killed while services work asks each of them again, with the same parameters and
the same client token where there is one."""

from __future__ import annotations

import json
import threading
from collections import defaultdict

import pytest

from gateway.aws.java_names import action_name
from gateway.tasks.optimised import OptimisedServices
from tests.daemon.process import running, write_config
from tests.stand_ins.server import StandIn
from tests.stand_ins.sns import Sns
from tests.tasks.services_rig import KEYS, JsonService, task
from tests.tasks.test_tasks_kill import MACHINE, types

pytestmark = pytest.mark.slow

ITEM = {"TableName": "scores", "Key": {"id": {"S": "o1"}}}
ENTRY = {"Detail": {"a": 1}, "DetailType": "t", "Source": "shop"}


def calls(url):
    """What is asked of each service, by Resource: every action that AWS integrates by itself, and
    one that takes a client token."""
    return {
        "sqs:sendMessage": {"QueueUrl": f"{url}/1/inbox", "MessageBody": "hello"},
        "sns:publish": {"TopicArn": "arn:aws:sns:us-east-1:123456789012:news", "Message": "x"},
        "dynamodb:getItem": ITEM,
        "dynamodb:putItem": {"TableName": "scores", "Item": ITEM["Key"]},
        "dynamodb:updateItem": {**ITEM, "UpdateExpression": "SET n = 1"},
        "dynamodb:deleteItem": ITEM,
        "events:putEvents": {"Entries": [ENTRY]},
        "aws-sdk:athena:startQueryExecution": {"QueryString": "select 1"},
    }


class Working(JsonService):
    """All services at once. None answers before the daemon is dead."""

    def __init__(self) -> None:
        super().__init__(self._work)
        self._sns = Sns(lambda _topic, _message: None)
        self.asked = threading.Semaphore(0)
        self.killed = threading.Event()

    def operation(self, request):
        """SNS has a protocol of its own."""
        return super().operation(request) or self._sns.operation(request)

    def answer(self, operation, request):
        """As the protocol of the service has it."""
        answer = super().answer(operation, request)
        return self._sns.answer(operation, request) if operation == "Publish" else answer

    def _work(self, _request):
        self.asked.release()
        self.killed.wait(60)
        return {}


def test_sigkill_while_services_work(tmp_path):
    """The first call of each gets no answer; the next life's is the same one, the history shows one
    attempt, and the execution ends once."""
    service = Working()
    with StandIn(service) as stand_in:
        asked = calls(stand_in.url)
        assert asked.keys() > set(OptimisedServices.resources)
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
            for _ in names:
                assert service.asked.acquire(timeout=30)
            daemon.process.kill()
            daemon.end()
        service.killed.set()
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
