"""``python -m tests.simulation [--seconds 60] [--seed N]``: as many seeds as there is time for.

At the first that fails it prints the seed, what was wrong and what happened, and runs it again.
``--seed N`` begins with N; with ``--seconds 0`` it runs that one alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.simulation.run import run_seed


def main() -> int:
    """0 if every seed was well."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="the first seed; without it one by the clock")
    options = parser.parse_args()
    begin = time.monotonic()
    first = seed = time.time_ns() % 10**9 if options.seed is None else options.seed
    while True:
        wrong, trace = run_seed(seed)
        if wrong is not None:
            return _tell(seed, wrong, trace)
        seed += 1
        if (spent := time.monotonic() - begin) >= options.seconds:
            break
    count = seed - first
    _print(f"{count} seeds ({first} to {seed - 1}) in {spent:.1f} s: {count / spent:.1f} a second")
    return 0


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _tell(seed: int, wrong: str, trace: list[str]) -> int:
    _print("\n".join([*trace, "", wrong]))
    again, _ = run_seed(seed)
    same = "and so it does again" if again is not None else "but not when it is run again"
    _print(
        f"\nSeed {seed} fails, {same}. Replay: python -m tests.simulation --seconds 0 --seed {seed}"
    )
    return 1


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is part of what a seed has to decide.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main())
