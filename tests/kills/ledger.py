"""What has to hold when all is quiet, whatever was killed: each check yields what is wrong."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

SHOWN = 5
"""Of what is wrong in the same way."""
ORDER = ["RUNNING", "SUCCEEDED"]
"""What is told of each execution."""


def read(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """Rows of the database, read beside the daemon or after it."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(statement).fetchall()


def check_executions(database: Path, wanted: set[str]) -> Iterator[str]:
    """Each name has one execution, and each of them has succeeded."""
    rows = read(database, "SELECT name, status FROM executions")
    counts = Counter(name for name, _ in rows)
    yield from _some("not started", wanted - counts.keys())
    yield from _some("started, and never asked for", counts.keys() - wanted)
    yield from _some("started twice", (name for name, count in counts.items() if count > 1))
    yield from _some("not succeeded", (row for row in rows if row[1] != "SUCCEEDED"))


def check_letters(database: Path, broken: Mapping[str, bool]) -> Iterator[str]:
    """Each message that names no execution is in a letter, in one only where its far side gives it
    an id of its own (the value of ``broken``); nothing else is."""
    letters = [body for (body,) in read(database, "SELECT body FROM letters")]
    counts = Counter(
        next((name for name in broken if name in letter), letter) for letter in letters
    )
    yield from _some("lost, it should be a letter", broken.keys() - counts.keys())
    yield from _some("a letter of something else", counts.keys() - broken.keys())
    several = (name for name, count in counts.items() if count > 1 and broken.get(name))
    yield from _some("several letters", several)


def check_leftovers(database: Path) -> Iterator[str]:
    """What has ended waits for nothing and has nothing to tell."""
    for table in ("timers", "tasks", "notifications"):
        ((count,),) = read(database, f"SELECT count(*) FROM {table}")
        if count:
            sample = read(database, f"SELECT * FROM {table} LIMIT 3")
            yield f"{count} rows are left over in {table}: {sample}"


def check_told(
    sink: str, told: Mapping[str, list[tuple[str, str]]], wanted: set[str]
) -> Iterator[str]:
    """Of each execution: RUNNING, then its end, each under an id of its own."""
    yield from _some(f"{sink} was not told of", wanted - told.keys())
    yield from _some(f"{sink} was told of, and it is none of ours", told.keys() - wanted)
    wrong = {name: arrivals for name, arrivals in told.items() if not _in_order(arrivals)}
    yield from _some(f"{sink} was told amiss", wrong.items())


def _in_order(arrivals: list[tuple[str, str]]) -> bool:
    statuses = [status for _, status in arrivals]
    identities = {identity for identity, _ in arrivals}
    return (
        set(statuses) == set(ORDER)  # whatever else has no place in the order
        and sorted(statuses, key=ORDER.index) == statuses
        and len(set(arrivals)) == len(identities) == len(ORDER)
    )


def check_tasks(database: Path, lines: list[dict[str, Any]], names: set[str]) -> Iterator[str]:
    """An answer that was taken stands: it is the execution's output, no other one of the same token
    or execution is taken, and nobody is handed the task after it."""
    accepted: dict[str, list[str]] = defaultdict(list)
    maybe: dict[str, set[str]] = defaultdict(set)
    taken_at: dict[str, float] = {}
    answers: Counter[str] = Counter()
    for line in sorted(lines, key=lambda line: line["at"]):
        what, token, name = line["what"], line["token"], line["name"]
        if what == "taken":
            if name in taken_at:
                yield f"{name} was handed out again after its success had been accepted"
        elif what == "succeeding":
            maybe[name].add(token)
        elif what in {"succeeded", "failed"}:
            answers[token] += 1
            if what == "succeeded":
                accepted[name].append(token)
                taken_at[name] = line["at"]
    yield from _some("a token was accepted twice", (t for t, n in answers.items() if n > 1))
    yield from _some("two successes", (i for i in accepted.items() if len(i[1]) > 1))
    outputs = dict(read(database, "SELECT name, output FROM executions"))
    for name in names & outputs.keys():
        token = json.loads(outputs[name] or "{}").get("token")
        if token not in (accepted.get(name) or maybe[name]):
            yield f"{name} has the output of {token}, accepted was {accepted.get(name)}"


def check_log(log: Path) -> Iterator[str]:
    """No bug was logged."""
    lines = log.read_text(errors="replace").splitlines()
    yield from _some("a bug in the log", (line for line in lines if "Traceback" in line))


def check_verify(database: Path) -> Iterator[str]:
    """``stategate verify`` has nothing to say."""
    command = [sys.executable, "-m", "gateway", "verify", str(database)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        yield f"stategate verify: {done.stdout[:1000]}{done.stderr[-1000:]}"


def _some(what: str, found: Iterable[object]) -> Iterator[str]:
    everything = list(found)
    if everything:
        yield f"{what}: {len(everything)}, as {everything[:SHOWN]}"
