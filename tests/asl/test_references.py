"""Which variables the states of a definition name, as DescribeStateMachine shows it."""

from __future__ import annotations

import orjson
import pytest

from gateway.asl.references import variable_references

RULE = {"Next": "B", "Not": {"Variable": "$a", "StringEqualsPath": "$b[0]"}}
INSIDE = {"StartAt": "In", "States": {"In": {"Type": "Pass", "InputPath": "$inner", "End": True}}}
MAP = {"Type": "Map", "ItemsPath": "$outer", "ItemProcessor": INSIDE, "End": True}
STATES = {
    "a path": ({"Type": "Pass", "InputPath": "$a.b", "End": True}, {"A": ["a"]}),
    "what is no variable": ({"Type": "Pass", "InputPath": "$.a", "OutputPath": "$$.State"}, {}),
    "a template": ({"Type": "Pass", "Parameters": {"x": [{"y.$": "$z"}], "v": "$w"}}, {"A": ["z"]}),
    "an intrinsic": (
        {"Type": "Fail", "CausePath": "States.Format('{}', States.UUID(), $c, $.d)"},
        {"A": ["c"]},
    ),
    "a rule": ({"Type": "Choice", "Choices": [RULE]}, {"A": ["a", "b"]}),
    "an iteration's own": (MAP, {"A": ["outer"], "In": ["inner"]}),
    "queries": (
        {
            "Type": "Task",
            "QueryLanguage": "JSONata",
            "Arguments": {"a": ["{% $x + $sum($y) %}", "$z"]},
            "Output": "{% ($own := $states.input; $own.a) %}",
        },
        {"A": ["x", "y"]},
    ),
    "what only looks like a query": (
        {"Type": "Pass", "QueryLanguage": "JSONata", "Comment": "{% no", "Output": "{% $x %}"},
        {"A": ["x"]},
    ),
}


@pytest.mark.parametrize("name", STATES)
def test_variables_of_states(name):
    """Those from outside the query, by the state whose members name them; a state without any is
    not there."""
    state, expected = STATES[name]
    definition = {"StartAt": "A", "States": {"A": state}}
    assert variable_references(orjson.dumps(definition).decode()) == expected
