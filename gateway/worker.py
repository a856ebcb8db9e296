"""A Python activity worker in five lines::

    from gateway.worker import run

    def pick(order, context):
        return {"picked": order["items"]}

    run(pick)

It is imported by programs of users, so it needs nothing of ours: boto3 and threads, no trio, and
boto3 only once it polls. What it talks to may as well be AWS. The process takes one task at a time;
for more, run more processes (``workers.<name>.processes``).

``AWS_ENDPOINT_URL_SFN``, ``AWS_REGION``, ``ACTIVITY_ARN`` and, where wished, ``HEARTBEAT_SECONDS``
and ``WORKER_NAME`` come from the environment; the daemon sets them for the workers that it runs.

A task stays with its worker until it answers or its time is up: give the state HeartbeatSeconds, so
that the task of a worker that was killed times out and Retry hands it to another one.
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import select
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

Json: TypeAlias = Any

log = logging.getLogger("gateway.worker")

_POLL_READ_SECONDS = 75.0
"""Above the 60 seconds of a long poll."""
_CALL_READ_SECONDS = 20.0
_BACK_OFF_SECONDS = (0.5, 30.0)
_CAUSE_CHARACTERS = 32_000
"""SendTaskFailure takes a cause of 32,768 characters."""
_TASK_IS_OVER = frozenset({"TaskTimedOut", "TaskDoesNotExist", "InvalidToken"})
_MAY_PASS = frozenset(
    {"ActivityDoesNotExist", "ThrottlingException", "ActivityWorkerLimitExceeded"}
)
"""Answers below 500 that another attempt may not get: the activity may be registered any moment."""


@dataclass(frozen=True)
class Context:
    """What a handler may know of its task besides the input."""

    token: str
    """The task token, for calls of one's own."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set when a heartbeat learned that the task is over (timed out, stopped): nobody waits for the
    result any more. A long handler looks at it and returns early."""


Handler: TypeAlias = Callable[[Json, Context], Json]
"""``handler(input, context)`` returns the output. An exception fails the task: the error is the
name of its class, the cause Lambda's JSON text with errorMessage, errorType and stackTrace."""


def run(
    handler: Handler, *, activity_arn: str | None = None, heartbeat_seconds: float | None = None
) -> None:
    """Answer the activity's tasks until SIGTERM or SIGINT: the task in hand is finished first.

    The heartbeat is sent every ``heartbeat_seconds`` (else HEARTBEAT_SECONDS, else 10): keep it
    well below the state's HeartbeatSeconds. Raises SystemExit where no activity is named, and for
    an interval that is none.
    """
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    arn = activity_arn or os.environ.get("ACTIVITY_ARN")
    if not arn:
        raise SystemExit(
            "Set ACTIVITY_ARN to the activity's ARN, or call run(..., activity_arn=...)."
        )
    worker = Worker(handler, arn, _interval(heartbeat_seconds))
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
    threading.Thread(target=_outlive_reader, daemon=True, name="output").start()
    worker.run()


def _interval(given: float | None) -> float:
    written = os.environ.get("HEARTBEAT_SECONDS", "10") if given is None else given
    with suppress(ValueError):
        if 0 < (seconds := float(written)) < math.inf:
            return seconds
    raise SystemExit(
        "HEARTBEAT_SECONDS, or heartbeat_seconds of run(...), has to be a number above 0, "
        f"not {written!r}."
    )


def _outlive_reader() -> None:
    """Let what is printed go nowhere as soon as nobody reads it: after a kill -9 of the daemon, a
    print of the handler would otherwise fail its task."""
    outputs = select.poll()
    left = {1, 2}
    for descriptor in left:
        outputs.register(descriptor, 0)
    while left:
        for descriptor, event in outputs.poll():
            if event & select.POLLERR:
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
            outputs.unregister(descriptor)
            left.discard(descriptor)


class Worker:
    """One worker: polls in a thread, so that a stop need not wait for the end of a long poll, and
    runs the handler in the thread that called ``run``."""

    def __init__(
        self, handler: Handler, activity_arn: str, heartbeat_seconds: float = 10.0
    ) -> None:
        self.name = os.environ.get("WORKER_NAME") or f"{socket.gethostname()}-{os.getpid()}"
        self._handler = handler
        self._arn = activity_arn
        self._heartbeat_seconds = heartbeat_seconds
        self._calls = _client(_CALL_READ_SECONDS)
        # Both are touched by a signal handler, hence no Event here: its lock is not reentrant.
        self._stopping = False
        self._inbox: SimpleQueue[dict[str, str] | Exception | None] = SimpleQueue()
        self._wanted = threading.Semaphore(0)

    def stop(self) -> None:
        """Take no further task. May be called from a signal handler or another thread."""
        self._stopping = True
        self._inbox.put(None)

    def run(self) -> None:
        """Until ``stop``. Raises what polling can never get over, such as a wrong ARN."""
        threading.Thread(target=self._poll_when_wanted, daemon=True, name="poll").start()
        log.info("polling %s as %s", self._arn, self.name)
        while not self._stopping:
            self._wanted.release()
            self._take(self._inbox.get())
        # The poll may have brought a task in the instant of the stop: it is ours, so it is done.
        try:
            self._take(self._inbox.get_nowait())
        except Empty:
            log.info("stopped")

    def _take(self, arrived: dict[str, str] | Exception | None) -> None:
        if isinstance(arrived, Exception):
            raise arrived
        if arrived is not None:
            self._work(arrived["input"], Context(arrived["taskToken"]))

    # ------------------------------------------------------------------------- polling

    def _poll_when_wanted(self) -> None:
        client = _client(_POLL_READ_SECONDS)
        while self._wanted.acquire():
            try:
                self._inbox.put(self._poll(client))
            except Exception as error:
                self._inbox.put(error)  # run() raises it in its own thread

    def _poll(self, client: Any) -> dict[str, str]:
        def ask() -> Any:
            return client.get_activity_task(activityArn=self._arn, workerName=self.name[:80])

        answer: dict[str, str] = {}
        while not answer.get("taskToken"):
            answer = _insist(ask, "GetActivityTask")
        return answer

    # ------------------------------------------------------------------------- working

    def _work(self, task_input: str, context: Context) -> None:
        done = threading.Event()
        beats = threading.Thread(target=self._beat, args=(context, done), daemon=True, name="beat")
        beats.start()
        try:
            self._answer(task_input, context)
        finally:
            done.set()
            beats.join()

    def _beat(self, context: Context, done: threading.Event) -> None:
        while not done.wait(self._heartbeat_seconds):
            try:
                self._calls.send_task_heartbeat(taskToken=context.token)
            except Exception as error:
                # Anything but the end of the task may have passed by the next beat.
                if _code(error) in _TASK_IS_OVER:
                    log.warning("the task is over (%s); telling the handler", _code(error))
                    context.cancelled.set()
                    return
                log.warning("heartbeat failed: %s", error)

    def _answer(self, task_input: str, context: Context) -> None:
        try:
            output = json.dumps(self._handler(json.loads(task_input), context))
        except BaseException as error:
            log.exception("the handler failed")
            self._fail(context, type(error).__name__, _cause(error))
            if not isinstance(error, Exception):
                raise
        else:
            self._succeed(context, output)

    def _succeed(self, context: Context, output: str) -> None:
        call = self._calls.send_task_success
        try:
            self._send(context, lambda: call(taskToken=context.token, output=output))
        except Exception as error:
            # The answer itself was refused, as one over 256 KiB is: better a failure than silence.
            log.exception("the output was refused")
            self._fail(context, _code(error) or type(error).__name__, str(error))

    def _fail(self, context: Context, error: str, cause: str) -> None:
        call = self._calls.send_task_failure
        fields = {"error": error[:256], "cause": cause[:_CAUSE_CHARACTERS]}
        self._send(context, lambda: call(taskToken=context.token, **fields))

    def _send(self, context: Context, call: Callable[[], object]) -> None:
        if context.cancelled.is_set():
            return
        try:
            _insist(call, "the answer", context.cancelled.is_set)
        except Exception as error:
            if _code(error) not in _TASK_IS_OVER and not context.cancelled.is_set():
                raise
            log.warning("the answer came too late: %s", error)


def _insist(call: Callable[[], Any], what: str, give_up: Callable[[], bool] = lambda: False) -> Any:
    """Call until it gets through; raises what no further attempt would change."""
    first, longest = _BACK_OFF_SECONDS
    pause = first
    while True:
        try:
            return call()
        except Exception as error:
            if not _may_pass(error) or give_up():
                raise
            log.warning("%s failed, again in %.1f s: %s", what, pause, error)
        time.sleep(pause * random.uniform(0.8, 1.2))
        pause = min(pause * 2, longest)


def _may_pass(error: Exception) -> bool:
    from botocore import exceptions

    if not isinstance(error, exceptions.ClientError):
        return isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or status == 429 or _code(error) in _MAY_PASS


def _code(error: BaseException) -> str | None:
    """AWS's code of a refusal, None for anything else."""
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None


def _cause(error: BaseException) -> str:
    """Like Lambda's; the oldest lines of a long trace go first."""
    trace = [line.rstrip("\n") for line in traceback.format_exception(error)]
    said = {"errorMessage": str(error)[:8_000], "errorType": type(error).__name__}
    while len(cause := json.dumps({**said, "stackTrace": trace})) > _CAUSE_CHARACTERS:
        trace = trace[1:]
    return cause


def _client(read_seconds: float) -> Any:
    """A Step Functions client; unsigned where the environment has no credentials."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    session = boto3.Session()
    config = Config(
        connect_timeout=5,
        read_timeout=read_seconds,
        retries={"total_max_attempts": 1},
        signature_version=None if session.get_credentials() else UNSIGNED,
    )
    # boto3 alone would pass over AWS_REGION, which AWS's other SDKs ask first.
    region = os.environ.get("AWS_REGION") or session.region_name or "us-east-1"
    return session.client("stepfunctions", region_name=region, config=config)
