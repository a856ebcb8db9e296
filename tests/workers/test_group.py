"""Worker processes under supervision: real processes, stopped, killed, restarted."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
import trio

from gateway.processes.process import resolved
from gateway.workers.environment import Post, environment
from gateway.workers.group import WorkerGroup
from gateway.workers.settings import WorkerSettings

POST = Post(
    "arn:aws:states:us-east-1:123456789012:activity:pick", "http://127.0.0.1:1", "us-east-1"
)
UNTIL_KILLED = "import time\nprint('up')\nwhile True: time.sleep(1)"
DEAF = (
    "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\nwhile True: time.sleep(1)"
)


async def until(condition):
    """Waits for processes, which tell nobody of what they do."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


class Log:
    """Keeps what is logged and wakes those who wait for it."""

    def __init__(self, lines=None, bound=None):
        self.lines = [] if lines is None else lines
        self._bound = bound or {}

    def bind(self, **values):
        """Like structlog's."""
        return Log(self.lines, {**self._bound, **values})

    def info(self, event, **values):
        """Like structlog's."""
        self.lines.append((event, {**self._bound, **values}))

    warning = info

    async def until(self, event, count=1):
        """Waits for the event to have been logged so often; returns the last one's values."""

        def found():
            return [values for said, values in self.lines if said == event]

        await until(lambda: len(found()) >= count)
        return found()[count - 1]


def settings(code, **more):
    """One process of a Python program."""
    return WorkerSettings.model_validate(
        {"activity": "pick", "command": [sys.executable, "-c", code], "restart": "10ms", **more}
    )


def group(worker, log, hurry=None):
    """A group that is not running yet."""
    hurry = trio.Event() if hurry is None else hurry
    return WorkerGroup("picker", worker, POST, hurry=hurry, now=lambda: 7, log=log)


def alive(pid):
    """Whether that process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_it_is_given_its_post_and_its_output_is_logged():
    """Endpoint, region, credentials and ARN are in the environment; lines are logged by name."""
    names = "ACTIVITY_ARN AWS_ENDPOINT_URL_SFN AWS_REGION AWS_DEFAULT_REGION WORKER_NAME EXTRA"
    code = f"import os, time\nprint(*[os.environ[n] for n in '{names}'.split()])\ntime.sleep(60)"
    log = Log()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group(settings(code, env={"EXTRA": "x"}), log).run)
        said = f"{POST.activity_arn} {POST.endpoint_url} us-east-1 us-east-1 picker-1 x"
        assert (await log.until(said))["worker"] == "picker-1"
        nursery.cancel_scope.cancel()


async def test_a_process_that_ends_is_started_again_and_it_shows():
    """Exit code, restarts and the present process are logged and in the status."""
    log = Log()
    picker = group(settings("raise SystemExit(3)"), log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(picker.run)
        ended = await log.until("worker ended", 2)
        assert ended["exit"] == "exit code 3"
        assert (await log.until("worker started", 3))["restarts"] == 2
        assert picker.status()["restarts"] >= 2
        assert picker.status()["processes"][0]["last_exit"] == "exit code 3"
        nursery.cancel_scope.cancel()
    assert picker.status()["state"] == "stopped"


async def test_a_killed_process_is_replaced():
    """SIGKILL from outside is named, and a new process runs; the other one is left alone."""
    log = Log()
    picker = group(settings(UNTIL_KILLED, processes=2), log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(picker.run)
        await log.until("worker started", 2)
        first, second = (process.pid for process in picker.processes)
        os.kill(first, signal.SIGKILL)
        assert (await log.until("worker ended"))["exit"] == "killed by SIGKILL"
        await log.until("worker started", 3)
        assert picker.processes[1].pid == second
        assert picker.status()["state"] == "running"
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "missing", [{"command": ["/no/such"]}, {"command": ["python"], "cwd": Path("/no/such")}]
)
async def test_a_program_that_is_missing_is_told_and_tried_again(missing):
    """A command that cannot be started says why, in words, and goes on being tried."""
    log = Log()
    worker = WorkerSettings.model_validate({"activity": "a", "restart": "10ms", **missing})
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group(worker, log).run)
        ended = (await log.until("worker ended", 2))["exit"]
        assert ended == "cannot start: No such file or directory: /no/such"
        nursery.cancel_scope.cancel()


async def test_cancelling_lets_a_worker_finish():
    """SIGTERM first; what the worker says while it stops is still logged."""
    code = (
        "import signal, sys, time\n"
        "def end(*_): time.sleep(0.1); print('finished'); sys.exit()\n"
        "signal.signal(15, end)\nprint('up')\nwhile True: time.sleep(1)"
    )
    log = Log()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(group(settings(code), log).run)
        await log.until("up")
        nursery.cancel_scope.cancel()
    assert await log.until("finished")


async def test_a_deaf_worker_and_its_children_are_killed_after_the_grace():
    """SIGKILL goes to the whole group: nothing of it is left."""
    code = (
        "import signal, subprocess, sys\nsignal.signal(15, signal.SIG_IGN)\n"
        "child = subprocess.Popen(['sleep', '300'])\nprint(child.pid)\nsignal.pause()\n"
        "while True: signal.pause()"
    )
    log = Log()
    picker = group(settings(code, stop_grace="100ms"), log)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(picker.run)
        pid = (await log.until("worker started"))["pid"]
        await until(lambda: len(log.lines) >= 2)
        child = int(log.lines[1][0])
        nursery.cancel_scope.cancel()
    assert not alive(pid)
    await until(lambda: not alive(child))


async def test_hurry_cuts_the_grace_short():
    """A second SIGTERM to the daemon leaves a worker no more time."""
    log, hurry = Log(), trio.Event()
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(group(settings(DEAF, stop_grace="1h"), log, hurry).run)
            await log.until("up")
            nursery.cancel_scope.cancel()
            hurry.set()


async def test_workers_end_with_a_daemon_that_was_killed():
    """The warden stops them, with SIGKILL in the end, when nobody is left who could."""
    daemon = (
        "import trio\n"
        "from tests.workers.test_group import DEAF, group, settings, Log\n"
        "async def main():\n"
        "    async with trio.open_nursery() as n:\n"
        "        log = Log()\n"
        "        n.start_soon(group(settings(DEAF, stop_grace='200ms'), log).run)\n"
        "        await log.until('up')\n"
        "        print([v['pid'] for e, v in log.lines if e == 'worker started'][0], flush=True)\n"
        "        await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    process = await trio.lowlevel.open_process([sys.executable, "-c", daemon], stdout=-1)
    async with process.stdout:
        with trio.fail_after(20):
            worker = int(await process.stdout.receive_some())
        assert alive(worker)
        process.kill()
        await process.wait()
    await until(lambda: not alive(worker))


async def test_the_pause_doubles_up_to_the_longest():
    """1 s, 2 s, 4 s … and never more than ``restart_max``."""
    picker = group(settings("", restart="1s", restart_max="10s"), Log())
    assert [picker._pause(n) for n in (1, 2, 3, 4, 5, 10_000)] == [1, 2, 4, 8, 10, 10]


def test_credentials_are_made_up_only_where_there_are_none(tmp_path):
    """A worker that has an account keeps it, be it from the environment, the file or ~/.aws."""
    worker = settings("")

    def key(inherited, worker=worker):
        return environment(inherited, POST, worker, "p-1").get("AWS_ACCESS_KEY_ID")

    assert key({}) == "stategate"
    assert key({"AWS_ACCESS_KEY_ID": "mine"}) == "mine"
    assert key({"AWS_PROFILE": "shop"}) is None
    assert key({}, settings("", env={"AWS_ACCESS_KEY_ID": "file"})) == "file"
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").touch()
    assert key({"HOME": str(tmp_path)}) is None


def test_what_systemd_told_the_daemon_is_kept_from_workers():
    """A worker must not be able to tell systemd that the daemon is well."""
    given = environment({"NOTIFY_SOCKET": "/x", "PATH": "/bin"}, POST, settings(""), "p-1")
    assert "NOTIFY_SOCKET" not in given
    assert given["PATH"] == "/bin"


def test_plain_python_is_the_daemons_own():
    """``python`` finds what was installed beside the daemon; a path is taken as it is."""
    plain = WorkerSettings.model_validate({"activity": "a", "command": ["python", "-m", "shop"]})
    assert resolved(plain.command) == [sys.executable, "-m", "shop"]
    path = WorkerSettings.model_validate({"activity": "a", "command": ["/usr/bin/python3"]})
    assert resolved(path.command) == ["/usr/bin/python3"]
