"""``python -m tests.soak [--minutes 15]``: a mixed load for so long, a table, and exit code 1 where
something grew or was lost."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.soak.gauges import Sample
from tests.soak.run import soak
from tests.soak.verdict import growth, table


def main() -> int:
    """0 if all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--rate", type=float, default=60.0, help="starts per second")
    parser.add_argument("--keep", type=float, default=30.0, help="seconds after an end")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stategate-soak-") as folder:
        done = soak(
            Path(folder),
            options.minutes * 60,
            keep_seconds=options.keep,
            rate=options.rate,
            show=_show,
        )
    seconds = done.samples[-1].at
    grown = growth(done.samples)
    _print(table(done.samples))
    _print(
        f"{done.accepted} executions in {seconds:.0f} s; "
        f"{done.samples[-1].cpu_seconds / seconds:.0%} of a core"
    )
    _print("\n".join([*grown, *done.wrong[:50]]) or "Nothing grew, nothing was lost.")
    return 1 if grown or done.wrong else 0


def _show(sample: Sample) -> None:
    _print(" ".join(f"{name}={value:.0f}" for name, value in sample._asdict().items()))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
