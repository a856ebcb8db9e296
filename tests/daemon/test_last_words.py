"""How the daemon ends when it cannot go on: words for what was to be expected, traces for bugs."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from gateway.daemon.fatal import fatal_lines
from gateway.daemon.logs import configure_logs
from gateway.errors import ConfigError, Problem
from gateway.store.failures import StoreBusy, StoreClosed, StoreFull

DATABASE = Path("/srv/s.db")


@pytest.fixture
def log():
    """Standard error as it is away from a terminal; the configuration of before is put back."""
    stream = io.StringIO()
    configure_logs(stream)
    yield stream
    structlog.reset_defaults()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)


def test_what_was_to_be_expected_is_a_line():
    """One for each problem, the same ones once, out of whatever groups they came in."""
    problems = ConfigError([Problem("api.listen", "cannot"), Problem("grace", "no")])
    group = BaseExceptionGroup("", [problems, ExceptionGroup("", [StoreBusy("held by 7")])])
    assert fatal_lines(group, DATABASE) == ["api.listen: cannot", "grace: no", "held by 7"]
    assert fatal_lines(StoreClosed("the disk has failed"), DATABASE) == ["the disk has failed"]
    full = "the disk is full: make room for /srv/s.db, then try again"
    assert fatal_lines(StoreFull(), DATABASE) == [full]


def test_a_bug_has_no_line():
    """Also where an expected error came with it."""
    assert fatal_lines(ValueError(), DATABASE) is None
    assert fatal_lines(ExceptionGroup("", [StoreBusy(""), KeyError()]), DATABASE) is None


def test_away_from_a_terminal_each_entry_is_one_line_of_json(log):
    """Time, level and event first; a trace is one member, and says no values of variables."""
    structlog.get_logger("x").info("ready", count=3)
    secret = "hunter2"
    try:
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger("x").exception("failed", odd={1: object()})
    logging.getLogger("aiokafka").warning("away: %s", "b-1")
    ready, failed, library = map(json.loads, log.getvalue().splitlines())
    assert list(ready) == ["timestamp", "level", "event", "count"]
    assert "ValueError: 7" in failed["exception"]
    assert "hunter2" not in log.getvalue()
    assert (library["event"], library["logger"]) == ("away: b-1", "aiokafka")


def test_on_a_terminal_it_is_for_people():
    """No JSON, and no values of variables there either."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    configure_logs(stream)
    secret = "hunter2"
    try:
        raise ValueError(len(secret))
    except ValueError:
        structlog.get_logger("x").exception("failed")
    structlog.reset_defaults()
    logging.basicConfig(handlers=[logging.NullHandler()], force=True)
    assert "failed" in stream.getvalue()
    assert "hunter2" not in stream.getvalue()


@pytest.mark.slow
def test_a_stuck_drain_ends_with_tracebacks():
    """What does not end is ended: exit code 1, and where each thread was."""
    code = (
        "import trio\n"
        "from gateway.daemon import stopping\n"
        "from gateway.daemon.signals import Stop\n"
        "stopping.STUCK_SECONDS = 0.3\n"
        "async def never_ends():\n"
        "    with trio.CancelScope(shield=True):\n"
        "        await trio.sleep(60)\n"
        "async def main():\n"
        "    async with trio.open_nursery() as nursery:\n"
        "        everything = trio.CancelScope()\n"
        "        nursery.start_soon(stopping.limit_drain, Stop(), 0.2, everything)\n"
        "        with everything:\n"
        "            await never_ends()\n"
        "trio.run(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "most recent call first" in done.stderr


def test_a_log_that_cannot_be_written_fails_nobody():
    """The disk of the log is full, as that of the database may be: lines are lost, no more."""
    program = """
import sys, logging, structlog
from gateway.daemon.logs import configure_logs
with open("/dev/full", "w") as full:
    configure_logs(full)
    for _ in range(1000):
        structlog.get_logger("x").error("the disk is full")
        logging.getLogger("y").warning("so it is")
    sys.stdout.write("alive")
    sys.stdout.flush()
    import os
    os._exit(0)  # Closing such a file would raise.
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "alive", "")
