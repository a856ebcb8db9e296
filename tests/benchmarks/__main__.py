"""``python -m tests.benchmarks [NAME …]``: run all of them or those named, print one table."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.benchmarks import core, history, intake, latency, maps, parked, served, tasks
from tests.benchmarks.language import language
from tests.benchmarks.report import show

MEASURES = {
    "language": lambda _: language(),
    "durable": core.durable,
    "chain": served.chain,
    "kafka": intake.kafka,
    "sqs": intake.sqs,
    "map": served.big_map,
    "maps": maps.maps,
    "activity": served.activity,
    "tasks": tasks.tasks,
    "latency": latency.notification,
    "history": history.history,
    "parked": parked.parked,
    "queued": lambda folder: parked.queued(folder, 100_000),
    "idle": served.idle,
}


def main() -> None:
    """Measure one after the other; each on its own files."""
    wanted = sys.argv[1:] or list(MEASURES)
    with tempfile.TemporaryDirectory(prefix="stategate-bench-") as name:
        lines = []
        for each in wanted:
            folder = Path(name) / each
            folder.mkdir()
            lines += MEASURES[each](folder)
    sys.stdout.write(show(lines) + "\n")


main()
