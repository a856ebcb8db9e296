"""The Python activity worker, as a process of its own, against a small service over HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue

import pytest

from gateway.worker import _client

pytestmark = pytest.mark.slow

ARN = "arn:aws:states:us-east-1:123456789012:activity:pick"


class ActivityService(ThreadingHTTPServer):
    """Hands out ``tasks`` and notes every call; ``refusals``: answers that an operation gives."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tasks = Queue()
        self.calls = Queue()
        self.polled = threading.Event()
        self.refusals = {}

    @property
    def url(self):
        """What AWS_ENDPOINT_URL_SFN is set to."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_call(self, operation):
        """The next call of that operation; others in between are dropped."""
        while True:
            name, body = self.calls.get(timeout=20)
            if name == operation:
                return body

    def answer(self, operation, body):
        """HTTP status and document; a poll is parked until there is a task."""
        if operation == "GetActivityTask":
            self.polled.set()
            task = self.tasks.get()
            return 200, {"taskToken": task[0], "input": task[1]} if task else {}
        self.calls.put((operation, body))
        if codes := self.refusals.get(operation):
            return codes.pop(0)
        return 200, {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        operation = self.headers["x-amz-target"].partition(".")[2]
        status, answer = self.server.answer(operation, body)
        sent = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_):
        """Tests are quiet."""


def refusal(code):
    """How the API refuses with one of AWS's codes."""
    return 400, {"__type": code, "message": "no"}


@pytest.fixture
def service():
    """The service, listening."""
    server = ActivityService()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.tasks.put(None)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def start_worker(service, tmp_path):
    """Starts a worker whose handler is the given source text."""
    processes = []

    def start(handler, *, url=None, heartbeat="0.05"):
        source = tmp_path / "worker.py"
        source.write_text(f"from gateway.worker import run\n{handler}\nrun(handle)\n")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        environment |= {
            "AWS_ENDPOINT_URL_SFN": url or service.url,
            "ACTIVITY_ARN": ARN,
            "HEARTBEAT_SECONDS": heartbeat,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        process = subprocess.Popen(
            [sys.executable, source], env=environment, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_the_result_of_the_handler_is_the_output(service, start_worker):
    """What the handler returns is sent as SendTaskSuccess under the task's own token."""
    start_worker("def handle(order, context): return {'items': order['n'] * 2}")
    service.tasks.put(("t-1", '{"n": 21}'))
    sent = service.next_call("SendTaskSuccess")
    assert sent == {"taskToken": "t-1", "output": '{"items": 42}'}


def test_an_exception_fails_the_task_and_the_worker_goes_on(service, start_worker):
    """Error is the exception's class, cause Lambda's JSON; the next task is taken all the same."""
    start_worker(
        "class OutOfStock(Exception): pass\n"
        "def handle(order, context):\n"
        "    if order['n'] == 1: raise OutOfStock('no n')\n"
        "    return 'fine'"
    )
    service.tasks.put(("t-1", '{"n": 1}'))
    service.tasks.put(("t-2", '{"n": 2}'))
    failed = service.next_call("SendTaskFailure")
    assert (failed["taskToken"], failed["error"]) == ("t-1", "OutOfStock")
    cause = json.loads(failed["cause"])
    assert (cause["errorMessage"], cause["errorType"]) == ("no n", "OutOfStock")
    assert any("in handle" in line for line in cause["stackTrace"])
    assert service.next_call("SendTaskSuccess")["taskToken"] == "t-2"


def test_heartbeats_are_sent_while_the_handler_works(service, start_worker):
    """A handler that knows nothing of heartbeats is kept alive by them."""
    start_worker("import time\ndef handle(order, context): time.sleep(0.5); return 1")
    service.tasks.put(("t-1", "{}"))
    assert service.next_call("SendTaskHeartbeat") == {"taskToken": "t-1"}
    assert service.next_call("SendTaskSuccess")["output"] == "1"


def test_a_task_that_is_over_is_told_to_the_handler(service, start_worker):
    """TaskTimedOut on a heartbeat sets context.cancelled, and no answer is sent for that task."""
    service.refusals["SendTaskHeartbeat"] = [refusal("TaskTimedOut")]
    start_worker(
        "def handle(order, context):\n    if order: context.cancelled.wait(20)\n    return 'next'"
    )
    service.tasks.put(("t-1", "true"))
    service.tasks.put(("t-2", "false"))
    assert service.next_call("SendTaskSuccess") == {"taskToken": "t-2", "output": '"next"'}


def test_sigterm_lets_the_task_in_hand_finish(service, start_worker):
    """After SIGTERM the answer of the running task is still sent, then the process ends with 0."""
    worker = start_worker("import time\ndef handle(order, context): time.sleep(0.6); return 'done'")
    service.tasks.put(("t-1", "{}"))
    service.next_call("SendTaskHeartbeat")
    worker.send_signal(signal.SIGTERM)
    assert service.next_call("SendTaskSuccess")["output"] == '"done"'
    assert worker.wait(timeout=20) == 0


def test_sigterm_ends_an_idle_worker_at_once(service, start_worker):
    """A worker in the middle of a long poll does not wait for its end."""
    worker = start_worker("def handle(order, context): pass")
    assert service.polled.wait(20)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=5) == 0


def test_an_answer_is_repeated_until_it_is_taken(service, start_worker):
    """A daemon that is busy or starting anew (503) gets the answer later."""
    service.refusals["SendTaskSuccess"] = [(503, {"__type": "ServiceUnavailable"})]
    start_worker("def handle(order, context): return 'kept'")
    service.tasks.put(("t-1", "{}"))
    first = service.next_call("SendTaskSuccess")
    assert service.next_call("SendTaskSuccess") == first


def test_a_refused_output_fails_the_task(service, start_worker):
    """An output that the service never takes becomes a failure with the service's code."""
    service.refusals["SendTaskSuccess"] = [refusal("InvalidOutput")]
    start_worker("def handle(order, context): return 'too much'")
    service.tasks.put(("t-1", "{}"))
    assert service.next_call("SendTaskFailure")["error"] == "InvalidOutput"


def test_a_result_that_is_no_json_fails_the_task(service, start_worker):
    """What JSON cannot say is the handler's error, told as such."""
    start_worker("def handle(order, context): return {1, 2}")
    service.tasks.put(("t-1", "{}"))
    assert service.next_call("SendTaskFailure")["error"] == "TypeError"


def test_a_wrong_arn_ends_the_worker(service, start_worker, monkeypatch):
    """What no further poll would change ends the process with the service's words."""
    monkeypatch.setattr(service, "answer", lambda *_: refusal("InvalidArn"))
    worker = start_worker("def handle(order, context): pass")
    _, stderr = worker.communicate(timeout=20)
    assert worker.returncode == 1
    assert "InvalidArn" in stderr


def test_an_endpoint_that_is_away_is_waited_for(service, start_worker):
    """Without a daemon the worker backs off and says so instead of ending."""
    worker = start_worker("def handle(order, context): pass", url="http://127.0.0.1:9")
    seen = ""
    while "again in" not in seen:
        seen = worker.stderr.readline()
        assert seen
    assert worker.poll() is None


def test_a_worker_without_an_activity_says_what_is_missing():
    """ACTIVITY_ARN is named in the message."""
    environment = {k: v for k, v in os.environ.items() if k != "ACTIVITY_ARN"}
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.worker import run; run(print)"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "ACTIVITY_ARN" in done.stderr


@pytest.mark.parametrize("written", ["0", "-1", "nan", "inf", "soon"])
def test_an_interval_that_is_none_is_told(start_worker, written):
    """Without a pause between them, heartbeats would be all that the daemon hears."""
    worker = start_worker("def handle(order, context): pass", heartbeat=written)
    _, stderr = worker.communicate(timeout=20)
    assert worker.returncode == 1
    assert stderr.startswith("HEARTBEAT_SECONDS, or")
    assert f"not {written!r}" in stderr


def test_the_import_is_light():
    """Programs of users import it: it must not drag in boto3, trio or pydantic before it polls."""
    code = "import sys, gateway.worker; print(*{'boto3', 'trio', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_region_comes_from_the_environment(monkeypatch):
    """AWS_REGION says where AWS is, as its documentation promises; boto3 does not look at it."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_SFN", raising=False)
    assert _client(1.0).meta.endpoint_url == "https://states.eu-west-1.amazonaws.com"
