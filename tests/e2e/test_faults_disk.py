"""A disk that fills up while the daemon runs: it pauses, says so, goes on, and loses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from uuid import uuid4

import boto3
import httpx
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.e2e.clients import ARN, ended, machine, step_functions, work
from tests.e2e.disks import small_disk
from tests.e2e.process import DaemonProcess, free_port, until

pytestmark = pytest.mark.slow

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
SLOW = machine(Rest={"Type": "Wait", "Seconds": 1, "Next": "Work"}, Work=work("work"))
CONFIG = """
store: {{ path: disk/full.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
activities: {{ work: {{}} }}
machines:
  slow: {{ definition: slow.asl.json }}
  other: {{ definition: other.asl.json }}
triggers:
  hook: {{ source: {{ type: webhook, path: /in }}, start: slow, name: $.body.id }}
  queue:
    source: {{ type: sqs, queue_url: "{queue}", endpoint_url: "{moto}", wait_seconds: 1 }}
    start: slow
    name: $.body.id
"""


@pytest.fixture
def queue():
    """A queue of moto's, and where it is."""
    moto = ThreadedMotoServer(port=0)
    moto.start()
    endpoint = f"http://127.0.0.1:{moto.get_host_and_port()[1]}"
    client = boto3.client(
        "sqs", endpoint_url=endpoint, region_name="us-east-1",
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    hidden = {"VisibilityTimeout": "2"}
    url = client.create_queue(QueueName=f"disk-{uuid4()}", Attributes=hidden)["QueueUrl"]
    try:
        yield client, url, endpoint
    finally:
        client.close()
        moto.stop()


@pytest.fixture
def disk(tmp_path):
    """Four megabytes."""
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
def daemon(tmp_path, disk, queue):
    """A daemon whose database is on the small disk."""
    (tmp_path / "slow.asl.json").write_text(SLOW)
    nowhere = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": True}
    (tmp_path / "other.asl.json").write_text(
        machine(Rest={"Type": "Wait", "Seconds": 1, "Next": "No"}, No=nowhere)
    )
    api, hooks = free_port(), free_port()
    config = tmp_path / "full.yaml"
    _, url, moto = queue
    config.write_text(CONFIG.format(api=api, hooks=hooks, queue=url, moto=moto))
    with DaemonProcess(config, api, KEYS) as daemon:
        daemon.hooks = f"http://127.0.0.1:{hooks}/in"
        yield daemon


def post(daemon, name: str) -> httpx.Response:
    """An order of 20 kB."""
    return httpx.post(daemon.hooks, json={"id": name, "filling": "x" * 20_000}, timeout=20)


def said(daemon, words: str) -> int:
    """How often the log says it."""
    return daemon.log.read_text().count(words)


def test_a_full_disk_pauses_and_loses_nothing(daemon, disk, queue, tmp_path):
    """What was accepted goes on when there is room; what was refused may be sent again; what was
    in the queue stays there until then."""
    sqs, url, _ = queue
    accepted = ["before"]
    assert post(daemon, "before").status_code == 202
    other = f"{ARN}:stateMachine:other"
    with step_functions(daemon.url) as client:
        unsupported = client.start_execution(stateMachineArn=other)["executionArn"]
        disk.fill()
        for n in range(1000):
            refused = post(daemon, f"during-{n}")
            if refused.status_code != 202:
                break
            accepted.append(f"during-{n}")
        for answer in (refused, post(daemon, "again")):
            assert answer.status_code == 503
            assert answer.json() == {"message": "the disk is full"}
            assert 1 <= int(answer.headers["retry-after"]) <= 5
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"id": "queued"}))
        health = httpx.get(f"{daemon.url}/healthz")
        assert (health.status_code, health.json()["disk_full"]) == (200, True)
        until(lambda: refuses_starts(daemon), 10, "StartExecution is refused with 503")
        until(
            lambda: "the disk is full" in str(daemon.health()["sources"]["queue"].get("reason")),
            20,
            "the queue's source says why it pauses",
        )

        disk.make_room()
        until(lambda: not daemon.health()["disk_full"], 20, f"it goes on\n{daemon.tail()}")
        until(lambda: post(daemon, "again").status_code == 202, 20, "it takes webhooks again")
        wanted = {*accepted, "queued", "again"}
        slow = f"{ARN}:stateMachine:slow"

        def names() -> set[str]:
            found = client.list_executions(stateMachineArn=slow)["executions"]
            return {row["name"] for row in found}

        until(lambda: names() == wanted, 40, "all that was accepted, and nothing else")
        for _ in wanted:
            task = client.get_activity_task(activityArn=f"{ARN}:activity:work")
            client.send_task_success(taskToken=task["taskToken"], output="1")
        for name in wanted:
            row = ended(client, slow.replace("stateMachine", "execution") + f":{name}")
            assert row["status"] == "SUCCEEDED"
        assert ended(client, unsupported)["status"] == "FAILED"
    # A small commit may fit where a large one did not, so it may turn more than once.
    assert said(daemon, "the disk is full: intake pauses until there is room") < 10
    assert said(daemon, "the disk has room again: intake goes on") >= 1
    assert said(daemon, "Traceback") == 0
    assert daemon.stop() == 0
    verified = subprocess.run(
        [sys.executable, "-m", "gateway", "verify", str(daemon.config)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_stop_and_a_kill_on_a_full_disk_lose_nothing(daemon, disk):
    """SIGTERM ends it with 0 as ever; after SIGKILL it starts where it was, once there is room."""
    assert post(daemon, "one").status_code == 202
    disk.fill()
    until(lambda: post(daemon, "two").status_code == 503, 20, "the disk is full")
    assert daemon.stop() == 0
    disk.make_room()
    daemon.start()
    disk.fill()
    until(lambda: post(daemon, "three").status_code == 503, 20, "the disk is full")
    daemon.kill()
    disk.make_room()
    daemon.start()
    with step_functions(daemon.url) as client:
        task = client.get_activity_task(activityArn=f"{ARN}:activity:work")
        client.send_task_success(taskToken=task["taskToken"], output="1")
        assert ended(client, f"{ARN}:execution:slow:one")["status"] == "SUCCEEDED"


def refuses_starts(daemon) -> bool:
    """Whether a large StartExecution is refused; with 503 and a time, if it is."""
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client(
        "stepfunctions", endpoint_url=daemon.url, region_name="us-east-1", config=config,
        aws_access_key_id="test", aws_secret_access_key="test",
    )  # fmt: skip
    try:
        large = json.dumps("x" * 250_000)
        client.start_execution(stateMachineArn=f"{ARN}:stateMachine:other", input=large)
    except ClientError as error:
        refusal = error.response
    else:
        return False
    finally:
        client.close()
    assert refusal["Error"]["Message"].startswith("the disk is full")
    assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 503
    assert refusal["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "5"
    return True
