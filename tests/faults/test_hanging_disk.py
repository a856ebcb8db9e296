"""A disk that does not answer: that is told, and what waited goes on when it answers again."""

from __future__ import annotations

import signal

import httpx
import pytest

from tests.e2e.process import until
from tests.faults.examine import check_promises, copied, examine
from tests.faults.shim import Action, Call, File, Place, Shim
from tests.faults.traffic import Traffic, traffic

pytestmark = pytest.mark.slow

SECONDS = 60.0
COMMIT = Place(Call.SYNC, File.WAL)
READINGS = {"every reading": Place(Call.READ, File.WAL), "every lock": Place(Call.LOCK, File.SHM)}


@pytest.fixture
def hanging(tmp_path, library):
    """A daemon under traffic, and the shim."""
    shim = Shim(library, tmp_path / "disk", beside=tmp_path)
    with traffic(tmp_path, shim.environment) as running:
        running.daemon.start()
        running.flowing.set()
        yield running, shim
        shim.disarm()


def health(running: Traffic) -> tuple[int, bool | None]:
    """The status of /healthz, and whether the disk is said to be stalled; 0 where none comes."""
    try:
        answer = httpx.get(f"{running.daemon.url}/healthz", timeout=3)
    except httpx.TransportError:
        return 0, None
    return answer.status_code, answer.json()["disk_stalled"]


def stall_commits(running: Traffic, shim: Shim) -> None:
    """From now on no commit ends, and the daemon says so."""
    until(lambda: running.promises >= 4, SECONDS, "the traffic flows")
    shim.arm(COMMIT, Action.HANG, 1, lasting=True)
    until(lambda: health(running) == (503, True), SECONDS, "it says that it waits")
    assert "the disk does not answer" in running.daemon.tail(5)


def go_on(running: Traffic, shim: Shim) -> None:
    """The disk answers; so does everything else."""
    seen = running.promises
    shim.disarm()
    until(lambda: health(running) == (200, False), SECONDS, "it is well again")
    until(lambda: running.promises >= seen + 4, SECONDS, "it goes on")


def test_commits_that_hang_are_told_and_waited_for(hanging):
    """503 and the log say so; when the disk answers, everybody who waited has what they asked for,
    and it goes on as before."""
    running, shim = hanging
    stall_commits(running, shim)
    go_on(running, shim)
    assert running.daemon.log.read_text().count("the disk answers again") == 1
    assert "Traceback" not in running.daemon.log.read_text()
    assert all(tries == 1 for tries in running.started.values()), "a start was not waited for"


@pytest.mark.parametrize("place", READINGS.values(), ids=READINGS.keys())
def test_readings_that_hang_are_seen(hanging, place):
    """What is found by its key is read by the event loop itself, so /healthz does not answer, and
    the watchdog of systemd is not fed; it never says that all is well. Afterwards all goes on."""
    running, shim = hanging
    until(lambda: running.promises >= 4, SECONDS, "the traffic flows")
    shim.arm(place, Action.HANG, 1, lasting=True)
    until(lambda: shim.hits and health(running)[0] != 200, SECONDS, "it can be seen")
    assert health(running)[0] != 200
    go_on(running, shim)
    assert "Traceback" not in running.daemon.log.read_text()


def test_a_stop_on_a_disk_that_hangs_ends(hanging, tmp_path):
    """SIGTERM twice: it does not wait for the disk for ever; exit code 1 and where it hung; what
    was promised is there."""
    running, shim = hanging
    stall_commits(running, shim)
    running.daemon.signal(signal.SIGTERM)
    assert running.daemon.stop(SECONDS) == 1
    assert "writer.py" in running.daemon.tail(200)
    held = examine(copied(tmp_path / "disk", tmp_path / "copy"))
    check_promises(held, running.started, running.answered, running.receiver.ids)
    shim.disarm()
    running.daemon.start()
    seen = running.promises
    until(lambda: running.promises >= seen + 4, SECONDS, "the next one goes on")
