"""AWS's own clients as processes of their own, against a daemon that verifies signatures: boto3,
the AWS CLI, and the SDK for JavaScript where npm is at hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.e2e.clients import ROLE, aws_cli, machine
from tests.e2e.process import DaemonProcess, free_port

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
CACHE = HERE.parents[1] / ".cache" / "javascript"
KEYS = {"AWS_ACCESS_KEY_ID": "AKTESTS", "AWS_SECRET_ACCESS_KEY": "s3cr3t/with+signs"}
CONFIG = """
store: {{ path: sdks.db }}
api:
  listen: "127.0.0.1:{port}"
  credentials: {{ AKTESTS: "s3cr3t/with+signs" }}
"""
STORY = {
    "status": "SUCCEEDED",
    "output": '{"n":"ä"}',
    "started": True,
    "events": [
        "ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted",
        "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded",
    ],
    "sync": '"hello"',
    "tested": "1",
    "refusal": "ExecutionDoesNotExist",
}  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """A daemon that wants signatures."""
    directory, port = tmp_path_factory.mktemp("sdks"), free_port()
    config = directory / "sdks.yaml"
    config.write_text(CONFIG.format(port=port))
    with DaemonProcess(config, port) as running:
        yield running


def environment(**keys: str) -> dict[str, str]:
    """That of a client, which knows nothing of this machine's AWS settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return {
        **clean,
        **nowhere,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        **keys,
    }


def told(command: list[str], **keys: str) -> subprocess.CompletedProcess[str]:
    """What a client says."""
    return subprocess.run(
        command, env=environment(**keys), capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("prefix", ["on", "off"])
def test_boto3(daemon, prefix):
    """Create, start, poll, succeed, read; with ``sync-`` before the host, and without."""
    url = daemon.url.replace("127.0.0.1", "localhost")
    command = [sys.executable, str(HERE / "sdk_boto3.py"), url, prefix]
    done = told(command, **KEYS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == STORY


@pytest.fixture(scope="module")
def javascript():
    """A directory with the client and what it needs; made once for each set of versions."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    source = HERE / "javascript"
    lock = source / "package-lock.json"
    directory = CACHE / sha256(lock.read_bytes()).hexdigest()[:16]
    if not (directory / "installed").exists():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, directory)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode != 0:
            pytest.skip(f"npm has no packages: {done.stderr[-500:]}")
        (directory / "installed").touch()
    shutil.copy(source / "client.mjs", directory)
    return directory / "client.mjs"


@pytest.mark.parametrize("prefix", ["on", "off"])
def test_the_sdk_for_javascript(daemon, javascript, prefix):
    """The same story, told by ``@aws-sdk/client-sfn``."""
    url = daemon.url.replace("127.0.0.1", "localhost")
    done = told(["node", str(javascript), url, prefix], **KEYS)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == STORY


def test_the_aws_cli(daemon):
    """The same story on the command line, whose signatures are looked at."""

    def aws(*arguments: str) -> dict:
        return json.loads(aws_cli(daemon.url, *arguments, keys=KEYS).stdout or "{}")

    activity = aws("create-activity", "--name", "cli")["activityArn"]
    work = {"Type": "Task", "Resource": activity, "End": True}
    made = aws("create-state-machine", "--name", "cli", "--role-arn", ROLE,
               "--definition", machine(A=work))  # fmt: skip
    arn = aws("start-execution", "--state-machine-arn", made["stateMachineArn"],
              "--input", STORY["output"])["executionArn"]  # fmt: skip
    task = aws("get-activity-task", "--activity-arn", activity)
    aws("send-task-success", "--task-token", task["taskToken"], "--task-output", task["input"])
    described = aws("describe-execution", "--execution-arn", arn)
    assert (described["status"], described["output"]) == (STORY["status"], STORY["output"])
    history = aws("get-execution-history", "--execution-arn", arn)
    assert [event["type"] for event in history["events"]] == STORY["events"]
    wrong = {**KEYS, "AWS_SECRET_ACCESS_KEY": "wrong"}
    done = aws_cli(daemon.url, "list-activities", check=False, keys=wrong)
    assert done.returncode != 0
    assert "InvalidSignatureException" in done.stderr
