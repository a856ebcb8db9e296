"""Strings that are evaluated: what they may be, and how AWS words what they do not find."""

from __future__ import annotations

import pytest

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.expression import compile_expression, compile_field_path
from tests.asl.scopes import scope_of

SCOPE = scope_of({"a": {"b": 1}}, {"Execution": {"Name": "e1"}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$.a.b", 1),
        ("$$.Execution.Name", "e1"),
        ("States.Format('{}-{}', $.a.b, $$.Execution.Name)", "1-e1"),
        ("$..b", [1]),
    ],
)
def test_paths_context_paths_and_calls_are_expressions(text: str, expected: object) -> None:
    """One function compiles the three of them."""
    assert compile_expression(text, field="x.$")(SCOPE) == expected


@pytest.mark.parametrize("text", ["a", "", "$.", "States.Nope()", "States.Format('\\\"')"])
def test_anything_else_is_refused_in_awss_words(text: str) -> None:
    """The message names the field; the reason says what is wrong."""
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text, field="parsed.$")
    assert str(refused.value) == (
        "The value for the field 'parsed.$' must be a valid JSONPath "
        "or a valid intrinsic function call"
    )
    assert refused.value.reason
    assert refused.value.reason in refused.value.explained


@pytest.mark.parametrize("text", ["$.none", "$$.None"])
def test_a_payload_field_names_itself_when_it_finds_nothing(text: str) -> None:
    """The state's input is shown, for context paths, too."""
    with pytest.raises(StateError) as failure:
        compile_expression(text, field="value.$")(SCOPE)
    assert (failure.value.error, failure.value.located) == ("States.Runtime", True)
    assert failure.value.cause == (
        f"The JSONPath '{text}' specified for the field 'value.$' "
        """could not be found in the input '{"a":{"b":1}}'"""
    )


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("$.No", "Invalid path '$.No' : No results for path: $['No']"),
        ("$.no.such", "Invalid path '$.no.such' : Missing property in path $['no']"),
        ("$$.No", "Invalid path '$$.No' : No results for path: $['No']"),
    ],
)
def test_a_path_field_quotes_jayway_when_it_finds_nothing(text: str, cause: str) -> None:
    """InputPath, OutputPath, TimeoutSecondsPath and their like."""
    with pytest.raises(StateError) as failure:
        compile_field_path(text)(SCOPE)
    assert (failure.value.error, failure.value.located) == ("States.Runtime", True)
    assert failure.value.cause == cause


def test_a_path_field_takes_no_calls() -> None:
    """Intrinsic functions belong into payload fields."""
    assert compile_field_path("$.a")(SCOPE) == {"b": 1}
    with pytest.raises(ExpressionError):
        compile_field_path("States.UUID()")


def test_an_input_that_json_cannot_show_still_gives_a_cause() -> None:
    """A document nested beyond the encoder's depth is not shown."""
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    with pytest.raises(StateError, match="nested too deeply"):
        compile_expression("$.a", field="x.$")(scope_of(deep))
