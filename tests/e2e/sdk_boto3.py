"""The story of tests/e2e/test_sdks.py, told by boto3 in a process of its own: keys and region stand
in the environment; what was seen is printed as one line of JSON."""

from __future__ import annotations

import json
import socket
import sys
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

ROLE = "arn:aws:iam::123456789012:role/tests"


def machine(state: dict[str, Any]) -> str:
    """The text of a machine of one state."""
    return json.dumps({"StartAt": "A", "States": {"A": {**state, "End": True}}})


def hosts_entry() -> None:
    """What an entry for ``sync-<name>`` in the hosts file does for a user."""
    look_up = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *more, **named: look_up(  # type: ignore[assignment]
        str(host).removeprefix("sync-"), *more, **named
    )


def main(endpoint: str, prefix: str) -> None:
    """Tell it, with the host prefix ``on`` or ``off``."""
    hosts_entry()
    options: dict[str, Any] = {} if prefix == "on" else {"inject_host_prefix": False}
    config = Config(retries={"max_attempts": 0}, **options)
    client = boto3.client("stepfunctions", endpoint_url=endpoint, config=config)
    hosts: list[str] = []
    client.meta.events.register("before-send", lambda request, **_: hosts.append(request.url))
    name = f"boto3-{prefix}"
    activity = client.create_activity(name=name)["activityArn"]
    definition = machine({"Type": "Task", "Resource": activity})
    arn = client.create_state_machine(name=name, definition=definition, roleArn=ROLE)
    started = client.start_execution(stateMachineArn=arn["stateMachineArn"], input='{"n":"ä"}')
    task = client.get_activity_task(activityArn=activity)
    client.send_task_success(taskToken=task["taskToken"], output=task["input"])
    execution = {"executionArn": started["executionArn"]}
    described = client.describe_execution(**execution)
    history = client.get_execution_history(**execution)
    express = client.create_state_machine(
        name=f"{name}-express",
        definition=machine({"Type": "Pass", "Result": "hello"}),
        roleArn=ROLE,
        type="EXPRESS",
    )
    sync = client.start_sync_execution(stateMachineArn=express["stateMachineArn"])
    assert ("//sync-" in hosts[-1]) is (prefix == "on"), hosts[-1]
    tested = client.test_state(definition='{"Type": "Pass", "Result": 1, "End": true}')
    assert ("//sync-" in hosts[-1]) is (prefix == "on"), hosts[-1]
    try:
        client.describe_execution(executionArn=f"{started['executionArn']}-not")
    except client.exceptions.ExecutionDoesNotExist as error:
        refusal = error.response["Error"]["Code"]
    seen = {
        "status": described["status"],
        "output": described["output"],
        "started": isinstance(described["startDate"], datetime),
        "events": [event["type"] for event in history["events"]],
        "sync": sync["output"],
        "tested": tested["output"],
        "refusal": refusal,
    }
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
