"""Some seeds of the simulation, and whether its judges would notice what they are there for."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from gateway.asl import stimuli
from tests.asl.driver import Driver
from tests.simulation.grammar import Ungrammatical, check_history
from tests.simulation.machines import ACTIVITY
from tests.simulation.run import run_seed

TASK = {"Type": "Task", "Resource": ACTIVITY, "ResultPath": None}
FLOW = {"StartAt": "T", "States": {"T": {**TASK, "Next": "P"}, "P": {"Type": "Pass", "End": True}}}
MACHINE = {
    "StartAt": "M",
    "States": {
        "M": {"Type": "Map", "ItemProcessor": FLOW, "Next": "B"},
        "B": {"Type": "Parallel", "Branches": [FLOW, FLOW], "End": True},
    },
}


def history():
    """Iterations and branches with tasks, to their end."""
    driver = Driver(MACHINE, [1, 2])
    driver.run(lambda task: stimuli.Succeed(task.number, {}))
    return driver.events()


@pytest.mark.parametrize("seed", range(25))
def test_a_seed(seed):
    """Whatever befalls the daemon in this world, nothing is lost and nothing happens twice."""
    wrong, trace, _ = run_seed(seed)
    assert wrong is None, "\n".join([*trace, wrong or ""])


FIRST_SEED = "437232496"


@pytest.mark.slow
def test_as_many_seeds_as_there_is_time_for():
    """A minute of seeds, none of which fails, and everything happens in them. They are the same
    each time, so that a change is judged by what it does; fresh ones are for ``make simulate``."""
    command = [sys.executable, "-m", "tests.simulation", "--seconds", "60", "--seed", FIRST_SEED]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr


def test_what_is_said_to_have_failed_is_what_did():
    """The state whose catcher cannot be evaluated, and then the one around it."""
    leaf = {"StartAt": "F", "States": {"F": {"Type": "Fail"}}}
    catch = {"ErrorEquals": ["States.ALL"], "Next": "N", "Assign": {"v": "{% $nothing %}"}}
    inner = {"Type": "Parallel", "Branches": [leaf], "Catch": [catch], "Next": "N"}
    states = {"I": inner, "N": {"Type": "Pass", "End": True}}
    outer = {"Type": "Parallel", "Branches": [{"StartAt": "I", "States": states}], "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "O", "States": {"O": outer}}
    driver = Driver(definition, {})
    assert driver.run(None).status == "FAILED"
    check_history(definition, driver.events(), "FAILED")


@pytest.mark.parametrize("both", [False, True])
def test_what_is_tried_again_is_what_failed(both):
    """Not the Parallel state around it, though that would begin again with the same event; where
    both may be tried again, both are thought of."""
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    leaf = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}
    inner = {"Type": "Parallel", "Branches": [leaf], "Retry": retry, "End": True}
    inner["Assign"] = {"v": "{% $states.input.nothing %}"}
    around = {"Type": "Parallel", "Branches": [{"StartAt": "I", "States": {"I": inner}}]}
    again = {"Retry": retry} if both else {}
    states = {"O": {**around, **again, "End": True}}
    definition = {"QueryLanguage": "JSONata", "StartAt": "O", "States": states}
    driver = Driver(definition, {})
    assert driver.run(None).status == "FAILED"
    check_history(definition, driver.events(), "FAILED")


def test_the_grammar_takes_a_history():
    """As the language core writes it, and each part of it from the start, it is grammatical."""
    events = history()
    check_history(MACHINE, events, "SUCCEEDED")
    for length in range(1, len(events)):
        check_history(MACHINE, events[:length], "RUNNING")


@pytest.mark.parametrize("place", range(len(history())))
def test_the_grammar_misses_every_event(place):
    """A history without one of its events, or with one of them twice, is refused."""
    events = history()
    with pytest.raises(Ungrammatical):
        check_history(MACHINE, _numbered(events[:place] + events[place + 1 :]), "SUCCEEDED")
    with pytest.raises(Ungrammatical):
        check_history(MACHINE, _numbered([*events[: place + 1], *events[place:]]), "SUCCEEDED")


def _numbered(events):
    """Anew from one, each pointing to the event that it pointed to."""
    places = {event["id"]: place for place, event in enumerate(events, 1)} | {0: 0}
    return [
        {**event, "id": place, "previousEventId": places.get(event["previousEventId"], 0)}
        for place, event in enumerate(orjson.loads(orjson.dumps(events)), 1)
    ]


def test_the_same_seed_is_the_same_world():
    """A seed that fails fails again: two runs of one seed have the same trace."""
    assert run_seed(7, told=True).trace == run_seed(7, told=True).trace


def test_the_same_seed_is_the_same_world_over_sqlite():
    """As well over a real database."""
    first, second = run_seed(3, told=True), run_seed(3, told=True)
    assert first.kinds["store: sqlite"]
    assert first.trace == second.trace
