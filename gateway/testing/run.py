"""``run``: the one function that a unit test of a definition needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from gateway.asl.documents import read_document
from gateway.asl.frame import Identity
from gateway.asl.validation import accepted
from gateway.testing.mocks import Mocks
from gateway.testing.outcome import Outcome, outcome_of
from gateway.testing.rehearsal import Rehearsal

Json: TypeAlias = Any

START: Final = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
"""When a rehearsal begins: the same for every run, so that every run is the same."""
EMPTY: Final[dict[str, Json]] = {}
_MACHINE: Final = "arn:aws:states:us-east-1:123456789012:stateMachine:test"
_ROLE: Final = "arn:aws:iam::123456789012:role/test"


def run(
    definition: str | Path | Mapping[str, Json],
    input: Json = EMPTY,  # noqa: A002 - AWS's word
    mocks: Mocks | Mapping[str, Json] | None = None,
    *,
    at: datetime = START,
    seed: int = 0,
) -> Outcome:
    """Run a definition to its end, in memory and at once.

     ``definition`` is a mapping, its JSON text, or the path of its file; ``input`` a JSON value
    ; ``mocks`` by state name as ``gateway.testing.mocks`` says. The clock
     begins ``at`` and jumps over every wait; dice come from ``seed``. Raises DefinitionError,
     MocksError, and NoAnswer for a task that has no mock.
    """
    text = _text(definition)
    machine = accepted(text)
    given = orjson.dumps(input).decode()
    arn = _MACHINE.replace("stateMachine", "execution") + ":test"
    start = round(at.timestamp() * 1000)
    identity = Identity(arn, "test", _MACHINE, _ROLE, start, given)
    answers = mocks if isinstance(mocks, Mocks) else Mocks(mocks)
    rehearsal = Rehearsal(machine, identity, read_document(given), answers.answer, seed)
    rehearsal.run()
    return outcome_of(rehearsal.newborn(), rehearsal.steps)


def _text(definition: str | Path | Mapping[str, Json]) -> str:
    match definition:
        case Path():
            return definition.read_text(encoding="utf-8")
        case str():
            return definition
        case _:
            return orjson.dumps(definition).decode()
