"""The daemon as a real process, for the tests of the daemon and of the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import contextmanager

import httpx

SECONDS = 30.0
"""How long a test waits for what should happen at once."""

PASS = '{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}'
PICK = """
{"StartAt": "Pick", "States": {"Pick": {
  "Type": "Task", "Resource": "arn:aws:states:us-east-1:123456789012:activity:pick", "End": true}}}
"""


class DaemonProcess:
    """``stategate run`` on a file that the test may change."""

    def __init__(self, path, environment=None):
        self.path = path
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", str(path)],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
        self.entries = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            try:
                entry = json.loads(line)
            except ValueError:
                entry = {"event": line.decode(errors="replace").rstrip("\n")}
            with self._changed:
                self.entries.append(entry)
                self._changed.notify_all()
        with self._changed:
            self.entries.append({"event": "(end of the log)"})
            self._changed.notify_all()

    def logged(self, event, **members):
        """Waits for a log entry with that event and those members; returns it."""

        def found():
            return next((entry for entry in self.entries if _fits(entry, event, members)), None)

        with self._changed:
            done = self._changed.wait_for(
                lambda: (
                    found() or _fits(self.entries[-1], "(end of the log)", {})
                    if self.entries
                    else None
                ),
                SECONDS,
            )
            assert done, self.entries
            entry = found()
            assert entry is not None, self.entries
            return entry

    def ready(self):
        """Waits until it is; returns itself."""
        summary = self.logged("ready")["summary"]
        self.url = summary.rpartition("API at ")[2]
        return self

    def health(self):
        """What /healthz says."""
        return httpx.get(f"{self.url}/healthz", timeout=SECONDS).json()

    def aws(self, operation, **members):
        """An operation of AWS Step Functions."""
        return self._call(f"AWSStepFunctions.{operation}", members)

    def own(self, operation, **members):
        """An operation of Stategate's own."""
        return self._call(f"Stategate.{operation}", members)

    def _call(self, target, members):
        headers = {"X-Amz-Target": target}
        answer = httpx.post(self.url, json=members, headers=headers, timeout=SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def until(self, look):
        """Waits until ``look()`` is true and returns what it is."""
        deadline = time.monotonic() + SECONDS
        while not (seen := look()):
            assert time.monotonic() < deadline, self.entries
            time.sleep(0.02)
        return seen

    def signal(self, number):
        """Sends a signal."""
        self.process.send_signal(number)

    def end(self):
        """Waits for the end; returns the exit code."""
        code = self.process.wait(SECONDS)
        self._reader.join()
        return code

    def stop(self):
        """SIGTERM, and the end of it."""
        self.signal(signal.SIGTERM)
        return self.end()


@contextmanager
def running(path, environment=None):
    """A daemon on that file; killed at the end if it is still there."""
    daemon = DaemonProcess(path, environment)
    try:
        yield daemon
    finally:
        daemon.process.kill()
        daemon.end()
        daemon.process.stderr.close()


def write_config(directory, text):
    """A configuration with free ports and a database in the directory, and its machines."""
    (directory / "pass.asl.json").write_text(PASS)
    (directory / "pick.asl.json").write_text(PICK)
    path = directory / "stategate.yaml"
    head = "store: { path: stategate.db }\napi: { listen: 127.0.0.1:0 }\n"
    head += "hooks: { listen: 127.0.0.1:0 }\n"
    path.write_text(head + textwrap.dedent(text))
    return path


def _fits(entry, event, members):
    return entry["event"] == event and members.items() <= entry.items()
