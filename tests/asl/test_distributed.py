"""A Distributed Map in the language: what its definition may say, its records and its events."""

from __future__ import annotations

import orjson
import pytest

from gateway.asl import stimuli
from gateway.asl.definition import parse_definition
from gateway.asl.errors import DefinitionError
from gateway.asl.frame import MapRun
from gateway.asl.validation import accepted
from tests.asl.driver import Driver

PASS = {"Type": "Pass", "End": True}
CONFIG = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}


def a_map(config: object = CONFIG, **members) -> dict:
    """A Distributed Map."""
    processor = {"ProcessorConfig": config, "StartAt": "Child", "States": {"Child": PASS}}
    return {"Type": "Map", "ItemProcessor": processor, "End": True, **members}


def a_machine(state: dict) -> dict:
    """A machine of this state alone."""
    return {"StartAt": "Map", "States": {"Map": state}}


REFUSED = {
    "empty label": (a_map(Label=""), "Label cannot be empty"),
    "long label": (a_map(Label="x" * 41), "Label cannot exceed 40 characters"),
    "odd label": (a_map(Label="a b"), "Label contains invalid character"),
    "no type": (a_map({"Mode": "DISTRIBUTED"}), "ExecutionType"),
    "odd mode": (a_map({"Mode": "PARALLEL"}), "INLINE, DISTRIBUTED"),
    "inline type": (a_map({"Mode": "INLINE", "ExecutionType": "STANDARD"}), "DISTRIBUTED"),
    "inline label": (a_map({"Mode": "INLINE"}, Label="x"), "INLINE"),
    "inline tolerance": (a_map({}, ToleratedFailureCount=-1), "cannot be negative"),
    "negative count": (a_map(ToleratedFailureCount=-1), "cannot be negative"),
    "percentage": (a_map(ToleratedFailurePercentage=100.1), "between 0 and 100"),
    "two counts": (
        a_map(ToleratedFailureCount=1, ToleratedFailureCountPath="$.n"), "At most one",
    ),
    "empty batcher": (a_map(ItemBatcher={}), "MaxItemsPerBatch"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    """Each mistake is found, with what is wrong."""
    state, message = REFUSED[name]
    with pytest.raises(DefinitionError, match=message):
        parse_definition(orjson.dumps(a_machine(state)).decode())


def test_express_children_do_without_what_express_machines_lack():
    """AWS's words, at the place in the processor."""
    config = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync", "End": True}
    state = a_map(config)
    state["ItemProcessor"]["States"] = {"Child": task}
    with pytest.raises(DefinitionError) as refused:
        accepted(orjson.dumps(a_machine(state)).decode())
    [found] = refused.value.diagnostics
    assert found.location == "/States/Map/ItemProcessor/States/Child/Resource"
    assert found.message == "Express state machine does not support '.sync' service integration"


def test_labels_are_unique():
    """Two states with one label are refused; states without one have labels of their own."""
    both = [a_machine(a_map(Label="x")), a_machine(a_map(Label="x"))]
    parallel = {"Type": "Parallel", "Branches": both, "End": True}
    with pytest.raises(DefinitionError, match="not unique"):
        parse_definition(orjson.dumps(a_machine(parallel)).decode())
    for branch in both:
        del branch["States"]["Map"]["Label"]
    machine = parse_definition(orjson.dumps(a_machine(parallel)).decode())
    assert len(machine.maps) == 2


def the_run(driver: Driver) -> MapRun:
    """The map run that goes on."""
    [run] = [each for each in driver.execution.effects.values() if isinstance(each, MapRun)]
    return run


def events(driver: Driver) -> list[tuple]:
    """Type and predecessor of each event; AWS's quirk is that an exit follows MapRunStarted."""
    return [(event["type"], event["previousEventId"]) for event in driver.events()]


def test_a_run_that_succeeds():
    """The events and their predecessors are those of AWS; the fold gives the live state."""
    driver = Driver(a_machine(a_map(MaxConcurrency=3)), [1, 2])
    driver.give(stimuli.Start())
    run = the_run(driver)
    assert (run.items, run.limits["maxConcurrency"]) == ([1, 2], 3)
    assert driver.folded().dump() == driver.execution.dump()
    driver.give(stimuli.Succeed(run.number, ["a"]))
    assert driver.give(stimuli.Succeed(run.number, ["b"])) == []
    assert events(driver) == [
        ("ExecutionStarted", 0), ("MapStateEntered", 0), ("MapStateStarted", 2),
        ("MapRunStarted", 3), ("MapRunSucceeded", 4), ("MapStateSucceeded", 5),
        ("MapStateExited", 4), ("ExecutionSucceeded", 7),
    ]  # fmt: skip
    started = driver.events()[3]["mapRunStartedEventDetails"]["mapRunArn"]
    assert started.startswith("arn:aws:states:us-east-1:123456789012:mapRun:machine/Map-")
    assert driver.execution.output == ["a"]
    assert driver.folded().dump() == driver.execution.dump()


def test_a_run_that_fails_is_retried_and_caught():
    """Retry asks for another run; then MapStateFailed and what Catch says."""
    retry = [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]
    state = a_map(Retry=retry, Catch=[{"ErrorEquals": ["Custom"], "Next": "After"}])
    definition = a_machine(state)
    definition["States"]["After"] = PASS
    driver = Driver(definition, [])
    driver.give(stimuli.Start())
    first = the_run(driver)
    driver.give(stimuli.Fail(first.number, "Custom", "because"))
    driver.give(driver.next_stimulus(None))
    second = the_run(driver)
    assert second.id != first.id
    driver.give(stimuli.Fail(second.number, "Custom", "because"))
    assert [type_ for type_, _ in events(driver)] == [
        "ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunFailed",
        "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", "MapStateExited",
        "PassStateEntered", "PassStateExited", "ExecutionSucceeded",
    ]  # fmt: skip
    assert driver.execution.output == {"Error": "Custom", "Cause": "because"}
    assert driver.folded().dump() == driver.execution.dump()


PATHS = [
    ("ToleratedFailureCountPath", {}, "which is not a valid integer: $.n"),
    ("ToleratedFailureCountPath", "NoNumber", 'value "NoNumber" which is not a valid integer'),
    ("ToleratedFailureCountPath", 1.5, "which is not a valid integer"),
    ("ToleratedFailureCountPath", -1, "ToleratedFailureCount cannot be negative."),
    ("ToleratedFailurePercentagePath", {}, "which is not a valid float: $.n"),
    ("ToleratedFailurePercentagePath", -1.1, "must be between 0 and 100."),
    ("ToleratedFailurePercentagePath", 100.1, "must be between 0 and 100."),
    ("MaxConcurrencyPath", "NoNumber", "which is not a valid integer"),
]


@pytest.mark.parametrize(("field", "value", "cause"), PATHS)
def test_a_limit_that_is_no_number(field, value, cause):
    """It fails the state before its run begins."""
    driver = Driver(
        a_machine(a_map(ItemsPath="$.items", **{field: "$.n"})), {"items": [], "n": value}
    )
    driver.give(stimuli.Start())
    assert [type_ for type_, _ in events(driver)][2:] == ["ExecutionFailed"]
    assert driver.execution.error == "States.Runtime"
    assert cause in driver.execution.cause


@pytest.mark.parametrize("value", ["1", 1, 0])
def test_a_limit_that_is_a_number(value):
    """A text that is a number is one."""
    driver = Driver(a_machine(a_map(ToleratedFailureCountPath="$[0]")), [value])
    driver.give(stimuli.Start())
    assert the_run(driver).limits["toleratedFailureCount"] == int(value)
