"""What another process has used so far, as Linux counts it."""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int) -> dict[str, float]:
    """MiB of ``Rss``, ``Pss`` and ``Uss`` (what is this process's alone)."""
    found: dict[str, float] = {"Uss": 0.0}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, size = line.partition(":")
        mebibytes = int(size.split()[0]) / 1024
        if name in {"Rss", "Pss"}:
            found[name] = mebibytes
        elif name.startswith("Private_"):
            found["Uss"] += mebibytes
    return found
