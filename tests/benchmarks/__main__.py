"""``python -m tests.benchmarks``: run all of them, print one table."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks import core, served
from tests.benchmarks.report import show


def main() -> None:
    """Measure one after the other; each on its own files."""
    with tempfile.TemporaryDirectory(prefix="stategate-bench-") as name:
        folder = Path(name)
        lines = core.language() + core.durable(folder)
        for measure in (served.chain, served.big_map, served.activity):
            lines += measure(folder)
        lines += served.idle(folder / "idle")
    sys.stdout.write(show(lines) + "\n")


main()
