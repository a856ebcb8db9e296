"""The real daemon while expressions run away: it goes on answering."""

from __future__ import annotations

import json

import boto3
import httpx
import pytest
from botocore.config import Config

from tests.e2e.process import DaemonProcess, free_port, until

pytestmark = pytest.mark.slow
RUNAWAYS = {
    "recursion": "{% ($f := function($n) { $f($n + 1) }; $f(0)) %}",
    "depth": "{% ($f := function($n) { 1 + $f($n + 1) }; $f(0)) %}",
    "growth": "{% $reduce([1..60], function($s, $n) { $s & $s }, 'x') %}",
    "product": "{% $count([1..100000].[1..100000]) %}",
    "pattern": "{% $contains($states.input.text, /^(a|a)*$/) %}",
}
"""Each would take an hour, or all of the memory."""


def machine(query: str) -> str:
    """A machine of this query alone."""
    state = {"Type": "Pass", "Output": query, "End": True}
    return json.dumps({"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": state}})


def test_the_daemon_answers_while_expressions_run_away(tmp_path):
    """Ten executions of each kind fail with States.QueryEvaluationError; in between every request
    is answered, and an execution that harms nobody succeeds."""
    port = free_port()
    config = tmp_path / "gateway.yaml"
    config.write_text(f'store: {{ path: g.db }}\napi: {{ listen: "127.0.0.1:{port}" }}\n')
    with DaemonProcess(config, port) as daemon:
        client = boto3.client(
            "stepfunctions",
            endpoint_url=daemon.url,
            region_name="us-east-1",
            aws_access_key_id="k",
            aws_secret_access_key="s",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
        )

        def created(name: str, query: str) -> str:
            made = client.create_state_machine(
                name=name, definition=machine(query), roleArn="arn:aws:iam::123456789012:role/r"
            )
            return made["stateMachineArn"]

        harmless = created("harmless", "{% $states.input.text %}")
        arns = {name: created(name, query) for name, query in RUNAWAYS.items()}
        given = json.dumps({"text": "a" * 40 + "!"})
        started = []
        for _ in range(10):
            started += [
                client.start_execution(stateMachineArn=arn, input=given) for arn in arns.values()
            ]
            assert httpx.get(f"{daemon.url}/healthz", timeout=20).status_code == 200
        fine = client.start_execution(stateMachineArn=harmless, input=given)["executionArn"]

        def ended() -> bool:
            each = [*started, {"executionArn": fine}]
            states = [client.describe_execution(executionArn=e["executionArn"]) for e in each]
            return all(state["status"] != "RUNNING" for state in states)

        until(ended, 60, "every execution has ended")
        assert client.describe_execution(executionArn=fine)["status"] == "SUCCEEDED"
        for each in started:
            state = client.describe_execution(executionArn=each["executionArn"])
            assert (state["status"], state["error"]) == ("FAILED", "States.QueryEvaluationError")
