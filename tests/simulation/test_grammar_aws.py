"""The grammar against histories that AWS recorded: it takes them, and refuses what is made of them.

Skipped where the pack of recordings does not lie beside the project.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.asl.machines import ACTIVITY
from tests.simulation.grammar import (
    ABORTS,
    EVALUATED,
    EXITS,
    FINAL,
    PHASES,
    Ungrammatical,
    check_history,
)

PACK = Path(__file__).parents[2].parent / "shared" / "conformance"
WORDS = {*PHASES, *FINAL, "ExecutionStarted"}
WORDS |= {"EvaluationFailed", "ExecutionRedriven"}
WORDS |= {f"{kind}StateEntered" for kind in EVALUATED} | {f"{kind}StateExited" for kind in EXITS}
WORDS |= {f"{kind}StateAborted" for kind in ABORTS}
WORDS |= {f"MapIteration{how}" for how in ("Succeeded", "Failed", "Aborted")}


def cases():
    """Executions whose events are those that this version has, with their ids."""
    found = []
    for path in sorted((PACK / "cases").rglob("*.json")):
        case = json.loads(path.read_text().replace("${activity_arn}", ACTIVITY))
        expected = case.get("expect", {})
        history = expected.get("history") if case["kind"] == "execution" else None
        if not history or expected.get("unordered"):
            continue
        events = history["events"] if isinstance(history, dict) else history
        if {event["type"] for event in events} <= WORDS:
            found.append(pytest.param(case["definition"], events, id=case["id"]))
    return found


def status(events):
    """What the last event says."""
    return FINAL.get(events[-1]["type"], "RUNNING")


pytestmark = pytest.mark.skipif(
    not PACK.is_dir(), reason="the conformance pack is not beside the project"
)


@pytest.mark.parametrize(("definition", "events"), cases())
def test_the_grammar_takes_what_aws_recorded(definition, events):
    """A grammar that refuses what AWS itself wrote is wrong."""
    check_history(definition, events, status(events))


@pytest.mark.parametrize(("definition", "events"), cases())
def test_the_grammar_refuses_what_aws_would_not_write(definition, events):
    """Without any one of its events, or with one twice or two exchanged, it is no history."""
    for place, event in enumerate(events):
        wrong = [[*events[: place + 1], *events[place:]]]
        if event["type"] != "TaskSubmitted":
            # A task may also end before what it waits for is said to have begun.
            wrong.append([*events[:place], *events[place + 1 :]])
        if place and event["previousEventId"] == events[place - 1]["id"]:
            pair = event, events[place - 1]
            wrong.append([*events[: place - 1], *pair, *events[place + 1 :]])
        for history in wrong:
            with pytest.raises(Ungrammatical):
                check_history(definition, numbered(history), status(events))


def numbered(events):
    """Anew from one, each pointing to the event that it pointed to."""
    places = {event["id"]: place for place, event in enumerate(events, 1)} | {0: 0}
    return [
        {**event, "id": place, "previousEventId": places.get(event["previousEventId"], 0)}
        for place, event in enumerate(events, 1)
    ]
