"""Choice rules: operators, junctions, what is refused, and AWS's recorded answers."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asl.choice import compile_rule
from gateway.asl.errors import DefinitionError, StateError
from tests.asl.scopes import DOCUMENTS, recorded, scope_of

EARLY, LATE = "2012-10-09T19:00:55Z", "2012-10-09T20:00:56.5+01:00"
DATA = {
    "n": 5,
    "same": 5.0,
    "s": "order-7.log",
    "t": True,
    "null": None,
    "early": EARLY,
    "late": LATE,
    "star": "a*b\\c",
    "smile": "😀",
    "list": [1],
}

MATCHES = [
    ("$.n", "NumericEquals", 5.0),
    ("$.n", "NumericLessThan", 6),
    ("$.n", "NumericLessThanEquals", 5),
    ("$.n", "NumericGreaterThan", 4.5),
    ("$.n", "NumericGreaterThanEquals", 5),
    ("$.n", "NumericEqualsPath", "$.same"),
    ("$.s", "StringEquals", "order-7.log"),
    ("$.s", "StringLessThan", "p"),
    ("$.smile", "StringLessThan", "\uffff"),
    ("$.s", "StringGreaterThanEqualsPath", "$.s"),
    ("$.t", "BooleanEquals", True),
    ("$.t", "BooleanEqualsPath", "$.t"),
    ("$.early", "TimestampLessThan", LATE),
    ("$.early", "TimestampLessThanPath", "$.late"),
    ("$.early", "TimestampEquals", "2012-10-09T21:00:55+02:00"),
    ("$.early", "StringEquals", EARLY),
    ("$.n", "IsPresent", True),
    ("$.none", "IsPresent", False),
    ("$.n.x", "IsPresent", False),
    ("$.null", "IsPresent", True),
    ("$.null", "IsNull", True),
    ("$.n", "IsNull", False),
    ("$.n", "IsNumeric", True),
    ("$.t", "IsNumeric", False),
    ("$.t", "IsBoolean", True),
    ("$.s", "IsString", True),
    ("$.early", "IsTimestamp", True),
    ("$.s", "IsTimestamp", False),
    ("$$.State.Name", "StringEquals", "Decide"),
    ("$.s", "StringMatches", "order-*.log"),
    ("$.s", "StringMatches", "*"),
    ("$.s", "StringMatches", "*7*"),
    ("$.s", "StringMatches", "order-7.log"),
    ("$.s", "StringMatches", "*-*.*"),
    ("$.star", "StringMatches", "a\\*b\\\\c"),
    ("$.star", "StringMatches", "a*\\\\c"),
]
MISSES = [
    ("$.n", "NumericEquals", 6),
    ("$.s", "NumericEquals", 5),
    ("$.t", "NumericEquals", 1),
    ("$.null", "StringEquals", "null"),
    ("$.n", "BooleanEquals", True),
    ("$.n", "StringMatches", "*"),
    ("$.s", "TimestampEquals", EARLY),
    ("$.late", "TimestampLessThanEquals", EARLY),
    ("$.list", "NumericEquals", 1),
    ("$.none", "IsPresent", True),
    ("$.n", "IsPresent", False),
    ("$.s", "StringMatches", "order-*.txt"),
    ("$.s", "StringMatches", "order-7.log.log"),
    ("$.s", "StringMatches", "*8*"),
    ("$.s", "StringMatches", "order-7*7.log"),
    ("$.s", "StringMatches", "x*"),
    ("$.star", "StringMatches", "a\\*b"),
]


def rule_of(variable: str, operator: str, operand: object) -> dict[str, object]:
    """A rule of one comparison."""
    return {"Variable": variable, operator: operand, "Next": "There"}


@pytest.mark.parametrize(
    ("row", "expected"), [*((row, True) for row in MATCHES), *((row, False) for row in MISSES)]
)
def test_an_operator_decides(row: tuple[str, str, object], expected: bool) -> None:
    """A value of another type never matches; a timestamp is a string, too."""
    target, matches = compile_rule(rule_of(*row), "/States/A/Choices/0")
    assert target == "There"
    assert matches(scope_of(DATA, {"State": {"Name": "Decide"}})) is expected


@pytest.mark.parametrize(
    ("row", "path"),
    [
        (("$.none", "NumericEquals", 1), "$.none"),
        (("$.none", "IsNull", True), "$.none"),
        (("$.n", "NumericEqualsPath", "$.none"), "$.none"),
        (("$.n", "NumericEqualsPath", "$.s"), "$.s"),
        (("$.early", "TimestampEqualsPath", "$.s"), "$.s"),
    ],
)
def test_a_path_without_a_value_fails_the_state(row: tuple[str, str, object], path: str) -> None:
    """Only IsPresent may ask for what is not there; an operand must be of the operator's type."""
    matches = compile_rule(rule_of(*row), "")[1]
    with pytest.raises(StateError) as failure:
        matches(scope_of(DATA))
    assert (failure.value.error, failure.value.located) == ("States.Runtime", True)
    assert failure.value.cause == (
        f"Invalid path '{path}': The choice state's condition path references an invalid value."
    )


YES: dict[str, object] = {"Variable": "$.n", "NumericEquals": 5}
NO: dict[str, object] = {"Variable": "$.n", "NumericEquals": 6}
FAILS: dict[str, object] = {"Variable": "$.none", "NumericEquals": 6}


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"And": [YES, YES]}, True),
        ({"And": [YES, NO, FAILS]}, False),
        ({"Or": [NO, YES, FAILS]}, True),
        ({"Or": [NO, NO]}, False),
        ({"Not": NO}, True),
        ({"Not": {"And": [YES, {"Or": [NO, {"Not": YES}]}]}}, True),
        ({"Or": [{"Not": YES}, {"And": [YES]}], "Comment": "why"}, True),
    ],
)
def test_junctions_stop_as_soon_as_they_know(rule: dict[str, object], expected: bool) -> None:
    """And behind IsPresent is how definitions guard what may be missing."""
    assert compile_rule({**rule, "Next": "B"}, "")[1](scope_of(DATA)) is expected


def test_all_that_is_wrong_is_reported_together() -> None:
    """Each with its place."""
    rule = {
        "And": [
            {"Variable": "$.a", "NumericEquals": "x"},
            {"Variable": "a", "StringEquals": "x"},
            {"StringEquals": "x"},
            {"Not": {"Variable": "$.a", "Next": "B", "Is": True}},
            {"Variable": "$.a"},
            {"Variable": "$.a", "IsNull": True, "IsString": True},
            5,
            {"Or": []},
            {"Variable": "$.a", "IsNull": 1},
            {"Variable": "$.a", "StringMatches": 1},
            {"Variable": "$.a", "BooleanLessThan": True},
            {"Variable": "$.a", "StringEqualsPath": "b"},
            {"Variable": "$.a", "TimestampEquals": "2012"},
        ]
    }
    with pytest.raises(DefinitionError) as refused:
        compile_rule(rule, "/R")
    found = [(each.location, each.message) for each in refused.value.diagnostics]
    numbers = [0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    inside = {3: "/Not", 7: "/Or"}
    places = [f"/R/And[{number}]{inside.get(number, '')}" for number in numbers]
    assert [location for location, _ in found] == [*places, "/R"]
    assert all(message for _, message in found)


def test_rules_of_no_shape_are_refused() -> None:
    """A rule is an object with a Next that is a name, nested within bounds."""
    nested: dict[str, object] = YES
    for _ in range(60):
        nested = {"Not": nested}
    for rule in (None, [], {}, {**YES}, {**YES, "Next": 5}, {**nested, "Next": "B"}):
        with pytest.raises(DefinitionError):
            compile_rule(rule, "/R")


_COMPARISONS = st.builds(
    lambda variable, name, operand: {"Variable": variable, name: operand},
    st.sampled_from(["$", "$.a", "$.b", "$['c d']", "$[0]", "$..a", "$$.x"]),
    st.sampled_from([row[1] for row in MATCHES]),
    st.sampled_from([1, 2.5, "a*", True, False, EARLY, "$.a", "$.b", None]),
)
_RULES = st.recursive(
    _COMPARISONS,
    lambda inner: (
        st.builds(lambda rule: {"Not": rule}, inner)
        | st.builds(
            lambda name, rules: {name: rules}, st.sampled_from(["And", "Or"]), st.lists(inner)
        )
    ),
    max_leaves=4,
)


@given(_RULES, DOCUMENTS)
def test_choosing_is_total(rule: dict[str, object], document: object) -> None:
    """A rule is refused, decides, or fails the state: nothing else ever comes out of it."""
    with suppress(DefinitionError, StateError):
        decided = compile_rule({**rule, "Next": "B"}, "")[1](scope_of(document))
        assert isinstance(decided, bool)


@pytest.mark.parametrize("case", recorded("choice_operators"))
def test_awss_recorded_answers(case: dict[str, object]) -> None:
    """The first rule that matches leads to the state whose result AWS recorded."""
    states = case["definition"]["States"]
    choice = next(state for state in states.values() if state["Type"] == "Choice")
    rules = [compile_rule(rule, "") for rule in choice["Choices"]]
    scope = scope_of(case["input"])
    chosen = next((target for target, matches in rules if matches(scope)), choice["Default"])
    assert states[chosen]["Result"] == case["expect"]["output"]
