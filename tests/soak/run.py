"""One soak: load, samples, and the account of what was accepted."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.e2e.process import until
from tests.soak.gauges import Sample, look
from tests.soak.load import Load
from tests.soak.world import World, world

DRAIN_SECONDS = 90.0


class Soaked(NamedTuple):
    """What came of it."""

    samples: list[Sample]
    accepted: int
    wrong: list[str]
    """What was lost, told twice, refused, or ended otherwise than it was to."""


def soak(
    folder: Path,
    seconds: float,
    *,
    keep_seconds: float = 30.0,
    rate: float = 60.0,
    every_seconds: float = 3.0,
    show: Callable[[Sample], None] = lambda _sample: None,
) -> Soaked:
    """Run the load for so long on a daemon whose files are in ``folder``."""
    with world(folder, keep_seconds) as scene:
        load = Load(scene, rate)
        samples = _sample_under(load, scene, seconds, every_seconds, show)
        wrong = _account(load, scene)
        status = scene.daemon.stop()
        if status != 0:
            wrong.append(f"the daemon ended with {status}\n{scene.daemon.tail()}")
    wrong += _verify(folder)
    return Soaked(samples, len(load.expected), wrong)


def _sample_under(
    load: Load,
    scene: World,
    seconds: float,
    every_seconds: float,
    show: Callable[[Sample], None],
) -> list[Sample]:
    samples = []
    began = time.monotonic()
    load.start()
    try:
        while (spent := time.monotonic() - began) < seconds:
            samples.append(look(scene.daemon.pid, scene.database, began))
            show(samples[-1])
            time.sleep(max(began + spent + every_seconds - time.monotonic(), 0))
    finally:
        load.stop()
    return samples


def _account(load: Load, scene: World) -> list[str]:
    told = scene.told
    wrong = [*load.failures]
    try:
        until(lambda: set(load.expected) <= set(told.statuses), DRAIN_SECONDS, "all ends are told")
    except AssertionError:
        missing = sorted(set(load.expected) - set(told.statuses))
        wrong.append(f"{len(missing)} of {len(load.expected)} were never told: {missing[:5]}")
    for name, status in told.statuses.items():
        # A start whose answer was lost may have happened.
        if load.expected.get(name, status) != status:
            wrong.append(f"{name} ended {status} and not {load.expected[name]}")
        if len(set(told.ids[name])) != 1:
            wrong.append(f"{name} was told under the ids {told.ids[name]}")
    return wrong


def _verify(folder: Path) -> list[str]:
    command = [sys.executable, "-m", "gateway", "verify", str(folder / "soak.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else [f"verify: {done.stdout}{done.stderr}"]
