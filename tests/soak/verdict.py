"""What the samples say: whether something grew, and the table to read.

The first quarter of the time is the warm-up: caches fill, the file and the WAL reach their size.
The second quarter is then held against the last one by their medians, which neither a sawtooth nor
a single spike moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from tests.soak.gauges import Sample


class Bound(NamedTuple):
    """How much larger the last quarter may be than the second."""

    share: float
    besides: float
    """In the measure's own unit: what does not matter however small it was."""


BOUNDS = {
    "rss_mib": Bound(0.08, 4),
    "pss_mib": Bound(0.08, 4),
    "files": Bound(0, 6),
    "threads": Bound(0, 4),
    "database_mib": Bound(0.15, 2),
    "wal_mib": Bound(0.15, 2),
    "kept": Bound(0.25, 100),
    "running": Bound(0.5, 50),
    "waiting": Bound(0.5, 50),
    "oldest_seconds": Bound(0.5, 5),
}
WAL_MIB_MAX = 100.0
"""``journal_size_limit`` is 64 MiB, a checkpoint is due at 32; no reader may hold it up."""


def quarters(samples: Sequence[Sample]) -> list[list[Sample]]:
    """The samples of each quarter of the time."""
    end = samples[-1].at
    found: list[list[Sample]] = [[], [], [], []]
    for sample in samples:
        found[min(int(4 * sample.at / end), 3)].append(sample)
    return found


def growth(samples: Sequence[Sample]) -> list[str]:
    """One sentence for each measure that is larger at the end than after the warm-up."""
    _, second, _, last = quarters(samples)
    found = []
    for name, bound in BOUNDS.items():
        before, after = (median(getattr(s, name) for s in part) for part in (second, last))
        if after > before * (1 + bound.share) + bound.besides:
            found.append(f"{name} grew from {before:.1f} to {after:.1f}")
    highest = max(sample.wal_mib for sample in samples)
    if highest > WAL_MIB_MAX:
        found.append(f"the WAL had {highest:.1f} MiB")
    return found


def table(samples: Sequence[Sample]) -> str:
    """The medians of each quarter, and the extremes of all."""
    parts = quarters(samples)
    lines = [f"{'':>16} {'q1':>9} {'q2':>9} {'q3':>9} {'q4':>9} {'least':>9} {'most':>9}"]
    for name in Sample._fields[1:-1]:
        values = [getattr(sample, name) for sample in samples]
        medians = [median(getattr(s, name) for s in part) for part in parts]
        cells = " ".join(f"{value:9.1f}" for value in (*medians, min(values), max(values)))
        lines.append(f"{name:>16} {cells}")
    return "\n".join(lines)
