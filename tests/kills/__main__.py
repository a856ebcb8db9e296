"""``python -m tests.kills --seconds 120``: each pairing of source and sink, and all at once."""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

from tests.kafka_broker import NoKafka, RealKafka, kafka_jars
from tests.kills.run import SINKS, SOURCES, Plan, Run

PAIRINGS = (
    (("sqs",), ("sns",)),
    (("kafka",), ("webhook",)),
    (("webhook",), ("sqs",)),
    (SOURCES, SINKS),
)
"""Sources and sinks know nothing of each other: each of them once, and then all of them."""


def main() -> int:
    """Play them one after the other; the first one that fails ends it."""
    given = _arguments()
    pairings = PAIRINGS
    if given.source or given.sink:
        pairings = ((tuple(given.source or SOURCES), tuple(given.sink or SINKS)),)
    with tempfile.TemporaryDirectory(prefix="kills-") as directory:
        kafka = None
        try:
            if any("kafka" in sources for sources, _ in pairings) and not given.mock:
                kafka = _kafka(Path(directory))
            for number, (sources, sinks) in enumerate(pairings):
                place = Path(directory) / f"run-{number}"
                place.mkdir()
                plan = Plan(given.seconds, given.seed, place, sources, sinks, kafka)
                title = f"{', '.join(sources)} to {', '.join(sinks)}, seed {given.seed}"
                try:
                    _print(f"{title}: {Run(plan).play()}")
                except AssertionError as wrong:
                    _print(f"{title}: FAILED\n{wrong}\n{getattr(wrong, '__notes__', '')}")
                    return 1
        finally:
            if kafka is not None:
                kafka.stop()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.kills", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120, help="of killing, for each pairing")
    parser.add_argument("--source", action="append", choices=SOURCES)
    parser.add_argument("--sink", action="append", choices=SINKS)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--mock", action="store_true", help="no real Kafka, even if it is at hand")
    return parser.parse_args()


def _kafka(directory: Path) -> RealKafka | None:
    try:
        kafka = RealKafka(kafka_jars(), directory)
    except NoKafka as reason:
        _print(f"No Apache Kafka, so the mock cluster, which is not restarted: {reason}")
        return None
    kafka.start()
    return kafka


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
