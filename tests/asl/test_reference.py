"""ResultPath: putting values into documents."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.jsonpath import compile_path
from gateway.asl.reference import compile_reference
from tests.asl.scopes import DOCUMENTS

PUTS = [
    ("$", {"a": 1}, 9, 9),
    ("$.a", {"a": 1, "b": 2}, 9, {"a": 9, "b": 2}),
    ("$.c", {"a": 1}, None, {"a": 1, "c": None}),
    ("$.c.d.e", {"a": 1}, 9, {"a": 1, "c": {"d": {"e": 9}}}),
    ("$['c d']", {}, 9, {"c d": 9}),
    ("$.a[1]", {"a": [1, 2, 3]}, 9, {"a": [1, 9, 3]}),
    ("$[0].x", [{"y": 1}], 9, [{"y": 1, "x": 9}]),
]


@pytest.mark.parametrize(("text", "document", "value", "expected"), PUTS)
def test_a_value_is_put(text: str, document: object, value: object, expected: object) -> None:
    """Members on the way are made, elements are replaced."""
    assert compile_reference(text).put(document, value) == expected


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("$.a", "text"),
        ("$.a", None),
        ("$.a.b", {"a": 1}),
        ("$.a.b", {"a": None}),
        ("$.a", [1]),
        ("$[0]", {"a": 1}),
        ("$.a[1]", {"a": [1]}),
        ("$.a[0]", {}),
    ],
)
def test_a_document_of_another_shape_fails_the_state(text: str, document: object) -> None:
    """States.ResultPathMatchFailure, in AWS's words, instead of an overwritten value."""
    with pytest.raises(StateError, match="Unable to apply ReferencePath") as failure:
        compile_reference(text).put(document, 9)
    assert failure.value.error == "States.ResultPathMatchFailure"
    assert failure.value.located


@pytest.mark.parametrize("text", ["$.a[*]", "$..a", "$$.a", "$[-1]", "a", "$.a.length()", "$[0,1]"])
def test_only_paths_to_one_place_are_reference_paths(text: str) -> None:
    """Whatever could name several places, or is computed, is refused when it is compiled."""
    with pytest.raises(ExpressionError):
        compile_reference(text)


@given(DOCUMENTS, st.lists(st.sampled_from([".a", "['c d']", "[0]", ".b"]), max_size=3), DOCUMENTS)
def test_what_is_put_is_read_back(document: object, steps: list[str], value: object) -> None:
    """After a put the path reads the value, and the document that it was put into is as it was."""
    text = "$" + "".join(steps)
    before = copy.deepcopy(document)
    try:
        changed = compile_reference(text).put(document, value)
    except StateError as failure:
        assert failure.error == "States.ResultPathMatchFailure"  # noqa: PT017 - one of two outcomes
    else:
        assert compile_path(text).read(changed) is value
    assert document == before


def test_what_did_not_change_is_shared() -> None:
    """Copy on write along the path only."""
    document = {"a": {"b": 1}, "big": [1, 2, 3]}
    changed = compile_reference("$.a.c").put(document, 2)
    assert changed["big"] is document["big"]
    assert document == {"a": {"b": 1}, "big": [1, 2, 3]}
