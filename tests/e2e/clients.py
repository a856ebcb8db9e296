"""Step Functions as its users reach it: boto3, the AWS CLI, and polls on bare sockets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

ROLE = "arn:aws:iam::123456789012:role/tests"
ARN = "arn:aws:states:us-east-1:123456789012"
SECONDS = 20.0
"""How long a test waits for what should happen at once."""


@contextmanager
def step_functions(url: str, *, signed: bool = True) -> Iterator[Any]:
    """A plain boto3 client with credentials that mean nothing, or with none at all."""
    keys = {"aws_access_key_id": "any", "aws_secret_access_key": "any"} if signed else {}
    config = Config(signature_version=None if signed else UNSIGNED, max_pool_connections=50)
    client = boto3.client(
        "stepfunctions", endpoint_url=url, region_name="us-east-1", config=config, **keys
    )
    try:
        yield client
    finally:
        client.close()


def machine(**states: dict[str, Any]) -> str:
    """The text of a machine of these states; the first one starts."""
    return json.dumps({"StartAt": next(iter(states)), "States": states})


def work(activity: str, **more: Any) -> dict[str, Any]:
    """A last state that waits for a worker of the activity."""
    return {"Type": "Task", "Resource": f"{ARN}:activity:{activity}", "End": True, **more}


def ended(client: Any, arn: str) -> dict[str, Any]:
    """The execution, when it has ended."""
    deadline = time.monotonic() + SECONDS
    while (row := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.02)
    return row


def pages(call: Any, member: str, **arguments: Any) -> list[list[Any]]:
    """All pages of a listing, following nextToken."""
    found, token = [], {}
    while True:
        page = call(**arguments, **token)
        found.append(page[member])
        if "nextToken" not in page:
            return found
        token = {"nextToken": page["nextToken"]}


ANY_KEYS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}


def aws_cli(
    url: str,
    *arguments: str,
    signed: bool = True,
    check: bool = True,
    keys: dict[str, str] = ANY_KEYS,
) -> subprocess.CompletedProcess[str]:
    """``aws stepfunctions ...`` as a process that knows nothing of this machine's AWS settings."""
    command = [str(Path(sys.executable).with_name("aws")), "stepfunctions", *arguments]
    keys = keys if signed else {}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return subprocess.run(
        [*command, "--endpoint-url", url, "--region", "us-east-1", "--output", "json"]
        + ([] if signed else ["--no-sign-request"]),
        env={**clean, **nowhere, **keys, "AWS_EC2_METADATA_DISABLED": "true"},
        capture_output=True, text=True, check=check, timeout=60,
    )  # fmt: skip


class Poll:
    """One GetActivityTask on a connection of its own; nobody waits for it until ``task``."""

    def __init__(self, url: str, activity_arn: str, worker: str = "bare") -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=SECONDS)
        self._socket.sendall(poll_request(activity_arn, worker))

    def task(self) -> dict[str, str]:
        """The answer: taskToken and input, or nothing where the poll came to nothing."""
        answer = b""
        while b"\r\n\r\n" not in answer or not _whole(answer):
            chunk = self._socket.recv(65_536)
            assert chunk, f"the connection was closed after {answer!r}"
            answer += chunk
        found: dict[str, str] = json.loads(answer.partition(b"\r\n\r\n")[2])
        return found

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def poll_request(activity_arn: str, worker: str) -> bytes:
    """GetActivityTask as it goes over the wire."""
    body = json.dumps({"activityArn": activity_arn, "workerName": worker}).encode()
    head = (
        "POST / HTTP/1.1\r\nHost: stategate\r\nX-Amz-Target: AWSStepFunctions.GetActivityTask\r\n"
        f"Content-Type: application/x-amz-json-1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    ]
    return len(body) >= lengths[0]
