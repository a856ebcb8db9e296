"""`make demo`, as a newcomer sees it."""

from __future__ import annotations

import re
import subprocess
import sys

import httpx
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


def test_a_demo_that_is_ended_leaves_nothing_running():
    """SIGTERM ends the daemon with it, as Ctrl-C does."""
    command = [sys.executable, "-m", "gateway", "demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        said = ""
        while not (found := re.search(r"ready at (http://[\d.:]+\d)", said)):
            line = demo.stdout.readline()
            assert line, "it ended before its daemon was ready"
            said += line
        assert httpx.get(f"{found[1]}/healthz").status_code == 200
        demo.terminate()
        demo.communicate(timeout=60)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{found[1]}/healthz")
