"""What is measured of the daemon, from outside."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

MIB = 1024 * 1024


class Sample(NamedTuple):
    """One look at it."""

    at: float
    """Seconds since the load began."""
    rss_mib: float
    pss_mib: float
    files: int
    """Open file descriptors."""
    threads: int
    database_mib: float
    wal_mib: float
    free_pages: int
    """Pages of the file that hold nothing."""
    kept: int
    """Executions in the store."""
    running: int
    waiting: int
    """Notifications that no sink has accepted."""
    oldest_seconds: float
    """Age of the oldest of them."""
    cpu_seconds: float
    """Processor time so far."""


def look(pid: int, database: Path, began: float) -> Sample:
    """Measure now; ``began`` is in monotonic time."""
    memory = _numbers(Path(f"/proc/{pid}/smaps_rollup"))
    status = _numbers(Path(f"/proc/{pid}/status"))
    wal = database.with_name(f"{database.name}-wal")
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True, timeout=30)) as asked:

        def one(sql: str) -> int:
            return asked.execute(sql).fetchone()[0] or 0

        oldest = one("SELECT min(created_at) FROM notifications")
        return Sample(
            at=time.monotonic() - began,
            rss_mib=memory["Rss"] / 1024,
            pss_mib=memory["Pss"] / 1024,
            files=len(list(Path(f"/proc/{pid}/fd").iterdir())),
            threads=status["Threads"],
            database_mib=database.stat().st_size / MIB,
            wal_mib=wal.stat().st_size / MIB if wal.exists() else 0,
            free_pages=one("PRAGMA freelist_count"),
            kept=one("SELECT count(*) FROM executions"),
            running=one("SELECT count(*) FROM executions WHERE status = 'RUNNING'"),
            waiting=one("SELECT count(*) FROM notifications"),
            oldest_seconds=max(time.time() - oldest / 1000, 0) if oldest else 0,  # noqa: TID251
            cpu_seconds=_processor_seconds(pid),
        )


def _numbers(path: Path) -> dict[str, int]:
    """``Name:  number kB`` lines."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            found[name] = int(words[0])
    return found


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
