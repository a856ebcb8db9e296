"""The rules of flow, one case each: which events follow which stimulus."""

from __future__ import annotations

import pytest

from gateway.asl import stimuli
from gateway.asl.frame import Task
from tests.asl.driver import START, Driver

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
TASK = {"Type": "Task", "Resource": ACTIVITY, "End": True}
END = {"Type": "Pass", "End": True}


def machine(**states):
    """A machine of these states; the first one starts."""
    return {"StartAt": next(iter(states)), "States": states}


def types(driver):
    """The types of the events so far."""
    return [event["type"] for event in driver.events()]


def fail_with(error):
    """Every task fails with the error."""
    return lambda task: stimuli.Fail(task.number, error, "why")


def answers(*outcomes):
    """Tasks end one after the other: a string is an error, anything else the output."""
    left = list(outcomes)

    def answer(task: Task):
        outcome = left.pop(0)
        if isinstance(outcome, str):
            return stimuli.Fail(task.number, outcome, None)
        return stimuli.Succeed(task.number, outcome)

    return answer


def test_retry_waits_longer_each_time_up_to_its_cap():
    """Interval, rate and MaxDelaySeconds give 2, 6, then at most 10 seconds; then it is over."""
    retry = {
        "ErrorEquals": ["Custom"], "IntervalSeconds": 2, "BackoffRate": 3.0,
        "MaxAttempts": 3, "MaxDelaySeconds": 10,
    }  # fmt: skip
    driver = Driver(machine(T={**TASK, "Retry": [retry]}))
    execution = driver.run(fail_with("Custom"))
    assert execution.status == "FAILED"
    assert execution.stop_at == START + (2 + 6 + 10) * 1000
    assert types(driver).count("ActivityFailed") == 4


def test_each_retrier_counts_for_itself():
    """Another error's retries do not use up those of this one."""
    retries = [{"ErrorEquals": [name], "MaxAttempts": 1} for name in ("A", "B")]
    driver = Driver(machine(T={**TASK, "Retry": retries}))
    assert driver.run(answers("A", "B", {"x": 1})).status == "SUCCEEDED"
    driver = Driver(machine(T={**TASK, "Retry": retries}))
    assert driver.run(answers("A", "B", "A")).error == "A"


def test_full_jitter_stays_below_the_delay():
    """With JitterStrategy FULL the wait is between nothing and the whole delay."""
    retry = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 100, "JitterStrategy": "FULL"}
    driver = Driver(machine(T={**TASK, "Retry": [retry]}))
    driver.run(answers("A", {"x": 1}))
    waited = driver.execution.stop_at - START
    assert 0 <= waited < 100_000
    assert waited % 100_000 != 0


@pytest.mark.parametrize(
    ("names", "error", "caught"),
    [
        (["States.ALL"], "Custom", True),
        (["States.ALL"], "States.Timeout", True),
        (["States.TaskFailed"], "Custom", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.ALL"], "States.Runtime", False),
        (["States.Runtime"], "States.Runtime", False),
        (["Other"], "Custom", False),
    ],
)
def test_what_a_catcher_matches(names, error, caught):
    """AWS's rules of States.ALL, States.TaskFailed and the errors that they leave out."""
    catch = [{"ErrorEquals": names, "Next": "Caught", "ResultPath": "$.error"}]
    driver = Driver(machine(T={**TASK, "Catch": catch}, Caught=END), {"kept": 1})
    execution = driver.run(fail_with(error))
    assert execution.status == ("SUCCEEDED" if caught else "FAILED")
    if caught:
        assert execution.output == {"kept": 1, "error": {"Error": error, "Cause": "why"}}


def test_a_failing_branch_gives_up_its_siblings():
    """The other branch's task and timer are gone, and AWS's …Aborted events say so."""
    state = {
        "Type": "Parallel",
        "End": True,
        "Branches": [
            machine(A=TASK),
            machine(B=TASK),
            machine(W={"Type": "Wait", "Seconds": 60, "End": True}),
        ],
    }
    driver = Driver(machine(P=state))
    driver.give(stimuli.Start())
    first = next(e for e in driver.execution.effects.values() if isinstance(e, Task))
    driver.give(stimuli.HandOut(first.number, None, None))
    driver.give(stimuli.Fail(first.number, "Custom", None))
    assert types(driver)[-6:] == [
        "ActivityFailed",
        "TaskStateAborted",
        "TaskStateAborted",
        "WaitStateAborted",
        "ParallelStateFailed",
        "ExecutionFailed",
    ]
    assert driver.execution.effects == {}


@pytest.mark.parametrize("given", [[], [1], [1, 2]])
def test_a_map_follows_the_success_of_its_last_iteration(given):
    """AWS: so do MapStateSucceeded and MapStateExited, while the next iteration follows the last
    event inside the one before it; a Map of nothing follows its start."""
    state = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": machine(P=END), "End": True}
    driver = Driver(machine(M=state), given)
    driver.run()
    events = driver.events()
    by_id = {event["id"]: event for event in events}
    follows = [
        (event["type"], by_id[event["previousEventId"]]["type"])
        for event in events
        if event["type"] in {"MapIterationStarted", "MapStateSucceeded", "MapStateExited"}
    ]
    last = "MapIterationSucceeded" if given else "MapStateStarted"
    inside = ["MapStateStarted", "PassStateExited"]
    assert follows == [
        *(("MapIterationStarted", before) for before in inside[: len(given)]),
        ("MapStateSucceeded", last),
        ("MapStateExited", last),
    ]


def test_a_map_runs_at_most_its_concurrency():
    """MaxConcurrency 2 over five items: never more than two tasks are open."""
    state = {"Type": "Map", "MaxConcurrency": 2, "ItemProcessor": machine(T=TASK), "End": True}
    driver = Driver(machine(M=state), [1, 2, 3, 4, 5])
    most = 0

    def answer(task):
        nonlocal most
        most = max(most, sum(isinstance(e, Task) for e in driver.execution.effects.values()))
        return stimuli.Succeed(task.number, task.input * 10)

    assert driver.run(answer).output == [10, 20, 30, 40, 50]
    assert most == 2


def test_no_more_than_forty_iterations_run_inline():
    """MaxConcurrency 0 is AWS's cap of 40."""
    state = {"Type": "Map", "ItemProcessor": machine(T=TASK), "End": True}
    driver = Driver(machine(M=state), list(range(100)))
    driver.give(stimuli.Start())
    assert sum(isinstance(e, Task) for e in driver.execution.effects.values()) == 40


@pytest.mark.parametrize("answered", [True, False])
def test_a_heartbeat_timer_ends_the_task(answered):
    """Clocks of an activity run from the hand-out; an answer stops them."""
    driver = Driver(machine(T={**TASK, "TimeoutSeconds": 50, "HeartbeatSeconds": 5}))
    driver.give(stimuli.Start())
    (task,) = driver.execution.effects.values()
    driver.at += 10_000
    driver.give(stimuli.HandOut(task.number, "w", None))
    timers = {key[1]: e.due for key, e in driver.execution.effects.items() if key[1] != "task"}
    assert timers == {"timeout": driver.at + 50_000, "heartbeat": driver.at + 5_000}
    if answered:
        driver.give(stimuli.Succeed(task.number, 1))
        assert driver.execution.status == "SUCCEEDED"
    else:
        driver.give(stimuli.TimerFired(task.number, "heartbeat", timers["heartbeat"]))
        assert driver.execution.error == "States.Timeout"
        assert types(driver)[-2:] == ["ActivityTimedOut", "ExecutionFailed"]
    assert driver.execution.effects == {}


@pytest.mark.parametrize(
    ("names", "caught"),
    [
        (["States.Timeout"], True),
        (["States.HeartbeatTimeout"], True),
        (["States.ALL"], True),
        (["States.TaskFailed"], False),
    ],
)
@pytest.mark.parametrize("around", [False, True], ids=["task", "parallel"])
def test_a_missed_heartbeat_has_two_names(names, caught, around):
    """It is a States.Timeout, as AWS records it, and may be asked for as States.HeartbeatTimeout,
    by the task itself and by what stands around it."""
    catch = {"Catch": [{"ErrorEquals": names, "Next": "Caught"}]}
    task = {**TASK, "HeartbeatSeconds": 5}
    state = {**task, **catch}
    if around:
        state = {"Type": "Parallel", "Branches": [machine(T=task)], "End": True, **catch}
    driver = Driver(machine(S=state, Caught=END))
    driver.give(stimuli.Start())
    number = next(e.number for e in driver.execution.effects.values() if isinstance(e, Task))
    driver.give(stimuli.HandOut(number, "w", None))
    driver.give(stimuli.TimerFired(number, "heartbeat", driver.at + 5_000))
    if caught:
        assert driver.execution.output == {"Error": "States.Timeout", "Cause": ""}
    else:
        assert driver.execution.error == "States.Timeout"


def test_a_returned_task_is_handed_out_again_without_an_event():
    """The second worker gets the task under its own token; the first one's answer is ignored."""
    driver = Driver(machine(T=TASK))
    driver.give(stimuli.Start())
    (task,) = driver.execution.effects.values()
    driver.give(stimuli.HandOut(task.number, "a", "11"))
    assert driver.give(stimuli.Return(task.number, "22")) == []
    driver.give(stimuli.Return(task.number, "11"))
    driver.give(stimuli.HandOut(task.number, "b", "33"))
    assert types(driver).count("ActivityStarted") == 1
    assert driver.give(stimuli.Succeed(task.number, "late", "11")) == []
    driver.give(stimuli.Succeed(task.number, "good", "33"))
    assert driver.execution.output == "good"


def test_a_machine_timeout_is_at_exactly_start_plus_seconds():
    """TIMED_OUT, no error in the description, States.Timeout in the event."""
    driver = Driver(
        {**machine(W={"Type": "Wait", "Seconds": 60, "End": True}), "TimeoutSeconds": 5}
    )
    execution = driver.run()
    assert (execution.status, execution.stop_at, execution.error) == (
        "TIMED_OUT",
        START + 5000,
        None,
    )
    assert driver.events()[-1]["executionTimedOutEventDetails"] == {"error": "States.Timeout"}


def test_event_25000_is_the_failure():
    """A machine that goes round for ever dies of AWS's limit, with AWS's words."""
    driver = Driver(machine(A={"Type": "Pass", "Next": "B"}, B={"Type": "Pass", "Next": "A"}))
    execution = driver.run()
    assert execution.status == "FAILED"
    assert execution.event_id == 25_000
    assert execution.error == "States.Runtime"
    assert execution.cause == "The execution reached the maximum number of history events (25000)."


def test_a_result_over_the_limit_fails_its_state():
    """262,144 bytes pass, one more is States.DataLimitExceeded, which only its own name catches."""
    catch = [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "Caught", "ResultPath": None}]
    for size, status in ((262_142, "Done"), (262_143, "Caught")):
        states = machine(T={**TASK, "Next": "Done", "Catch": catch}, Done=END, Caught=END)
        del states["States"]["T"]["End"]
        driver = Driver(states)
        driver.run(lambda task, size=size: stimuli.Succeed(task.number, "x" * size))
        entered = [
            e["stateEnteredEventDetails"]["name"]
            for e in driver.events()
            if "stateEnteredEventDetails" in e
        ]
        assert entered[-1] == status


def test_stop_leaves_out_what_was_not_given():
    """StopExecution without arguments: an empty executionAbortedEventDetails."""
    driver = Driver(machine(W={"Type": "Wait", "Seconds": 60, "End": True}))
    driver.give(stimuli.Start())
    driver.give(stimuli.Stop(None, None))
    assert driver.events()[-1]["executionAbortedEventDetails"] == {}
    assert driver.give(stimuli.Stop("again", None)) == []


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ({"Seconds": 7}, 7),
        ({"SecondsPath": "$.s"}, 3),
        ({"Timestamp": "2023-11-14T22:13:30Z"}, 10),
        ({"TimestampPath": "$.t"}, 20),
        ({"Timestamp": "2020-01-01T00:00:00Z"}, 0),
    ],
)
def test_the_four_forms_of_wait(wait, seconds):
    """A Wait ends when it says; one until a past time ends at once."""
    given = {"s": 3, "t": "2023-11-14T22:13:40Z"}
    driver = Driver(machine(W={"Type": "Wait", **wait, "End": True}), given)
    execution = driver.run()
    assert execution.status == "SUCCEEDED"
    assert execution.stop_at == START + seconds * 1000


@pytest.mark.parametrize("field", ["SecondsPath", "TimestampPath"])
def test_a_wait_on_what_is_not_there(field):
    """AWS has words of its own for it, with the path."""
    execution = Driver(machine(W={"Type": "Wait", field: "$.no", "End": True}), {}).run()
    assert execution.error == "States.Runtime"
    said = f"). The {field} parameter does not reference an input value: $.no"
    assert execution.cause.endswith(said)


@pytest.mark.parametrize(
    ("value", "printed"), [(None, "null"), ("x", "x"), ([True], "[true]"), ({"a": 1}, '{"a":1}')]
)
@pytest.mark.parametrize("field", ["SecondsPath", "TimestampPath", "TimeoutSecondsPath"])
def test_a_path_to_a_value_of_another_type_shows_it(field, value, printed):
    """As JSON, as everything is shown in a cause; a text stands without its quotes."""
    state = TASK if "Timeout" in field else {"Type": "Wait", "End": True}
    execution = Driver(machine(S={**state, field: "$.v"}), {"v": value}).run()
    assert execution.error == "States.Runtime"
    assert execution.cause.endswith(f" {printed}")


@pytest.mark.parametrize(
    ("path", "shown", "value"), [({"ItemsPath": "$.v"}, "$.v", "1"), ({}, "$", '{"v":1}')]
)
def test_what_a_map_goes_through_has_to_be_a_list(path, shown, value):
    """The cause shows the path as it is written, and what it finds."""
    state = {"Type": "Map", **path, "ItemProcessor": machine(P=END), "End": True}
    execution = Driver(machine(M=state), {"v": 1}).run()
    assert execution.error == "States.Runtime"
    said = f'Reference path "{shown}" must point to array. Actual value: {value}'
    assert execution.cause.endswith(said)


def test_an_item_selector_sees_item_and_input():
    """$$.Map.Item and $ are both at hand; Parameters is its old name."""
    for name in ("ItemSelector", "Parameters"):
        state = {
            "Type": "Map",
            "ItemsPath": "$.list",
            name: {"v.$": "$$.Map.Item.Value", "i.$": "$$.Map.Item.Index", "k.$": "$.k"},
            "Iterator": machine(P=END),
            "End": True,
        }
        driver = Driver(machine(M=state), {"list": ["x", "y"], "k": 1})
        assert driver.run().output == [{"v": "x", "i": 0, "k": 1}, {"v": "y", "i": 1, "k": 1}]


@pytest.mark.parametrize("caught", [True, False])
@pytest.mark.parametrize(
    "join",
    [
        {"Type": "Map", "ItemsPath": "$$.Execution.Input", "ItemProcessor": machine(P=END)},
        {"Type": "Parallel", "Branches": [machine(P=END)]},
    ],
    ids=["Map", "Parallel"],
)
def test_a_join_that_succeeded_has_not_failed(join, caught):
    """Where the result does not fit into the document, the state fails; the join did not."""
    state = {**join, "ResultPath": "$.a", "End": True}
    if caught:
        state["Catch"] = [{"ErrorEquals": ["States.ALL"], "Next": "Done", "ResultPath": None}]
    driver = Driver(machine(J=state, Done=END) if caught else machine(J=state), [1])
    assert driver.run().status == ("SUCCEEDED" if caught else "FAILED")
    found = types(driver)
    assert f"{join['Type']}StateSucceeded" in found
    assert f"{join['Type']}StateFailed" not in found


def test_what_failed_by_its_result_is_not_given_up_as_well():
    """An iteration whose Parallel had a result that does not fit has failed, once."""
    inner = {"Type": "Parallel", "Branches": [machine(P=END)], "ResultPath": "$.a", "End": True}
    state = {"Type": "Map", "ItemProcessor": machine(J=inner), "End": True}
    driver = Driver(machine(M=state), [1])
    assert driver.run().status == "FAILED"
    assert "ParallelStateAborted" not in types(driver)
    assert types(driver)[-3:] == ["MapIterationFailed", "MapStateFailed", "ExecutionFailed"]
