"""The power goes at any moment of a daemon's life: what the disk then holds opens, is whole and has
all that was acknowledged. ``POWER_CUTS`` says how many moments are tried of each life."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from gateway.store.failures import StoreUnusable
from tests.e2e.process import until
from tests.faults.examine import NAME, check_promises, examine
from tests.faults.power import Platter
from tests.faults.shim import Action, Call, Entry, File, Place, Shim, entries
from tests.faults.traffic import Traffic, traffic

pytestmark = pytest.mark.slow

CUTS = int(os.environ.get("POWER_CUTS", "30"))
SECONDS = 60.0
CHECKPOINT = Place(Call.WRITE, File.DATABASE)
LARGE = "x" * 200_000
"""So many bytes of input bring the WAL to its checkpoint soon."""
_ACKNOWLEDGED = re.compile(rb'"executionArn":\s*"[^"]*:execution:order:([^"]+)"')
_TOLD = re.compile(rb'"detail-type"')


@dataclass
class Promises:
    """What the daemon had told somebody, as far as the log has been read."""

    started: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)

    def feed(self, entry: Entry) -> bool:
        """Whether something was promised with it."""
        if entry.told is not Call.SENT:
            return False
        names = {name.decode() for name in _ACKNOWLEDGED.findall(entry.content)}
        self.started |= names
        if _TOLD.search(entry.content):
            self.told |= names
        return bool(names)


def moments(log: Path, dice: Random) -> set[int]:
    """Numbers of entries after which the power goes: right after a promise, around a checkpoint or
    a change of names, and anywhere."""
    promised, turning, anywhere = [], [], []
    promises = Promises()
    for number, entry in enumerate(entries(log)):
        if promises.feed(entry):
            promised.append(number)
        elif entry.told is not Call.SENT:
            anywhere.append(number)
            if entry.told is not Call.WRITE or entry.file is not File.WAL:
                turning.append(number)
    third = CUTS // 3
    chosen = [dice.sample(them, min(third, len(them))) for them in (promised, turning, anywhere)]
    return {number for some in chosen for number in some}


def cut(
    log: Path, seed: int, target: Path, *, honest: bool = True
) -> Iterator[tuple[str, Promises]]:
    """The disk of each of those moments in turn, which is in ``target`` then: how it came about,
    and what had been promised. One that is not ``honest`` takes no notice of syncs."""
    dice = Random(seed)
    chosen, platter, promises = moments(log, dice), Platter(dice), Promises()
    for number, entry in enumerate(entries(log)):
        if honest or entry.told is not Call.SYNC or entry.file is File.DIRECTORY:
            platter.feed(entry)
        promises.feed(entry)
        if number in chosen:
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            # What is left of the shared memory says nothing after a loss of power.
            (target / f"{NAME}-shm").write_bytes(dice.randbytes(32_768))
            how = platter.lose_power(target)
            yield f"seed {seed}, cut after entry {number} ({entry.told.name}), {how} kept", promises


def check_cuts(running: Traffic, shim: Shim, seed: int, *, honest: bool = True) -> None:
    """Each of those disks is whole and keeps the promises."""
    target = running.daemon.config.parent / "cut"
    tried: Counter[str] = Counter()
    for how, promises in cut(shim.log, seed, target, honest=honest):
        try:
            held = examine(target / NAME)
            check_promises(held, promises.started, (), promises.told)
            over = {name for name, status in held.executions.items() if status == "SUCCEEDED"}
            assert promises.told <= over, "told of an end that is not there"
        except BaseException as error:
            error.add_note(how)
            raise
        tried["with promises" if promises.started else "before any"] += 1
    assert tried["with promises"] > CUTS // 3


@pytest.fixture
def watched(tmp_path, library):
    """A daemon whose file calls are logged, and the shim; it is not started."""
    shim = Shim(library, tmp_path / "disk", beside=tmp_path, log=True)
    with traffic(tmp_path, shim.environment) as running:
        yield running, shim


def flow(running: Traffic, orders: int) -> None:
    """So many orders are taken."""
    running.flowing.set()
    wanted = running.promises + orders
    until(lambda: running.promises >= wanted, SECONDS, f"{orders} orders")


def test_the_power_goes_at_any_moment(watched):
    """From the making of the database over a stop, a kill and a checkpoint under load."""
    running, shim = watched
    daemon = running.daemon
    daemon.start()
    flow(running, 15)
    assert daemon.stop() == 0
    daemon.start()
    flow(running, 10)
    daemon.kill()
    daemon.start()
    flow(running, 5)
    running.filling = LARGE
    before = shim.calls()[CHECKPOINT]
    until(lambda: shim.calls()[CHECKPOINT] > before, SECONDS, "a checkpoint under load")
    running.filling = ""
    flow(running, 10)
    daemon.kill()
    running.flowing.clear()
    check_cuts(running, shim, seed=1)


def test_the_power_goes_after_a_sync_has_failed(watched):
    """What a failed sync left out is not built upon: the next daemon brings it to the disk before
    it promises anything."""
    running, shim = watched
    running.daemon.start()
    flow(running, 5)
    for nth in (1, 2, 3):
        shim.arm(Place(Call.SYNC, File.WAL), Action.IO_ERROR, nth)
        assert running.daemon.wait(SECONDS) == 1
        shim.disarm()
        running.daemon.start()
        flow(running, 4)
    running.daemon.kill()
    running.flowing.clear()
    check_cuts(running, shim, seed=2)


def test_syncs_are_what_keeps_the_promises(watched):
    """Where the disk takes no notice of them, as with ``synchronous=OFF``, promises are broken, and
    that is seen."""
    running, shim = watched
    running.daemon.start()
    flow(running, 10)
    running.daemon.kill()
    running.flowing.clear()
    with pytest.raises((AssertionError, sqlite3.DatabaseError, StoreUnusable)):
        check_cuts(running, shim, seed=3, honest=False)
    check_cuts(running, shim, seed=3)
