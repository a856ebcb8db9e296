"""The processes that answer tasks: some are always there, none is safe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[2]
NUMBER = 2


class Workers:
    """``NUMBER`` processes, each followed by another one when it is killed."""

    def __init__(self, api_port: int, activity: str, journal: Path, dice: Random) -> None:
        self._command = [sys.executable, "-m", "tests.kills.worker", str(api_port), activity]
        self.journal = journal
        self._dice = dice
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Workers:
        self._processes = [self._spawn() for _ in range(NUMBER)]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def _spawn(self) -> subprocess.Popen[bytes]:
        seed = str(self._dice.random())
        return subprocess.Popen([*self._command, str(self.journal), seed], cwd=ROOT)

    def kill_one(self) -> None:
        """SIGKILL for one of them; another one comes."""
        place = self._dice.randrange(NUMBER)
        self._processes[place].kill()
        self._processes[place].wait()
        self._processes[place] = self._spawn()

    def check(self) -> None:
        """None has ended by itself."""
        assert all(process.poll() is None for process in self._processes), "a worker has ended"

    def lines(self) -> list[dict[str, Any]]:
        """The journal of them all, in the order of its writing."""
        if not self.journal.exists():
            return []
        return [json.loads(line) for line in self.journal.read_text().splitlines()]
