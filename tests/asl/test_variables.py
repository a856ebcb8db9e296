"""Variables in JSONPath states: who sees and assigns them, how large they may be, and how the
history shows them."""

from __future__ import annotations

import orjson
import pytest

from gateway.asl import stimuli
from gateway.asl.definition import parse_definition
from gateway.asl.errors import DefinitionError, ExpressionError
from gateway.asl.frame import Task
from gateway.asl.references import compile_free_expression, compile_free_template, references
from gateway.asl.variables import MAX_ASSIGN_BYTES
from tests.asl.driver import Driver

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
SHOW = {"Type": "Pass", "Parameters": {"x.$": "$x"}, "End": True}


def machine(**states):
    """The states in the order they are given."""
    return {"StartAt": next(iter(states)), "States": states}


def assigned(driver):
    """What each exit shows, by the name of its state."""
    exits = [e for e in driver.events() if e["type"].endswith("StateExited")]
    details = [each["stateExitedEventDetails"] for each in exits]
    return {d["name"]: d.get("assignedVariables") for d in details}


def test_each_kind_of_state_assigns():
    """Pass: of its result; Wait and Choice: of the effective input, the rule that matches alone;
    Task: of the raw result."""
    wait = {"Type": "Wait", "Seconds": 1, "InputPath": "$.in", "Assign": {"w.$": "$.n"}}
    rule = {"Variable": "$.n", "IsNumeric": True, "Next": "T", "Assign": {"c.$": "$.n"}}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "T", "Assign": {"never": 1}}
    task = {
        "Type": "Task", "Resource": ACTIVITY, "ResultSelector": {"no.$": "$.v"},
        "ResultPath": "$.r", "Assign": {"t.$": "$.v"}, "End": True,
    }  # fmt: skip
    states = {
        "P": {"Type": "Pass", "Result": {"in": {"n": 7}}, "Assign": {"p.$": "$.in"}, "Next": "W"},
        "W": {**wait, "Next": "C"},
        "C": choice,
        "T": task,
    }
    driver = Driver(machine(**states))
    execution = driver.run(lambda t: stimuli.Succeed(t.number, {"v": [1]}))
    assert execution.output == {"n": 7, "r": {"no": [1]}}
    assert assigned(driver) == {
        "P": {"p": '{"n":7}'}, "W": {"w": "7"}, "C": {"c": "7"}, "T": {"t": "[1]"}
    }  # fmt: skip
    assert driver.folded().dump() == execution.dump()


def test_the_default_of_a_choice_assigns_what_the_state_says():
    """No rule matches: the state's own Assign counts."""
    rule = {"Variable": "$", "IsNull": True, "Next": "E", "Assign": {"x": "rule"}}
    choice = {"Type": "Choice", "Choices": [rule], "Default": "E", "Assign": {"x": "default"}}
    assert Driver(machine(C=choice, E=SHOW), 1).run().output == {"x": "default"}


def test_all_of_a_state_sees_the_variables_as_they_were():
    """Assign, and the output beside it, read what stood there before."""
    first = {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "B"}
    second = {
        "Type": "Pass", "Assign": {"x.$": "$y", "y.$": "$x"}, "OutputPath": "$x", "Next": "C",
    }  # fmt: skip
    last = {"Type": "Pass", "Parameters": {"in.$": "$", "x.$": "$x", "y.$": "$y"}, "End": True}
    driver = Driver(machine(A=first, B=second, C=last))
    assert driver.run().output == {"in": 1, "x": 2, "y": 1}


def test_a_catcher_assigns_of_the_error_output():
    """``$`` in a catcher's Assign is the error, whatever its ResultPath."""
    catch = {
        "ErrorEquals": ["States.ALL"], "Next": "B", "ResultPath": None,
        "Assign": {"x.$": "$.Error"},
    }  # fmt: skip
    task = {"Type": "Task", "Resource": ACTIVITY, "Catch": [catch], "End": True}
    driver = Driver(machine(A={**task, "Assign": {"never": 1}}, B=SHOW), {"a": 1})
    execution = driver.run(lambda t: stimuli.Fail(t.number, "Broken", None))
    assert execution.output == {"x": "Broken"}
    assert assigned(driver)["A"] == {"x": '"Broken"'}


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_what_a_branch_assigns_ends_with_it(kind):
    """Inside, the variables around are seen; outside, nothing of what was assigned inside."""
    inside = machine(
        I={"Type": "Pass", "Assign": {"own.$": "$x"}, "Next": "J"},
        J={"Type": "Pass", "Parameters": {"own.$": "$own", "x.$": "$x"}, "End": True},
    )
    state = (
        {"Type": "Map", "ItemsPath": "$list", "ItemProcessor": inside, "Next": "Z"}
        if kind == "Map"
        else {"Type": "Parallel", "Branches": [inside, inside], "Next": "Z"}
    )
    first = {"Type": "Pass", "Assign": {"x": 5, "list": [1, 2]}, "Next": "F"}
    z = {"Type": "Pass", "Parameters": {"own.$": "$own"}, "End": True}
    driver = Driver(machine(A=first, F={**state, "Assign": {"all.$": "$"}}, Z=z))
    execution = driver.run()
    assert assigned(driver)["F"] == {"all": '[{"own":5,"x":5},{"own":5,"x":5}]'}
    assert execution.status == "FAILED"
    assert "The JSONPath '$own' specified for the field 'own.$'" in execution.cause


def test_variables_stand_wherever_a_path_does():
    """InputPath, ItemsPath, TimeoutSecondsPath, choice operands, ErrorPath, intrinsic arguments."""
    operand = {"Variable": "$v.n", "NumericEqualsPath": "$two", "Next": "F"}
    present = {"Variable": "$gone", "IsPresent": True, "Next": "T"}
    states = {
        "A": {"Type": "Pass", "Assign": {"v": {"n": 2}, "two": 2, "s": "{}!"}, "Next": "C"},
        "C": {"Type": "Choice", "InputPath": "$v", "Choices": [present, operand], "Default": "T"},
        "T": {
            "Type": "Task", "Resource": ACTIVITY, "TimeoutSecondsPath": "$two", "Next": "F",
        },
        "F": {"Type": "Fail", "ErrorPath": "$s", "CausePath": "States.Format($s, $v.n)"},
    }  # fmt: skip
    execution = Driver(machine(**states)).run()
    assert (execution.error, execution.cause) == ("{}!", "2!")
    driver = Driver(
        machine(**{**states, "A": {**states["A"], "Next": "T"}, "T": {**states["T"], "Next": "C"}})
    )
    driver.give(stimuli.Start())
    (task,) = [e for e in driver.execution.effects.values() if isinstance(e, Task)]
    assert task.timeout_seconds == 2


def big(size):
    """A Pass that assigns two variables of together ``size`` bytes of JSON, roughly."""
    return {"x": "a" * (size // 2), "y": "b" * (size // 2)}


def test_one_assign_has_a_limit():
    """Over 256 KiB together, the state fails with an error that States.ALL does not catch."""
    ok = Driver(machine(A={"Type": "Pass", "Assign": big(MAX_ASSIGN_BYTES - 100), "End": True}))
    assert ok.run().status == "SUCCEEDED"
    driver = Driver(machine(A={"Type": "Pass", "Assign": big(MAX_ASSIGN_BYTES + 2), "End": True}))
    assert driver.run().error == "States.DataLimitExceeded"


@pytest.mark.parametrize(("count", "inside"), [(41, False), (42, False), (20, True), (22, True)])
def test_all_variables_together_have_a_limit(count, inside):
    """Forty-one times 250 KB fit into 10 MiB, forty-two times do not; what branches see of the
    variables around them is not counted again, what they assign themselves is."""
    states = {
        f"S{i}": {"Type": "Pass", "Assign": {f"v{i}.$": "$"}, "Next": f"S{i + 1}"}
        for i in range(count)
    }
    again = {f"w{i}.$": "$" for i in range(count)}
    branch = {"StartAt": "B0", "States": {}}
    for i, name in enumerate(again):
        branch["States"][f"B{i}"] = {"Type": "Pass", "Assign": {name: "$"}, "Next": f"B{i + 1}"}
    branch["States"][f"B{count}"] = {"Type": "Pass", "End": True}
    last = (
        {"Type": "Parallel", "Branches": [branch], "End": True} if inside else {"Type": "Succeed"}
    )
    execution = Driver(machine(**states, **{f"S{count}": last}), "a" * 250_000).run()
    assert execution.error == (None if count in {41, 20} else "States.DataLimitExceeded")


REFUSED = {
    "states": {"Type": "Pass", "Assign": {"states": 1}, "End": True},
    "a digit first": {"Type": "Pass", "Assign": {"1x": 1}, "End": True},
    "a dot": {"Type": "Pass", "Assign": {"a.b": 1}, "End": True},
    "no object": {"Type": "Pass", "Assign": [1], "End": True},
    "Succeed": {"Type": "Succeed", "Assign": {"x": 1}},
    "Fail": {"Type": "Fail", "Assign": {"x": 1}},
}


@pytest.mark.parametrize("state", REFUSED.values(), ids=REFUSED)
def test_refused(state):
    """Reserved and impossible names, and types that cannot assign."""
    with pytest.raises(DefinitionError):
        parse_definition(orjson.dumps(machine(A=state)).decode())


def test_an_outer_name_is_refused_inside():
    """A branch may not assign what is assigned around it, however deep; sisters may share names."""
    inside = machine(B={"Type": "Pass", "Assign": {"x": 1}, "End": True})
    around = {"Type": "Parallel", "Branches": [inside, inside], "Next": "Z"}
    first = {"Type": "Pass", "Assign": {"y": 1}, "Next": "P"}
    parse_definition(orjson.dumps(machine(A=first, P=around, Z={"Type": "Succeed"})).decode())
    deep = {"Type": "Parallel", "Branches": [machine(Q={**around, "Next": "E"}, E=SHOW)]}
    both = machine(A={**first, "Assign": {"x": 1}}, P={**deep, "End": True})
    with pytest.raises(DefinitionError) as refused:
        parse_definition(orjson.dumps(both).decode())
    locations = {each.location for each in refused.value.diagnostics}
    assert locations == {
        f"/States/P/Branches[0]/States/Q/Branches[{i}]/States/B/Assign" for i in (0, 1)
    }


def test_references_are_found_where_they_are_written():
    """In templates, paths, choice rules and nested calls; not in the states inside a state."""
    state = {
        "InputPath": "$a.b",
        "Parameters": {
            "x.$": "States.Format($c, States.Array($d[0], $$.State, '$no'))",
            "n": "$no",
        },
        "Choices": [{"Not": {"Variable": "$e", "NumericEqualsPath": "$f"}}],
        "Branches": [{"States": {"B": {"InputPath": "$inner"}}}],
    }
    assert references(state) == set("acdef")


def test_there_are_no_variables_outside_of_a_machine():
    """A trigger's or sink's template that names one is refused when it is checked."""
    with pytest.raises(ExpressionError, match=r"reads \$body"):
        compile_free_template({"order.$": "$body.id"})
    with pytest.raises(ExpressionError, match=r"reads \$body"):
        compile_free_expression("States.Format('{}', $body)", field="name")
