"""A process that answers tasks and notes what came of it: ``python -m tests.kills.worker``.

It is written on bare HTTP: it starts in a moment, as it is killed often, and it does what no decent
worker does: fails tasks, answers twice, lets a task's time run out and answers then.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

HEARTBEAT_SECONDS = 2


class Journal:
    """Lines of JSON in a file that several processes append to."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, what: str, token: str, name: str) -> None:
        """One line, in one write: a kill leaves no half of it."""
        line = {"at": time.monotonic(), "what": what, "token": short(token), "name": name}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def short(token: str) -> str:
    """A token as the journal and the outputs show it."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


class Api:
    """The calls of a worker; None where there was no answer."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=75)

    def call(self, operation: str, **arguments: Any) -> tuple[int, dict[str, Any]] | None:
        """Status and document of the answer."""
        headers = {
            "X-Amz-Target": f"AWSStepFunctions.{operation}",
            "Content-Type": "application/x-amz-json-1.0",
        }
        try:
            self._connection.request("POST", "/", json.dumps(arguments), headers)
            answer = self._connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except (OSError, http.client.HTTPException):
            self._connection.close()
            time.sleep(0.05)
            return None


def answer(api: Api, journal: Journal, token: str, name: str, *, success: bool) -> None:
    """Send the answer until it is known what came of it."""
    journal.note("succeeding" if success else "failing", token, name)
    while True:
        if success:
            output = json.dumps({"token": short(token)})
            told = api.call("SendTaskSuccess", taskToken=token, output=output)
        else:
            told = api.call("SendTaskFailure", taskToken=token, error="Moody", cause="the dice")
        if told is None:
            # Perhaps it was taken and the answer was lost: the next attempt may be refused then.
            journal.note("unknown", token, name)
            continue
        status, document = told
        if status == 200:
            journal.note("succeeded" if success else "failed", token, name)
            return
        if status >= 500:
            time.sleep(0.05)
            continue
        kind = document["__type"].rpartition("#")[2]
        journal.note(f"refused {kind}", token, name)
        return


def work(api: Api, journal: Journal, activity: str, dice: Random) -> None:
    """One task."""
    polled = api.call("GetActivityTask", activityArn=activity, workerName=f"w{os.getpid()}")
    if polled is None or polled[0] != 200 or not polled[1].get("taskToken"):
        return
    token, name = polled[1]["taskToken"], json.loads(polled[1]["input"])["id"]
    journal.note("taken", token, name)
    drawn = dice.random()
    if drawn < 0.02:
        time.sleep(HEARTBEAT_SECONDS + 1)
    elif drawn < 0.1:
        api.call("SendTaskHeartbeat", taskToken=token)
    answer(api, journal, token, name, success=drawn < 0.95)
    if dice.random() < 0.1:
        answer(api, journal, token, name, success=True)


def main() -> None:
    """Until killed."""
    port, activity, journal_path, seed = sys.argv[1:]
    api, journal, dice = Api(int(port)), Journal(Path(journal_path)), Random(seed)
    while True:
        work(api, journal, activity, dice)


if __name__ == "__main__":
    main()
