"""Every kind of file call of the daemon fails in turn, while it starts, works and stops: it carries
on or ends loudly, and what it promised is there. ``FAULTS=every`` (``make faults``) fails each
single call in every way; otherwise so many faults are spread over all of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import httpx
import pytest

from tests.e2e.process import until
from tests.faults.examine import check_promises, copied, examine
from tests.faults.shim import Action, Call, Place, Shim
from tests.faults.traffic import Traffic, call, traffic

pytestmark = pytest.mark.slow

FAULTS = os.environ.get("FAULTS", "8")
"""How many of each test, or ``every``."""
SECONDS = 60.0
"""What takes longer hangs; nothing here depends on it being exact."""
WRITING = (Action.IO_ERROR, Action.DISK_FULL, Action.SHORT, Action.SHORT_THEN_FULL, Action.TORN)
ACTIONS: dict[Call, Sequence[Action]] = {
    Call.WRITE: WRITING,
    Call.READ: (Action.IO_ERROR, Action.SHORT),
    Call.OPEN: (Action.IO_ERROR, Action.DISK_FULL),
    Call.TRUNCATE: (Action.IO_ERROR, Action.DISK_FULL),
    Call.SYNC: (Action.IO_ERROR, Action.DISK_FULL),
}
"""How each kind of call fails; those that are not named fail with an I/O error."""
FATAL = {
    *((Call.WRITE, how) for how in (Action.IO_ERROR, Action.TORN)),
    *((Call.SYNC, how) for how in (Action.IO_ERROR, Action.DISK_FULL)),
}
"""What must end a daemon that works."""
HARMLESS = {(Call.WRITE, how) for how in WRITING} - FATAL
"""What it must get over."""


HISTORY = re.compile(
    "ExecutionStarted TaskStateEntered "
    "(ActivityScheduled (ActivityStarted )?ActivityTimedOut )*"
    "ActivityScheduled ActivityStarted ActivitySucceeded TaskStateExited "
    "WaitStateEntered WaitStateExited SucceedStateEntered SucceedStateExited ExecutionSucceeded"
)
"""A hand-out that a kill cut off times out; everything else is there once."""


class Fault(tuple[Place, Action, int]):
    """The n-th call of a place, and how it fails."""

    __slots__ = ()

    def __str__(self) -> str:
        place, action, nth = self
        return f"{place} {action.name} at the {nth}th"


def spread(calls: Counter[Place]) -> list[Fault]:
    """Which of so many calls fail, and how: the first, the middle and the last one of each kind and
    of these as many as are wanted, or every one."""
    found = []
    for place, times in sorted(calls.items()):
        actions = ACTIONS.get(place.call, (Action.IO_ERROR,))
        if FAULTS == "every":
            found += [Fault((place, how, n)) for n in range(1, times + 1) for how in actions]
            continue
        chosen = list(dict.fromkeys((1, (times + 1) // 2, times)))
        for n in range(max(len(chosen), len(actions))):
            found.append(Fault((place, actions[n % len(actions)], chosen[n % len(chosen)])))
    wanted = len(found) if FAULTS == "every" else min(int(FAULTS), len(found))
    return [found[n * len(found) // wanted] for n in range(wanted)]


class Story:
    """A daemon with its traffic under faults, one after the other, over one database."""

    def __init__(self, running: Traffic, shim: Shim) -> None:
        self.traffic = running
        self.daemon = running.daemon
        self.shim = shim
        self.struck = 0
        """How many faults the daemon met, whether it ended or not."""

    # --------------------------------------------------------------------------- the stages

    def counted_start(self) -> Counter[Place]:
        """The calls of a start after a kill."""
        before = self.shim.calls()
        self.daemon.start()
        return self.shim.calls() - before

    def start_under(self, fault: Fault) -> None:
        """A start after a kill, or after a start that failed."""
        self.daemon.kill()
        self._arm(fault)
        self.daemon.start(wait=False)
        until(lambda: self.ended or self.ready, SECONDS, f"{fault}: it is up, or has ended")
        self._judge(fault)

    def work_under(self, fault: Fault) -> None:
        """Traffic, until the fault has struck and something more has been promised or it ended."""
        place, action, _ = fault
        self._arm(fault)
        until(lambda: self.ended or self.shim.hits, SECONDS, f"{fault}: it strikes")
        seen = self.traffic.promises

        def decided() -> bool:
            fatal = (place.call, action) in FATAL
            return self.ended or (not fatal and self.traffic.promises >= seen + 4)

        until(decided, SECONDS, f"{fault}: it carries on, or has ended\n{self.daemon.tail()}")
        assert not (self.ended and (place.call, action) in HARMLESS), f"{fault}: it has ended"
        self._judge(fault)
        if self.ended:
            self.daemon.start()

    def stop_under(self, fault: Fault) -> None:
        """SIGTERM: 0 as ever, or 1 with the reason."""
        self._arm(fault)
        if self.daemon.stop(SECONDS) != 0:
            self._ended_loudly(fault)
        self._check(str(fault))
        self._disarm()
        self.daemon.start()

    # ---------------------------------------------------------------------------- the judge

    @property
    def ended(self) -> bool:
        """Whether the process has."""
        return self.daemon.ended

    @property
    def ready(self) -> bool:
        """Whether /healthz says 200."""
        try:
            return httpx.get(f"{self.daemon.url}/healthz", timeout=20).status_code == 200
        except httpx.TransportError:
            return False

    def _arm(self, fault: Fault) -> None:
        place, action, nth = fault
        self._log_starts_at = self.daemon.log.stat().st_size
        self.shim.arm(place, action, nth)

    def _disarm(self) -> None:
        self.struck += bool(self.shim.hits)
        self.shim.disarm()

    def _judge(self, fault: Fault) -> None:
        if self.ended:
            self._ended_loudly(fault)
            self._check(str(fault))
        self._disarm()

    def _ended_loudly(self, fault: Fault) -> None:
        """Exit code 1, and last words that name the database and a reason; no bug's traceback."""
        assert self.daemon.wait() == 1, f"{fault}\n{self.daemon.tail()}"
        said = self.daemon.log.read_bytes()[self._log_starts_at :].decode()
        words = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        reasons = [word["reason"] for word in words if word["event"] == "cannot go on"]
        assert reasons, f"{fault}\n{said}"
        assert all("faults.db" in reason for reason in reasons), f"{fault}: {reasons}"
        assert "Traceback" not in said, f"{fault}\n{said}"

    def _check(self, when: str) -> None:
        """What lies on the disk of a daemon that has ended is whole and holds all promises."""
        root = self.daemon.config.parent
        started, answered = dict(self.traffic.started), set(self.traffic.answered)
        held = examine(copied(root / "disk", root / "copy"))
        # A receiver may have taken one of which the daemon has not heard; the other way is wrong.
        try:
            check_promises(held, started, answered, set(self.traffic.receiver.ids))
        except AssertionError as error:
            error.add_note(when)
            raise

    def finish(self) -> None:
        """Nothing fails any more: what was promised ends once and is told under one id."""
        running, root = self.traffic, self.daemon.config.parent
        running.flowing.clear()
        until(lambda: running.idle, SECONDS, "nobody waits for an answer")
        wanted = set(running.started)
        until(lambda: wanted <= running.receiver.ids.keys(), SECONDS, "everybody is told")
        ids = dict(running.receiver.ids)
        assert {name: len(set(found)) for name, found in ids.items() if len(set(found)) > 1} == {}
        assert running.asked_again == []
        with httpx.Client(timeout=20) as client:
            for name in wanted:
                self._ended_once(client, name)
        assert self.daemon.stop() == 0
        held = examine(copied(root / "disk", root / "copy"))
        assert held.executions == dict.fromkeys(wanted, "SUCCEEDED")
        assert (held.untold, held.asked) == (set(), set())
        assert self.struck, "no fault was met"
        verified = subprocess.run(
            [sys.executable, "-m", "gateway", "verify", str(self.daemon.config)],
            capture_output=True, text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        assert verified.returncode == 0, verified.stdout + verified.stderr

    def _ended_once(self, client: httpx.Client, name: str) -> None:
        arn = f"arn:aws:states:us-east-1:123456789012:execution:order:{name}"
        asked = {"executionArn": arn}
        answer = call(client, self.daemon.url, "GetExecutionHistory", asked)
        events = answer.json()["events"]
        assert [event["id"] for event in events] == list(range(1, len(events) + 1)), name
        types = " ".join(event["type"] for event in events)
        assert HISTORY.fullmatch(types), f"{name}: {types}"


@pytest.fixture
def story(tmp_path, library):
    """A daemon that has started once."""
    shim = Shim(library, tmp_path / "disk", beside=tmp_path)
    with traffic(tmp_path, shim.environment) as running:
        running.daemon.start()
        running.flowing.set()
        yield Story(running, shim)


def calls_while_working(story: Story) -> Counter[Place]:
    """What six orders or so ask of the disk."""
    until(lambda: story.traffic.promises >= 4, SECONDS, "the traffic flows")
    before, seen = story.shim.calls(), story.traffic.promises
    until(lambda: story.traffic.promises >= seen + 6, SECONDS, "six orders")
    return story.shim.calls() - before


def test_calls_that_fail_while_it_works(story):
    """Whatever call of the usual work fails: a full disk is got over, anything else ends it."""
    counted = calls_while_working(story)
    for fault in spread(counted):
        story.work_under(fault)
    story.finish()


def test_calls_that_fail_while_it_starts(story):
    """It comes up all the same or says why not; the next start finds everything."""
    calls_while_working(story)
    story.daemon.kill()
    for fault in spread(story.counted_start()):
        story.start_under(fault)
    if story.ended:
        story.daemon.start()
    story.finish()


def test_calls_that_fail_while_it_stops(story):
    """A stop ends it in any case; the next start finds everything."""
    calls_while_working(story)
    before = story.shim.calls()
    assert story.daemon.stop() == 0
    counted = story.shim.calls() - before
    story.daemon.start()
    for fault in spread(counted):
        story.stop_under(fault)
    story.finish()
