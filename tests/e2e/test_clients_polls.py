"""Workers that wait in great number, and workers that are killed: no task is lost, none is given
to two of them."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.clients import ARN, Poll, ended, machine, poll_request, step_functions, work
from tests.e2e.process import DaemonProcess, free_port, until

pytestmark = pytest.mark.slow

POLLS = 1000
FRAGILE = f"{ARN}:activity:fragile"
CONFIG = """
store: {{ path: polls.db }}
api: {{ listen: "127.0.0.1:{api}" }}
activities: {{ many: {{}}, fragile: {{}} }}
machines:
  many: {{ definition: many.asl.json }}
  fragile: {{ definition: fragile.asl.json }}
  rest: {{ definition: rest.asl.json }}
"""
RETRY = [{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 3}]
MACHINES = {
    "many": machine(Work=work("many")),
    "fragile": machine(Work=work("fragile", HeartbeatSeconds=1, Retry=RETRY)),
    "rest": machine(Rest={"Type": "Wait", "Seconds": 2, "End": True}),
}
POLLER = """
import socket, sys
host, port = sys.argv[1].removeprefix("http://").split(":")
with socket.create_connection((host, int(port))) as line:
    line.sendall(bytes.fromhex(sys.argv[2]))
    print("asked", flush=True)
    answer = b""
    while not answer.endswith(b"}"):
        answer += line.recv(65536) or sys.exit("hung up")
    print(answer.decode().splitlines()[-1], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """A daemon with two activities, and with as many open files as systemd gives it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    directory = tmp_path_factory.mktemp("polls")
    for name, text in MACHINES.items():
        (directory / f"{name}.asl.json").write_text(text)
    config = directory / "polls.yaml"
    api = free_port()
    config.write_text(CONFIG.format(api=api))
    with DaemonProcess(config, api) as running:
        yield running


@pytest.fixture(scope="module")
def client(daemon):
    """Plain boto3."""
    with step_functions(daemon.url) as found:
        yield found


@pytest.fixture
def poller(daemon):
    """Starts a process that polls for a task of ``fragile``, prints it and holds on to it."""
    started = []

    def start() -> subprocess.Popen[str]:
        request = poll_request(FRAGILE, "poller").hex()
        command = [sys.executable, "-S", "-c", POLLER, daemon.url, request]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, **pipes)
        started.append(process)
        assert process.stdout.readline() == "asked\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def start(client, name: str, **more: str) -> str:
    """Start an execution of that machine; its ARN."""
    arn = f"{ARN}:stateMachine:{name}"
    return client.start_execution(stateMachineArn=arn, **more)["executionArn"]


def events(client, arn: str, kind: str) -> list[dict]:
    """The events of that type in the history."""
    found = client.get_execution_history(executionArn=arn)["events"]
    return [event for event in found if event["type"] == kind]


def memory_mb(pid: int) -> float:
    """What the process has resident."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def processor_seconds(pid: int) -> float:
    """What the process has used of its processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_thousand_parked_polls_cost_little_and_get_one_task_each(daemon, client):
    """1,000 polls wait: some megabytes, next to no time; 1,000 tasks go to one of them each."""
    ended(client, start(client, "rest"))
    memory = memory_mb(daemon.pid)
    polls = [Poll(daemon.url, f"{ARN}:activity:many", f"w{n}") for n in range(POLLS)]
    ended(client, start(client, "rest"))
    used = processor_seconds(daemon.pid)
    ended(client, start(client, "rest"))
    used = processor_seconds(daemon.pid) - used
    grown = memory_mb(daemon.pid) - memory
    assert grown < 60
    assert used < 1

    arns = [start(client, "many", input=json.dumps({"n": n})) for n in range(POLLS)]
    tasks = [poll.task() for poll in polls]
    assert sorted(json.loads(task["input"])["n"] for task in tasks) == list(range(POLLS))
    assert len({task["taskToken"] for task in tasks}) == POLLS
    for task in tasks:
        client.send_task_success(taskToken=task["taskToken"], output=task["input"])
    for n, arn in enumerate(arns):
        assert json.loads(ended(client, arn)["output"]) == {"n": n}
        assert len(events(client, arn, "ActivityStarted")) == 1
    for poll in polls:
        poll.close()


def test_a_poller_killed_while_it_waits_loses_nothing(client, poller):
    """SIGKILL, then the start: the next one who asks has the task at once, as its first worker."""
    for _ in range(10):
        doomed = poller()
        doomed.kill()
        doomed.wait()
        arn = start(client, "fragile")
        task = client.get_activity_task(activityArn=FRAGILE)
        client.send_task_success(taskToken=task["taskToken"], output="1")
        assert ended(client, arn)["status"] == "SUCCEEDED"
        assert events(client, arn, "ActivityTimedOut") == []
        assert len(events(client, arn, "ActivityStarted")) == 1


def test_a_poller_killed_in_the_moment_of_the_start_loses_nothing(client, poller):
    """Whether the answer was written to it or not: somebody else gets the task, at the latest when
    the heartbeat is missed."""
    for _ in range(5):
        doomed = poller()
        arn = start(client, "fragile")
        doomed.kill()
        task = client.get_activity_task(activityArn=FRAGILE)
        client.send_task_success(taskToken=task["taskToken"], output="1")
        assert ended(client, arn)["status"] == "SUCCEEDED"


def test_a_poller_killed_with_a_task_in_hand_loses_nothing(client, poller):
    """Its heartbeat stops, Retry hands the task to another one; the dead one's token is void."""
    doomed = poller()
    arn = start(client, "fragile", input='{"n":1}')
    dead = json.loads(doomed.stdout.readline())
    doomed.kill()
    task = client.get_activity_task(activityArn=FRAGILE)
    assert task["input"] == dead["input"]
    assert task["taskToken"] != dead["taskToken"]
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=dead["taskToken"], output="1")
    client.send_task_success(taskToken=task["taskToken"], output="2")
    assert ended(client, arn)["output"] == "2"
    assert len(events(client, arn, "ActivityTimedOut")) == 1
    assert len(events(client, arn, "ActivityStarted")) == 2


def test_a_poller_that_never_read_its_answer_loses_nothing(client, poller):
    """Stopped while it is parked, killed with the hand-out unread in its socket: as if in hand."""
    frozen = poller()
    frozen.send_signal(signal.SIGSTOP)
    arn = start(client, "fragile")
    until(lambda: events(client, arn, "ActivityStarted"), 10, "the task is handed out")
    frozen.kill()
    task = client.get_activity_task(activityArn=FRAGILE)
    client.send_task_success(taskToken=task["taskToken"], output="2")
    assert ended(client, arn)["output"] == "2"
