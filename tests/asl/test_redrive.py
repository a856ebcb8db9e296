"""A redrive goes on from what failed, and does nothing again that had succeeded."""

from __future__ import annotations

import pytest

from gateway.asl import stimuli
from tests.asl.driver import START, Driver
from tests.asl.test_advance import ACTIVITY, TASK, answers, machine, types

STEP = {"Type": "Task", "Resource": ACTIVITY}
PASS = {"Type": "Pass", "End": True}


def redriven(driver, answer=None, redrives=1):
    """The types of the events from the redrive to the next end."""
    before = len(types(driver))
    driver.give(stimuli.Redrive(redrives))
    if driver.execution.status == "RUNNING":
        driver.go_on(answer)
    assert driver.folded().dump() == driver.execution.dump()
    return types(driver)[before:]


def test_a_failed_task_is_done_again():
    """Without entering its state again; what was done before it stays done."""
    driver = Driver(machine(A={**STEP, "Next": "B"}, B=TASK), {"n": 1})
    assert driver.run(answers(1, "Custom")).status == "FAILED"
    ended = driver.events()[-1]["id"]
    again = redriven(driver, answers({"ok": True}))
    assert again == [
        "ExecutionRedriven",
        "ActivityScheduled",
        "ActivityStarted",
        "ActivitySucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    event = driver.events()[ended]
    assert event["previousEventId"] == ended
    assert event["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert driver.events()[ended + 1]["previousEventId"] == event["id"]
    assert driver.execution.status == "SUCCEEDED"
    assert (driver.execution.error, driver.execution.output) == (None, {"ok": True})


def test_only_the_branches_that_failed_run_again():
    """The others' outputs are kept, of all depths."""
    inner = {"Type": "Parallel", "End": True, "Branches": [machine(X=PASS), machine(Y=TASK)]}
    outer = {"Type": "Parallel", "End": True, "Branches": [machine(A=TASK), machine(B=inner)]}
    driver = Driver(machine(P=outer), {})
    assert driver.run(answers(1, "Custom")).status == "FAILED"
    again = redriven(driver, answers(2))
    assert again.count("ActivityScheduled") == 1
    assert "PassStateEntered" not in again
    assert driver.execution.output == [1, [{}, 2]]


def test_only_the_iterations_that_failed_run_again():
    """One that failed, one that was given up, and those that had not begun."""
    map_ = {"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": machine(T=TASK), "End": True}
    driver = Driver(machine(M=map_), [1, 2, 3, 4])
    assert driver.run(answers(1, "Custom")).status == "FAILED"
    again = redriven(driver, answers(2, 3, 4))
    assert again.count("ActivitySucceeded") == 3
    assert again.count("MapIterationStarted") == 1
    assert sorted(driver.execution.output) == [1, 2, 3, 4]


def test_a_redrive_counts_its_retries_anew():
    """The retrier has all its attempts again."""
    retry = [{"ErrorEquals": ["Custom"], "MaxAttempts": 1}]
    driver = Driver(machine(T={**TASK, "Retry": retry}))
    assert driver.run(answers("Custom", "Custom")).status == "FAILED"
    again = redriven(driver, answers("Custom", 1))
    assert again.count("ActivityFailed") == 1
    assert driver.execution.status == "SUCCEEDED"


@pytest.mark.parametrize(
    "stimulus", [stimuli.Stop(None, None), stimuli.Expire()], ids=["stopped", "timed out"]
)
def test_what_was_ended_from_outside_goes_on(stimulus):
    """A wait begins anew."""
    driver = Driver(machine(W={"Type": "Wait", "Seconds": 10, "End": True}))
    driver.give(stimuli.Start())
    driver.give(stimulus)
    assert driver.execution.status in {"ABORTED", "TIMED_OUT"}
    driver.at += 5_000
    assert redriven(driver) == ["ExecutionRedriven", "WaitStateExited", "ExecutionSucceeded"]
    assert driver.execution.stop_at == START + 15_000


def test_the_machine_timeout_begins_anew():
    """From the redrive on."""
    definition = {**machine(T=TASK), "TimeoutSeconds": 10}
    driver = Driver(definition)
    driver.run()
    assert driver.execution.status == "TIMED_OUT"
    driver.at += 100_000
    at = driver.at
    redriven(driver)
    assert (driver.execution.status, driver.execution.stop_at) == ("TIMED_OUT", at + 10_000)


def test_a_fail_state_fails_again():
    """At once, with a second end in the history."""
    driver = Driver(machine(F={"Type": "Fail", "Error": "E"}))
    driver.run()
    assert redriven(driver) == ["ExecutionRedriven", "ExecutionFailed"]
    assert driver.execution.error == "E"
    assert redriven(driver, redrives=2) == ["ExecutionRedriven", "ExecutionFailed"]


def test_what_succeeded_or_runs_is_left_alone():
    """A redrive changes nothing there."""
    done = Driver(machine(A=PASS))
    done.run()
    open_ = Driver(machine(T=TASK))
    open_.give(stimuli.Start())
    for driver in (done, open_):
        assert driver.give(stimuli.Redrive(1)) == []


def test_a_parallel_state_that_fails_again_says_so_again():
    """And gives up what runs beside the branch that failed."""
    both = {"Type": "Parallel", "End": True, "Branches": [machine(A=TASK), machine(B=TASK)]}
    driver = Driver(machine(P=both), {})
    assert driver.run(answers("Custom")).status == "FAILED"
    again = redriven(driver, answers("Custom"))
    assert again.count("ParallelStateFailed") == 1
    assert again.count("TaskStateAborted") == 2
    assert driver.execution.status == "FAILED"


def test_a_map_run_beside_a_fail_state_is_not_given_up_twice():
    """The redrive fails again before the run is set going: then nothing of it can be given up."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": config, **machine(P=PASS)}
    map_ = {"Type": "Map", "Label": "items", "ItemProcessor": processor, "End": True}
    failing = machine(W={"Type": "Wait", "Seconds": 1, "Next": "F"}, F={"Type": "Fail"})
    both = {"Type": "Parallel", "End": True, "Branches": [failing, machine(M=map_)]}
    driver = Driver(machine(B=both), [1, 2])
    assert driver.run(None).status == "FAILED"
    assert [each for each in types(driver) if "Abort" in each] == [
        "MapRunAborted",
        "MapStateAborted",
    ]
    again = redriven(driver)
    assert again == ["ExecutionRedriven", "ParallelStateFailed", "ExecutionFailed"]
