"""``python -m tests.simulation [--seconds 60] [--seed N] [--jobs 2]``: as many seeds as there is
time for, and a table of what happened in them.

At the first that fails it prints the seed, what was wrong and what happened, and runs it again.
``--seed N`` begins with N; with ``--seconds 0`` it runs that one alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from tests.simulation import coverage
from tests.simulation.run import run_seed, spare_the_collector

AT_A_TIME = 10
"""Seeds that a process is given at a time."""
TOLD_EVERY_SECONDS = 30.0


def main() -> int:
    """0 if every seed was well."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, help="the first seed; without it one by the clock")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    options = parser.parse_args()
    first = time.time_ns() % 10**9 if options.seed is None else options.seed
    if not options.seconds:
        return _replay(first)
    return _explore(first, options.seconds, options.jobs)


def _explore(first: int, seconds: float, jobs: int) -> int:
    begin, seed, done, told = time.monotonic(), first, 0, 0.0
    kinds: Counter[str] = Counter()
    running: set[Future[tuple[int | None, Counter[str]]]] = set()
    with ProcessPoolExecutor(jobs, initializer=spare_the_collector) as pool:
        while True:
            spent = time.monotonic() - begin
            while len(running) < jobs and spent < seconds:
                running.add(pool.submit(_first_failing, seed))
                seed += AT_A_TIME
            if not running:
                break
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for each in ended:
                failing, happened = each.result()
                if failing is not None:
                    pool.shutdown(cancel_futures=True)
                    _replay(failing)
                    return 1
                done += AT_A_TIME
                kinds += happened
            if spent - told > TOLD_EVERY_SECONDS:
                told = spent
                _print(f"{done} seeds from {first} in {spent:.0f} s, none failed so far")
    _print(coverage.table(kinds, done))
    _print(f"{done} seeds from {first} in {spent:.1f} s: {done / spent:.1f} a second, none failed")
    if done >= coverage.ENOUGH and (missing := coverage.missing(kinds)):
        _print(f"This world has grown tame; never happened: {', '.join(missing)}")
        return 1
    return 0


def _first_failing(seed: int) -> tuple[int | None, Counter[str]]:
    """The first of some seeds that fails, and what happened in them."""
    kinds: Counter[str] = Counter()
    for each in range(seed, seed + AT_A_TIME):
        result = run_seed(each)
        kinds += result.kinds
        if result.wrong is not None:
            return each, kinds
    return None, kinds


def _replay(seed: int) -> int:
    """Run one seed and tell all about it."""
    wrong, trace, _ = run_seed(seed)
    if wrong is None:
        _print(f"Seed {seed} is well.")
        return 0
    _print("\n".join([*trace, "", wrong]))
    _print(f"Seed {seed} fails. Replay: python -m tests.simulation --seconds 0 --seed {seed}")
    return 1


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is part of what a seed has to decide.
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main())
