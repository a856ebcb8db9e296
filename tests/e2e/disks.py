"""Disks that are small, full or read-only: file systems in memory, mounted for one test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest


class Disk:
    """A file system of a few megabytes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ballast = root / "ballast"

    def fill(self) -> None:
        """Leave no room at all."""
        with self._ballast.open("ab", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(4096))

    def make_room(self) -> None:
        """Take away what ``fill`` brought."""
        self._ballast.unlink()

    def write_protect(self) -> None:
        """Refuse every write from now on."""
        _mount("remount,ro", self.root)


@contextmanager
def small_disk(root: Path, megabytes: int = 4) -> Iterator[Disk]:
    """A disk mounted at ``root``; the test is skipped where nobody may mount one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    root.mkdir()
    done = _mount(f"size={megabytes}m", root)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "--lazy", str(root)], check=True)


def _mount(options: str, root: Path) -> subprocess.CompletedProcess[str]:
    command = ["mount", "-t", "tmpfs", "-o", options, "stategate-test", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
