"""SIGKILL and SIGTERM at awkward moments: what was promised stands, nothing is asked for twice."""

from __future__ import annotations

import signal
import sqlite3
import threading
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.clients import ARN, ended, machine, step_functions, work
from tests.e2e.process import DaemonProcess, free_port, until

pytestmark = pytest.mark.slow

CONFIG = """
store: {{ path: kill.db }}
api: {{ listen: "127.0.0.1:{api}" }}
hooks: {{ listen: "127.0.0.1:{hooks}" }}
grace: 20s
activities: {{ first: {{}}, second: {{}} }}
machines:
  wait: {{ definition: wait.asl.json }}
  work: {{ definition: work.asl.json }}
triggers:
  hook: {{ source: {{ type: webhook, path: /in }}, start: work, name: $.body.id }}
"""
RETRY = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3}]
FIRST = {**work("first", HeartbeatSeconds=600, Retry=RETRY), "Next": "Second"}
del FIRST["End"]
MACHINES = {
    "wait": machine(Rest={"Type": "Wait", "Seconds": 3, "Next": "Done"}, Done={"Type": "Succeed"}),
    "work": machine(First=FIRST, Second=work("second")),
}


@pytest.fixture
def daemon(tmp_path):
    """A daemon with two activities that a machine asks for one after the other."""
    for name, text in MACHINES.items():
        (tmp_path / f"{name}.asl.json").write_text(text)
    api, hooks = free_port(), free_port()
    config = tmp_path / "kill.yaml"
    config.write_text(CONFIG.format(api=api, hooks=hooks))
    with DaemonProcess(config, api) as running:
        running.hooks = f"http://127.0.0.1:{hooks}/in"
        yield running


@pytest.fixture
def client(daemon):
    """Plain boto3."""
    with step_functions(daemon.url) as found:
        yield found


@contextmanager
def slow_disk(daemon):
    """No commit ends inside the block: somebody else holds the database's write lock."""
    connection = sqlite3.connect(daemon.config.with_name("kill.db"), isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


class Sender:
    """Sends one webhook in a thread of its own."""

    def __init__(self, daemon, name: str) -> None:
        self.answer: httpx.Response | None = None
        self.error: httpx.TransportError | None = None
        self._thread = threading.Thread(target=self._send, args=(daemon.hooks, name))
        self._thread.start()

    def _send(self, url: str, name: str) -> None:
        try:
            self.answer = httpx.post(url, json={"id": name}, timeout=30)
        except httpx.TransportError as error:
            self.error = error

    @property
    def waits(self) -> bool:
        """Whether it has no answer yet."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Wait for the answer, or for the lack of one."""
        self._thread.join(30)
        assert not self.waits


def start(client, name: str) -> str:
    """Start an execution of that machine; its ARN."""
    arn = f"{ARN}:stateMachine:{name}"
    return client.start_execution(stateMachineArn=arn)["executionArn"]


def take(client, activity: str) -> str:
    """The token of the activity's next task."""
    return client.get_activity_task(activityArn=f"{ARN}:activity:{activity}")["taskToken"]


def types(client, arn: str) -> list[str]:
    """The types of the history's events, whose ids count from 1 without a gap."""
    events = client.get_execution_history(executionArn=arn)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events]


def restart(daemon) -> None:
    """kill -9, and up again."""
    daemon.kill()
    daemon.start()


def let_it_reach_its_commit(daemon) -> None:
    """Fifty answers later the daemon has done for an earlier request all that it can."""
    for _ in range(50):
        daemon.health()


WORKED = [
    "ExecutionStarted",
    "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded",
    "TaskStateExited",
    "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded",
    "TaskStateExited",
    "ExecutionSucceeded",
]  # fmt: skip


def test_a_kill_during_a_wait(daemon, client):
    """The wait goes on and ends when it was to end; its history has each event once."""
    arn = start(client, "wait")
    restart(daemon)
    row = ended(client, arn)
    assert row["status"] == "SUCCEEDED"
    lasted = (row["stopDate"] - row["startDate"]).total_seconds()
    assert 3 <= lasted < 10
    assert types(client, arn) == [
        "ExecutionStarted", "WaitStateEntered", "WaitStateExited", "SucceedStateEntered",
        "SucceedStateExited", "ExecutionSucceeded",
    ]  # fmt: skip


def test_a_kill_while_a_worker_is_at_it(daemon, client):
    """The worker beats and answers on as if nothing had been; nobody else gets its task."""
    arn = start(client, "work")
    token = take(client, "first")
    restart(daemon)
    client.send_task_heartbeat(taskToken=token)
    client.send_task_success(taskToken=token, output='"from before the kill"')
    token = take(client, "second")
    client.send_task_success(taskToken=token, output='"after"')
    assert ended(client, arn)["output"] == '"after"'
    assert types(client, arn) == WORKED


def test_a_kill_right_after_each_answer(daemon, client):
    """An answer that was taken is never asked for again, whatever moment the kill comes in."""
    arn = start(client, "work")
    restart(daemon)
    token = take(client, "first")
    restart(daemon)
    client.send_task_success(taskToken=token, output="1")
    restart(daemon)
    with pytest.raises(client.exceptions.TaskTimedOut):
        client.send_task_success(taskToken=token, output="2")
    client.send_task_success(taskToken=take(client, "second"), output="3")
    restart(daemon)
    assert ended(client, arn)["output"] == "3"
    assert types(client, arn) == WORKED


def test_a_kill_in_the_middle_of_a_commit(daemon, client):
    """A webhook that was not answered may have left nothing; sent again it starts once."""
    with slow_disk(daemon):
        sender = Sender(daemon, "cut-off")
        let_it_reach_its_commit(daemon)
        daemon.kill()
        sender.join()
    assert sender.error is not None
    daemon.start()
    answer = httpx.post(daemon.hooks, json={"id": "cut-off"})
    assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
    again = httpx.post(daemon.hooks, json={"id": "cut-off"})
    assert (again.status_code, again.json()["duplicate"]) == (202, True)


def test_a_kill_right_after_a_202(daemon, client):
    """What was answered is on disk: after the kill it is there, and its repetition a duplicate."""
    first = httpx.post(daemon.hooks, json={"id": "kept"}).json()
    restart(daemon)
    assert client.describe_execution(executionArn=first["executionArn"])["status"] == "RUNNING"
    again = httpx.post(daemon.hooks, json={"id": "kept"}).json()
    assert again == {**first, "duplicate": True}


def test_a_stop_lets_a_webhook_in_its_commit_have_its_202(daemon):
    """SIGTERM while the disk is slow: the commit is waited for, the sender gets its answer; whoever
    comes later is not let in."""
    with slow_disk(daemon):
        sender = Sender(daemon, "late")
        let_it_reach_its_commit(daemon)
        daemon.signal(signal.SIGTERM)
        until(lambda: "stopping" in daemon.tail(), 10, "it has heard of the stop")
        health = httpx.get(f"{daemon.url}/healthz")
        assert (health.status_code, health.json()["stage"]) == (503, "stopping")
        later = httpx.post(daemon.hooks, json={"id": "later"})
        assert later.status_code == 503
        assert later.headers["retry-after"]
        assert sender.waits
    sender.join()
    assert sender.answer is not None, sender.error
    assert sender.answer.status_code == 202
    assert daemon.wait() == 0
    daemon.start()
    again = httpx.post(daemon.hooks, json={"id": "late"}).json()
    assert again["duplicate"] is True
