"""Sinks that answer 500, hang, redirect, say 410 or are gone: each is told of for itself, holds up
no other, and has everything in the end, or letters have it."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.e2e.clients import ARN, ended, machine, step_functions
from tests.e2e.process import DaemonProcess, free_port, until

pytestmark = pytest.mark.slow

SINKS = ("good", "failing", "hanging", "redirecting", "closed", "away")
CONFIG = """
store: {{ path: sinks.db }}
api: {{ listen: "127.0.0.1:{api}" }}
machines: {{ take: {{ definition: take.asl.json }} }}
sinks:
"""
SINK = """
  {name}:
    to: {{ type: webhook, url: "{url}/{name}", allow_private: true, timeout: 1s }}
    retry: {{ first: 200ms, factor: 1, max: 1s }}
"""


class Sick:
    """A receiver whose paths are each ill in another way, until ``well`` is set."""

    def __init__(self, port: int) -> None:
        self.well = threading.Event()
        self.asked: dict[str, list[str]] = defaultdict(list)
        """The notification ids that were sent to a path, refused ones included."""
        self.taken: dict[str, list[str]] = defaultdict(list)
        """Those that were accepted."""
        sick = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                name, notification = self.path[1:], self.headers["webhook-id"]
                sick.asked[name].append(notification)
                if name == "hanging" and not sick.well.wait(3):
                    self.close_connection = True
                    return
                status, location = sick.answer(name)
                if status < 300:
                    sick.taken[name].append(notification)
                self.send_response(status)
                for header, value in (("Location", location), ("Content-Length", "0")):
                    if value:
                        self.send_header(header, value)
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, name: str) -> tuple[int, str]:
        """Status and Location of an answer."""
        if name == "closed":
            return 410, ""
        if self.well.is_set() or name not in {"failing", "redirecting"}:
            return 204, ""
        return (500, "") if name == "failing" else (308, "/elsewhere")

    def close(self) -> None:
        """Take no more."""
        self.well.set()
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def receiver():
    """All of them ill."""
    sick = Sick(0)
    yield sick
    sick.close()


def test_each_ailing_sink_is_told_of_and_has_its_due(receiver, tmp_path):
    """/healthz says of each what is wrong; nobody waits for another; well again, each has every
    notification under the id that it was refused with."""
    (tmp_path / "take.asl.json").write_text(machine(Take={"Type": "Pass", "End": True}))
    api, away = free_port(), free_port()
    urls = dict.fromkeys(SINKS, f"http://127.0.0.1:{receiver.server.server_port}")
    urls["away"] = f"http://127.0.0.1:{away}"
    config = tmp_path / "sinks.yaml"
    sinks = (SINK.format(name=name, url=url) for name, url in urls.items())
    config.write_text(CONFIG.format(api=api) + "".join(sinks))
    with DaemonProcess(config, api) as daemon, step_functions(daemon.url) as client:

        def errors() -> dict[str, str | None]:
            return {name: told["last_error"] for name, told in daemon.health()["sinks"].items()}

        def run(name: str) -> None:
            take = f"{ARN}:stateMachine:take"
            arn = client.start_execution(stateMachineArn=take, name=name)["executionArn"]
            ended(client, arn)

        run("one")
        until(lambda: len([e for e in errors().values() if e]) == 5, 20, "five are ill")
        told = errors()
        assert told["good"] is None
        assert told["failing"].startswith("answered 500")
        assert told["hanging"] == "no answer within 1 s"
        assert told["redirecting"].startswith("answered 308, a redirect, which is not followed")
        assert told["away"].startswith("ConnectError")
        assert told["closed"].startswith("answered 410")
        health = daemon.health()
        assert health["ready"] is True
        assert health["sinks"]["closed"]["state"] == "gone"
        run("two")
        until(lambda: len(receiver.taken["good"]) == 2, 10, "the good one hears of both")
        assert "elsewhere" not in receiver.asked
        assert daemon.health()["sinks"]["failing"]["waiting"] == 2

        receiver.well.set()
        revived = Sick(away)
        revived.well.set()
        receiver.taken["away"] = revived.taken["away"]
        well = [name for name in SINKS if name != "closed"]
        until(lambda: all(len(set(receiver.taken[n])) == 2 for n in well), 30, "each has both")
        for name in ("failing", "hanging", "redirecting"):
            assert set(receiver.taken[name]) == set(receiver.asked[name])
        until(
            lambda: all(told["waiting"] == 0 for told in daemon.health()["sinks"].values()),
            10,
            "nothing waits any more",
        )
        listed = {"X-Amz-Target": "Stategate.ListLetters"}
        letters = httpx.post(daemon.url, json={}, headers=listed).json()["letters"]
        assert [letter["origin"] for letter in letters] == ["closed", "closed"]
        assert all(letter["reason"].startswith("answered 410") for letter in letters)
        assert len(receiver.asked["closed"]) == 1
        assert daemon.stop() == 0
        revived.close()
    lines = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    assert not any("exception" in line for line in lines)
