"""SIGKILL of the daemon in the middle of a function: its process ends too, and what then becomes of
the call is as the file says."""

from __future__ import annotations

import json

import pytest

from tests.daemon.process import running, write_config
from tests.workers.test_group import alive

pytestmark = pytest.mark.slow

DEFINITION = {
    "StartAt": "A",
    "States": {
        "A": {
            "Type": "Task",
            "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f",
            "Retry": [{"ErrorEquals": ["Lambda.Unknown"], "IntervalSeconds": 1, "MaxAttempts": 1}],
            "End": True,
        }
    },
}
CODE = """
import os, pathlib, sys, time

def handler(event, context):
    with open("calls", "a") as calls:
        calls.write(f"{os.getpid()} {context.aws_request_id}\\n")
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    return "done"

class Context:
    aws_request_id = os.environ.get("STATEGATE_REQUEST_ID")

if __name__ == "__main__":
    handler({}, Context())
    print('"done"')
"""
PYTHON = "type: python, handler: 'shop:handler'"
COMMAND = "type: command, command: [python, shop.py]"


def calls(folder):
    """Process and request id of each call."""
    file = folder / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(int(pid), key) for pid, key in map(str.split, lines)]


def cut_off(daemon, folder):
    """Kill the daemon in the middle of the first call, whose process ends with it; the key of that
    call. The next one comes to its end."""
    ((pid, key),) = daemon.until(lambda: calls(folder))
    daemon.process.kill()
    daemon.end()
    daemon.until(lambda: not alive(pid))
    (folder / "go").touch()
    return key


@pytest.mark.parametrize("kind", [PYTHON, COMMAND], ids=["python", "command"])
@pytest.mark.parametrize("interrupted", ["again", "fail"])
def test_sigkill_in_the_middle_of_a_function(tmp_path, kind, interrupted):
    """The process ends with the daemon. The call is made again under its id within the same
    attempt, or the attempt fails with Lambda.Unknown and Retry makes another one."""
    (tmp_path / "shop.py").write_text(CODE)
    (tmp_path / "call.asl.json").write_text(json.dumps(DEFINITION))
    config = write_config(
        tmp_path,
        "machines: { call: { definition: call.asl.json } }\n"
        f"functions: {{ f: {{ {kind}, interrupted: {interrupted} }} }}\n",
    )
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:call"
    with running(config) as daemon:
        daemon.ready()
        arn = daemon.aws("StartExecution", stateMachineArn=machine, name="n")["executionArn"]
        key = cut_off(daemon, tmp_path)
    with running(config) as daemon:
        daemon.ready()
        daemon.until(
            lambda: daemon.aws("DescribeExecution", executionArn=arn)["status"] == "SUCCEEDED"
        )
        events = daemon.aws("GetExecutionHistory", executionArn=arn)["events"]
        assert daemon.stop() == 0
    (_, again) = calls(tmp_path)[1]
    assert len(calls(tmp_path)) == 2
    failed = [event for event in events if event["type"] == "LambdaFunctionFailed"]
    attempts = [event["type"] for event in events].count("LambdaFunctionStarted")
    if interrupted == "again":
        assert (again == key, attempts, failed) == (True, 1, [])
    else:
        assert (again == key, attempts, len(failed)) == (False, 2, 1)
        assert failed[0]["lambdaFunctionFailedEventDetails"]["error"] == "Lambda.Unknown"


def test_sigkill_in_the_middle_of_a_function_of_an_express_execution(tmp_path):
    """The execution begins anew, and its task with it: no attempt is left that `interrupted: fail`
    could end, so the function is called as if for the first time."""
    (tmp_path / "shop.py").write_text(CODE)
    state = {name: DEFINITION["States"]["A"][name] for name in ("Type", "Resource", "End")}
    machine = {
        "name": "quick",
        "type": "EXPRESS",
        "roleArn": "arn:aws:iam::123456789012:role/any",
        "definition": json.dumps({"StartAt": "A", "States": {"A": state}}),
    }
    text = f"functions: {{ f: {{ {PYTHON}, interrupted: fail }} }}\n"
    config = write_config(tmp_path, text)
    with running(config) as daemon:
        daemon.ready()
        arn = daemon.aws("CreateStateMachine", **machine)["stateMachineArn"]
        daemon.aws("StartExecution", stateMachineArn=arn)
        key = cut_off(daemon, tmp_path)
    with running(config) as daemon:
        assert "1 function;" in daemon.logged("ready")["summary"]
        ((_, anew),) = daemon.until(lambda: calls(tmp_path)[1:])
        assert daemon.stop() == 0
    assert anew != key


def test_a_reload_and_a_stop(tmp_path):
    """SIGHUP takes a changed function, with a problem it changes nothing; after SIGTERM no process
    of a function is left."""
    (tmp_path / "shop.py").write_text(CODE)
    (tmp_path / "go").touch()
    (tmp_path / "call.asl.json").write_text(json.dumps(DEFINITION))
    text = "machines: {{ call: {{ definition: call.asl.json }} }}\nfunctions: {{ f: {{ {} }} }}\n"
    config = write_config(tmp_path, text.format(PYTHON))
    machine = "arn:aws:states:us-east-1:123456789012:stateMachine:call"
    with running(config) as daemon:
        daemon.ready()

        def call(name):
            arn = daemon.aws("StartExecution", stateMachineArn=machine, name=name)["executionArn"]
            return daemon.until(lambda: _ended(daemon.aws("DescribeExecution", executionArn=arn)))

        assert call("one")["output"] == '"done"'
        write_config(tmp_path, text.format("type: python, handler: 'shop:nothing'"))
        daemon.signal(1)
        refused = daemon.logged("reload refused, the old configuration stays")
        assert "shop.py has no nothing" in refused["problems"][0]
        assert call("two")["output"] == '"done"'
        command = "type: command, command: [echo, '\"other\"']"
        write_config(tmp_path, text.format(command))
        daemon.signal(1)
        assert daemon.logged("reloaded")["changed"] == ["function f"]
        assert call("three")["output"] == '"other"'
        write_config(tmp_path, text.format(PYTHON + ", concurrency: 1"))
        daemon.signal(1)
        daemon.until(lambda: [e["event"] for e in daemon.entries].count("reloaded") == 2)
        assert call("four")["output"] == '"done"'
        assert daemon.stop() == 0
    assert [pid for pid, _ in calls(tmp_path) if alive(pid)] == []


def _ended(described):
    return described if described["status"] != "RUNNING" else None
