"""The real daemon with access keys, on an address that is not the loopback's alone."""

from __future__ import annotations

import os
import subprocess
import sys

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.e2e.clients import ROLE, machine
from tests.e2e.process import DaemonProcess, free_port

pytestmark = pytest.mark.slow

PASS = machine(Hello={"Type": "Pass", "Result": "hello", "End": True})
CONFIG = """
store: {{ path: signed.db }}
api:
  listen: "0.0.0.0:{port}"
  credentials:
    AKADMIN: {{ secret: "${{ADMIN_SECRET}}", actions: ["*", "stategate:*"] }}
    AKREADER: {{ secret: reader, actions: ["List*"] }}
"""


def client(url: str, key: str, secret: str):
    """A plain boto3 client."""
    return boto3.client(
        "stepfunctions",
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}, inject_host_prefix=False),
    )


def stategate(url: str, key: str, secret: str) -> subprocess.CompletedProcess[str]:
    """``stategate executions`` with these credentials."""
    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
    command = [sys.executable, "-m", "gateway", "executions", "--endpoint", url]
    return subprocess.run(
        command, env={**os.environ, **keys}, capture_output=True, text=True, check=False
    )


def test_only_those_with_a_key_come_in(tmp_path):
    """boto3 and the command line do with the right secret, which stands in the environment."""
    port = free_port()
    config = tmp_path / "signed.yaml"
    config.write_text(CONFIG.format(port=port))
    with DaemonProcess(config, port, {"ADMIN_SECRET": "s3cr3t"}) as daemon:
        admin = client(daemon.url, "AKADMIN", "s3cr3t")
        made = admin.create_state_machine(name="e", definition=PASS, roleArn=ROLE, type="EXPRESS")[
            "stateMachineArn"
        ]
        answer = admin.start_sync_execution(stateMachineArn=made)
        assert answer["output"] == '"hello"'
        reader = client(daemon.url, "AKREADER", "reader")
        assert len(reader.list_state_machines()["stateMachines"]) == 1
        with pytest.raises(ClientError, match="AccessDeniedException"):
            reader.start_sync_execution(stateMachineArn=made)
        with pytest.raises(ClientError, match="InvalidSignatureException"):
            client(daemon.url, "AKADMIN", "wrong").list_state_machines()
        assert httpx.post(daemon.url, content=b"{}").status_code == 403
        assert httpx.get(f"{daemon.url}/healthz").status_code == 200
        assert stategate(daemon.url, "AKADMIN", "s3cr3t").returncode == 0
        refused = stategate(daemon.url, "AKREADER", "reader")
        assert refused.returncode != 0
        assert "AccessDeniedException" in refused.stderr
        assert "set AWS_ACCESS_KEY_ID and" in stategate(daemon.url, "", "").stderr
        assert "s3cr3t" not in daemon.log.read_text()
