"""`make demo`, as a newcomer sees it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


def test_the_demo_tells_its_story_in_order():
    """Each order starts, succeeds, and only then is heard of, twice; one worker is killed."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split(maxsplit=4)[2:] for line in done.stdout.splitlines()]
    for number in range(1001, 1007):
        told = [line[2] for line in lines if line[1:2] == [f"order-{number}"]]
        end = told.index("succeeded")
        assert told.index("started") < end
        assert sorted(told[end + 1 :]) == ["sns heard SUCCEEDED", "webhook heard SUCCEEDED"]
    assert sum(line[0] == "killed" for line in lines) == 1
    assert done.stdout.rstrip().endswith("nothing lost")
