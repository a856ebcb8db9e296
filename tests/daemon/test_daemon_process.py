"""The daemon as a process: starting, stopping, and what keeps it from either."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import time

import httpx
import pytest

from tests.daemon.process import running, write_config

pytestmark = pytest.mark.slow

WORKER = """
activities: { pick: {} }
machines: { pick: { definition: pick.asl.json } }
workers:
  picker: { activity: pick, command: [python, worker.py], cwd: ".", stop_grace: 3s }
"""
SLOW_HANDLER = """
import time
from gateway.worker import run
def handle(order, context):
    print("working")
    time.sleep(1)
    print("done", flush=True)
    return "picked"
run(handle)
"""
DEAF = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\nwhile True: signal.pause()\n"


@pytest.fixture
def worker_config(tmp_path):
    """A machine with one activity and a worker that takes a second over each task."""
    (tmp_path / "worker.py").write_text(SLOW_HANDLER)
    return write_config(tmp_path, WORKER)


def alive(pid):
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_ready_and_ends_when_told(tmp_path):
    """A configuration of store and API alone runs; /healthz says 200; SIGTERM ends it with 0."""
    with running(write_config(tmp_path, "")) as daemon:
        daemon.ready()
        answer = httpx.get(f"{daemon.url}/healthz")
        assert answer.status_code == 200
        assert answer.json()["stage"] == "running"
        assert "stategate_" in httpx.get(f"{daemon.url}/metrics").text
        assert daemon.stop() == 0
        assert daemon.entries[-2]["event"] == "stopped"


def test_a_stop_lets_a_worker_answer(worker_config):
    """SIGTERM in the middle of a task: the worker finishes and its answer is taken."""
    with running(worker_config) as daemon:
        daemon.ready()
        [machine] = daemon.aws("ListStateMachines")["stateMachines"]
        arn = machine["stateMachineArn"]
        started = daemon.aws("StartExecution", stateMachineArn=arn, name="one")
        daemon.logged("working")
        assert daemon.stop() == 0
    with running(worker_config) as daemon:
        daemon.ready()
        row = daemon.aws("DescribeExecution", executionArn=started["executionArn"])
        assert (row["status"], row["output"]) == ("SUCCEEDED", '"picked"')


def test_a_second_signal_hurries(worker_config, tmp_path):
    """What would take the whole grace is cut short; nothing of the worker is left."""
    (tmp_path / "worker.py").write_text(DEAF)
    text = worker_config.read_text().replace("stop_grace: 3s", "stop_grace: 60s")
    worker_config.write_text(text + "grace: 60s\n")
    with running(worker_config) as daemon:
        daemon.ready()
        pid = daemon.logged("worker started")["pid"]
        daemon.logged("up")
        daemon.signal(signal.SIGTERM)
        daemon.logged("stopping")
        daemon.signal(signal.SIGTERM)
        assert daemon.end() == 0
        assert not alive(pid)


def test_the_grace_ends_what_does_not_end(worker_config, tmp_path):
    """A deaf worker is killed when the daemon's grace is over, whatever its own says."""
    (tmp_path / "worker.py").write_text(DEAF)
    text = worker_config.read_text().replace("stop_grace: 3s", "stop_grace: 60s")
    worker_config.write_text(text + "grace: 300ms\n")
    with running(worker_config) as daemon:
        daemon.ready().logged("up")
        assert daemon.stop() == 0


def test_health_says_503_while_it_stops(worker_config, tmp_path):
    """Whoever balances load sees that it is going away."""
    (tmp_path / "worker.py").write_text(DEAF)
    worker_config.write_text(worker_config.read_text() + "grace: 60s\n")
    with running(worker_config) as daemon:
        daemon.ready().logged("up")
        daemon.signal(signal.SIGTERM)
        daemon.logged("stopping")
        answer = httpx.get(f"{daemon.url}/healthz")
        assert (answer.status_code, answer.json()["stage"]) == (503, "stopping")


def test_a_kill_loses_nothing_and_leaves_no_worker(worker_config):
    """After SIGKILL the worker finishes its task, answers the next daemon, and is gone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = worker_config.read_text().replace("listen: 127.0.0.1:0", f"listen: 127.0.0.1:{port}", 1)
    worker_config.write_text(text.replace("stop_grace: 3s", "stop_grace: 20s"))
    with running(worker_config) as daemon:
        daemon.ready()
        pid = daemon.logged("worker started")["pid"]
        arn = daemon.aws("ListStateMachines")["stateMachines"][0]["stateMachineArn"]
        started = daemon.aws("StartExecution", stateMachineArn=arn, name="one")
        daemon.logged("working")
        daemon.process.kill()
        daemon.process.wait()
    with running(worker_config) as daemon:
        daemon.ready()
        arn = started["executionArn"]
        ended = daemon.until(
            lambda: (
                (row := daemon.aws("DescribeExecution", executionArn=arn))["status"] == "SUCCEEDED"
                and row
            )
        )
        assert ended["output"] == '"picked"'
        daemon.until(lambda: not alive(pid))


def test_problems_end_it_before_the_database_is_touched(tmp_path):
    """Exit code 2, every problem with its line, and no file made."""
    path = write_config(tmp_path, "grase: 3s\nregion: nowhere\n")
    with running(path) as daemon:
        assert daemon.end() == 2
        said = [entry["event"] for entry in daemon.entries]
    assert any(f"{path}:4: grase: unknown key" in line for line in said)
    assert any(f"{path}:5: region:" in line for line in said)
    assert not (tmp_path / "stategate.db").exists()


def test_a_port_in_use_is_told_in_one_line(tmp_path):
    """Exit code 1, the address and what to do; the database is not touched."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        path = write_config(tmp_path, "")
        path.write_text(path.read_text().replace("listen: 127.0.0.1:0", f"listen: {address}", 1))
        with running(path) as daemon:
            assert daemon.end() == 1
            [entry, _] = daemon.entries
    assert entry["event"] == "cannot go on"
    assert address in entry["reason"]
    assert not (tmp_path / "stategate.db").exists()


def test_the_port_of_the_webhooks_in_use_is_told_too(tmp_path):
    """The listener of the webhooks fails the start as well, with its own place in the file."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = write_config(
            tmp_path,
            """
            machines: { echo: { definition: pass.asl.json } }
            triggers: { in: { source: { type: webhook, path: /in }, start: echo } }
            """,
        )
        text = path.read_text().replace(
            "hooks: { listen: 127.0.0.1:0 }", f"hooks: {{ listen: 127.0.0.1:{port} }}"
        )
        path.write_text(text)
        with running(path) as daemon:
            assert daemon.end() == 1
            assert "hooks.listen" in daemon.logged("cannot go on")["reason"]


def test_a_busy_database_names_its_holder(tmp_path):
    """Two daemons on one database: the second ends with 1 and says which process has it."""
    path = write_config(tmp_path, "")
    with running(path) as first:
        first.ready()
        with running(path) as second:
            assert second.end() == 1
            reason = second.logged("cannot go on")["reason"]
        assert str(first.process.pid) in reason
        assert first.health()["ready"]


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    """Exit code 1, and a sentence instead of a trace."""
    path = write_config(tmp_path, "")
    with running(path) as daemon:
        daemon.ready()
        assert daemon.stop() == 0
    with sqlite3.connect(tmp_path / "stategate.db") as connection:
        connection.execute("PRAGMA user_version = 999")
    connection.close()
    with running(path) as daemon:
        assert daemon.end() == 1
        assert "newer" in daemon.logged("cannot go on")["reason"]


def test_a_database_that_cannot_be_written_is_told(tmp_path):
    """A directory that is not there: exit code 1 and the remedy."""
    path = write_config(tmp_path, "")
    path.write_text(path.read_text().replace("path: stategate.db", "path: no/such/dir/s.db"))
    with running(path) as daemon:
        assert daemon.end() == 1
        assert "must exist" in daemon.logged("cannot go on")["reason"]


def test_systemd_hears_of_every_stage(tmp_path):
    """READY, the reload with its time, READY again, STOPPING: what Type=notify-reload waits for."""
    path = write_config(tmp_path, "")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)

        def told(wanted):
            while wanted not in (lines := manager.recv(4096).decode().split("\n")):
                pass
            return lines

        environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "100000"}
        with running(path, environment) as daemon:
            told("READY=1")
            told("WATCHDOG=1")
            daemon.signal(signal.SIGHUP)
            assert any(line.startswith("MONOTONIC_USEC=") for line in told("RELOADING=1"))
            told("READY=1")
            daemon.signal(signal.SIGTERM)
            told("STOPPING=1")
            assert daemon.end() == 0


def test_a_stop_during_the_start_is_obeyed(tmp_path):
    """A signal that comes before it is ready ends it all the same."""
    with running(write_config(tmp_path, "")) as daemon:
        while not (tmp_path / "stategate.db").exists():
            assert daemon.process.poll() is None
            time.sleep(0.001)
        assert daemon.stop() == 0
