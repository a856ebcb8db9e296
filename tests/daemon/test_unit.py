"""The systemd unit, as systemd's own tools judge it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "systemd" / "stategate.service"
ANALYZE = shutil.which("systemd-analyze")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed"),
]


def analyze(*arguments):
    """What systemd-analyze answers."""
    return subprocess.run(
        [ANALYZE, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_unit_has_nothing_that_systemd_does_not_understand(tmp_path):
    """``systemd-analyze verify`` says nothing. A systemd before 253 knows no Type=notify-reload:
    there the rest of the unit is verified."""
    version = int(re.search(r"systemd (\d+)", analyze("--version").stdout)[1])
    text = UNIT.read_text()
    assert "\nType=notify-reload\n" in text
    unit = tmp_path / UNIT.name
    unit.write_text(text if version >= 253 else text.replace("notify-reload", "notify"))
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_sandbox_is_tight():
    """The exposure that ``systemd-analyze security`` counts is at most 1.5."""
    done = analyze("security", "--offline=true", "--no-pager", str(UNIT))
    level = float(re.search(r"Overall exposure level .*: ([\d.]+)", done.stdout)[1])
    assert level <= 1.5
