"""Payload templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.template import compile_template
from tests.asl.scopes import DOCUMENTS, scope_of

SCOPE = scope_of({"a": {"b": 1}, "l": [1, 2]}, {"Execution": {"Name": "e1"}})


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ({}, {}),
        ({"x": 1}, {"x": 1}),
        ({"x.$": "$.a.b"}, {"x": 1}),
        ({"x": {"y.$": "$.l", "z": 0}}, {"x": {"y": [1, 2], "z": 0}}),
        ({"x": ["$.a", {"y.$": "$.a.b"}]}, {"x": ["$.a", {"y": 1}]}),
        ([{"y.$": "$$.Execution.Name"}, 1], [{"y": "e1"}, 1]),
        ({"x.$": "States.ArrayLength($.l)", "y": "States.UUID()"}, {"x": 2, "y": "States.UUID()"}),
        ({"a.b.$": "$.a"}, {"a.b": {"b": 1}}),
        ("$.a", "$.a"),
        (None, None),
    ],
)
def test_members_that_end_in_a_dollar_are_evaluated(template: object, expected: object) -> None:
    """At any depth, in objects and arrays; everything else is as written, in its order."""
    made = compile_template(template)(SCOPE)
    assert made == expected
    assert list(made or ()) == list(expected or ())


@pytest.mark.parametrize("value", [1, None, {"x": 1}, ["$.a"], "plain", "$.a b", "States.Nope()"])
def test_a_wrong_expression_is_refused_by_its_key(value: object) -> None:
    """The message names the member as AWS does."""
    with pytest.raises(ExpressionError, match=r"field 'x\.\$' must be a valid JSONPath"):
        compile_template({"deep": [{"x.$": value}]})


@pytest.mark.parametrize("template", [{"x": 1, "x.$": "$.a"}, {"x.$": "$.a", "x": {"y.$": "$.a"}}])
def test_two_members_of_one_name_are_refused(template: object) -> None:
    """``x`` and ``x.$`` would make the same member."""
    with pytest.raises(ExpressionError, match=r"'x' and 'x\.\$'"):
        compile_template(template)


def test_what_has_no_expressions_is_shared() -> None:
    """A constant subtree is the same object in every result, and in the template."""
    template = {"constant": {"big": [1, 2, 3]}, "x.$": "$.a"}
    make = compile_template(template)
    assert make(SCOPE)["constant"] is make(SCOPE)["constant"] is template["constant"]
    assert make(SCOPE)["x"] is SCOPE.data["a"]


def test_a_path_that_finds_nothing_fails_the_state() -> None:
    """The cause names the innermost key."""
    with pytest.raises(StateError, match=r"specified for the field 'y\.\$'"):
        compile_template({"x": {"y.$": "$.none"}})(SCOPE)


def test_a_template_nested_without_end_is_refused() -> None:
    """No recursion ends the daemon."""
    template: object = {"x.$": "$.a"}
    for _ in range(2000):
        template = [template]
    with pytest.raises(ExpressionError, match="nested too deeply"):
        compile_template(template)


@given(DOCUMENTS)
def test_a_template_without_expressions_is_itself(template: object) -> None:
    """The identity of a constant."""
    assert compile_template(template)(SCOPE) is template


@given(DOCUMENTS, st.sampled_from(["x", "y z"]))
def test_an_expression_gives_what_it_refers_to(document: object, name: str) -> None:
    """``name.$`` of ``$`` is the document itself."""
    assert compile_template({f"{name}.$": "$"})(scope_of(document))[name] is document
