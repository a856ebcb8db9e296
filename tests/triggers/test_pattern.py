"""Filter patterns: one case per rule of EventBridge, and that matching is total."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError
from gateway.triggers.pattern import compile_pattern

CASES = [
    # values
    ({"a": ["x"]}, {"a": "x"}, True),
    ({"a": ["x"]}, {"a": "y"}, False),
    ({"a": ["x"]}, {}, False),
    ({"a": ["x", "y"]}, {"a": "y"}, True),
    ({"a": [None]}, {"a": None}, True),
    ({"a": [None]}, {}, False),
    ({"a": [None]}, {"a": ""}, False),
    ({"a": [""]}, {"a": ""}, True),
    ({"a": [""]}, {"a": None}, False),
    ({"a": [1]}, {"a": 1.0}, True),
    ({"a": [1]}, {"a": True}, False),
    ({"a": [True]}, {"a": 1}, False),
    ({"a": [True]}, {"a": True}, True),
    ({"a": ["1"]}, {"a": 1}, False),
    ({"a": ["x"]}, {"a": {"x": 1}}, False),
    # AND between keys, nesting
    ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "y"}, True),
    ({"a": ["x"], "b": ["y"]}, {"a": "x", "b": "z"}, False),
    ({"a": {"b": ["x"]}}, {"a": {"b": "x"}}, True),
    ({"a": {"b": ["x"]}}, {"a": "x"}, False),
    # prefix and suffix
    ({"a": [{"prefix": "ab"}]}, {"a": "abc"}, True),
    ({"a": [{"prefix": "ab"}]}, {"a": "cab"}, False),
    ({"a": [{"prefix": "1"}]}, {"a": 12}, False),
    ({"a": [{"prefix": {"equals-ignore-case": "AB"}}]}, {"a": "abc"}, True),
    ({"a": [{"suffix": ".png"}]}, {"a": "x.png"}, True),
    ({"a": [{"suffix": ".png"}]}, {"a": "x.jpg"}, False),
    ({"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": "x.png"}, True),
    ({"a": [{"suffix": {"equals-ignore-case": ".PNG"}}]}, {"a": None}, False),
    # anything-but
    ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
    ({"a": [{"anything-but": "x"}]}, {"a": "x"}, False),
    ({"a": [{"anything-but": "x"}]}, {}, False),
    ({"a": [{"anything-but": ["x", 1]}]}, {"a": 1}, False),
    ({"a": [{"anything-but": ["x", 1]}]}, {"a": 2}, True),
    ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": "xy"}, False),
    ({"a": [{"anything-but": {"prefix": ["x", "y"]}}]}, {"a": "yz"}, False),
    ({"a": [{"anything-but": {"prefix": "x"}}]}, {"a": 7}, True),
    ({"a": [{"anything-but": {"suffix": "x"}}]}, {"a": "yx"}, False),
    ({"a": [{"anything-but": {"suffix": "x"}}]}, {"a": "xy"}, True),
    ({"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}, {"a": "/usr/lib/x"}, False),
    ({"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}, {"a": "/usr/bin/x"}, True),
    ({"a": [{"anything-but": {"equals-ignore-case": ["X"]}}]}, {"a": "x"}, False),
    # numeric
    ({"a": [{"numeric": [">", 0]}]}, {"a": 1}, True),
    ({"a": [{"numeric": [">", 0]}]}, {"a": 0}, False),
    ({"a": [{"numeric": [">=", 0]}]}, {"a": 0}, True),
    ({"a": [{"numeric": ["<", 0]}]}, {"a": -0.5}, True),
    ({"a": [{"numeric": ["<=", 0]}]}, {"a": 0.5}, False),
    ({"a": [{"numeric": ["=", 3]}]}, {"a": 3.0}, True),
    ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5}, True),
    ({"a": [{"numeric": [">", 0, "<=", 5]}]}, {"a": 5.1}, False),
    ({"a": [{"numeric": [">", 0]}]}, {"a": "1"}, False),
    ({"a": [{"numeric": [">=", 0]}]}, {"a": True}, False),
    # exists looks at leaves
    ({"a": [{"exists": True}]}, {"a": None}, True),
    ({"a": [{"exists": True}]}, {}, False),
    ({"a": [{"exists": True}]}, {"a": {"b": 1}}, False),
    ({"a": [{"exists": False}]}, {}, True),
    ({"a": [{"exists": False}]}, {"a": 0}, False),
    ({"a": [{"exists": False}]}, {"a": {"b": 1}}, True),
    ({"a": {"b": [{"exists": False}]}}, {}, True),
    ({"a": {"b": [{"exists": False}]}}, {"a": []}, True),
    ({"a": [{"exists": False}, "x"]}, {"a": "x"}, True),
    ({"a": [{"exists": False}, "x"]}, {"a": "y"}, False),
    # equals-ignore-case
    ({"a": [{"equals-ignore-case": "Alice"}]}, {"a": "aLICE"}, True),
    ({"a": [{"equals-ignore-case": "Alice"}]}, {"a": "bob"}, False),
    ({"a": [{"equals-ignore-case": "1"}]}, {"a": 1}, False),
    # wildcard
    ({"a": [{"wildcard": "a*c"}]}, {"a": "abbc"}, True),
    ({"a": [{"wildcard": "a*c"}]}, {"a": "ac"}, True),
    ({"a": [{"wildcard": "a*c"}]}, {"a": "acd"}, False),
    ({"a": [{"wildcard": "*b*d*"}]}, {"a": "abcde"}, True),
    ({"a": [{"wildcard": "*d*b*"}]}, {"a": "abcde"}, False),
    ({"a": [{"wildcard": "ab*bc"}]}, {"a": "abc"}, False),
    ({"a": [{"wildcard": "*"}]}, {"a": ""}, True),
    ({"a": [{"wildcard": "*"}]}, {"a": 1}, False),
    ({"a": [{"wildcard": "abc"}]}, {"a": "abc"}, True),
    ({"a": [{"wildcard": r"a\*c"}]}, {"a": "a*c"}, True),
    ({"a": [{"wildcard": r"a\*c"}]}, {"a": "abc"}, False),
    ({"a": [{"wildcard": "a\\\\*"}]}, {"a": "a\\b"}, True),
    # cidr
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.0"}, False),
    ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:db8::1"}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "2001:db8::1"}, False),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "no address"}, False),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": 167772160}, False),
    # arrays in the event: one element is enough
    ({"a": ["x"]}, {"a": ["y", "x"]}, True),
    ({"a": ["x"]}, {"a": [["y"], ["x"]]}, True),
    ({"a": ["x"]}, {"a": []}, False),
    ({"a": [{"anything-but": "x"}]}, {"a": ["x", "y"]}, True),
    ({"a": [{"exists": True}]}, {"a": []}, False),
    ({"a": {"b": ["x"], "c": [1]}}, {"a": [{"b": "x", "c": 1}, {"b": "y"}]}, True),
    ({"a": {"b": ["x"], "c": [1]}}, {"a": [{"b": "x", "c": 2}, {"b": "y", "c": 1}]}, False),
    # $or
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "y"}, True),
    ({"$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"b": "z"}, False),
    ({"c": ["z"], "$or": [{"a": ["x"]}, {"b": ["y"]}]}, {"a": "x"}, False),
    ({"d": {"$or": [{"a": ["x"]}, {"b": ["y"]}]}}, {"d": {"b": "y"}}, True),
    # a document that is no object has no members
    ({"a": ["x"]}, "x", False),
]


@pytest.mark.parametrize(("pattern", "document", "expected"), CASES)
def test_rule(pattern, document, expected):
    """Each rule accepts what EventBridge accepts."""
    assert compile_pattern(pattern)(document) is expected


BAD = [
    ("text", "filter", "must be a mapping"),
    ({}, "filter", "must be a mapping"),
    ({"a": "x"}, "filter.a", "must be a list of accepted values, as [x]"),
    ({"a": []}, "filter.a", "must be a list of accepted values"),
    ({"a": {"b": 1}}, "filter.a.b", "must be a list of accepted values, as [1]"),
    ({"a": {}}, "filter.a", "must be a mapping"),
    ({"a": [["x"]]}, "filter.a[0]", "a list within a list"),
    ({"a": [object()]}, "filter.a[0]", "is no value of JSON"),
    ({"a": ["x", {"prefx": "y"}]}, "filter.a[1].prefx", "unknown comparison 'prefx'"),
    ({"a": [{}]}, "filter.a[0]", "exactly one comparison"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "filter.a[0]", "exactly one comparison"),
    ({"a": [{"prefix": 1}]}, "filter.a[0].prefix", "must be a text"),
    ({"a": [{"prefix": {"suffix": "x"}}]}, "filter.a[0].prefix", "equals-ignore-case: text"),
    ({"a": [{"suffix": None}]}, "filter.a[0].suffix", "must be a text"),
    ({"a": [{"numeric": 1}]}, "filter.a[0].numeric", "must be a list as"),
    ({"a": [{"numeric": [">"]}]}, "filter.a[0].numeric", "must be a list as"),
    ({"a": [{"numeric": ["!=", 1]}]}, "filter.a[0].numeric", "unknown operator '!='"),
    ({"a": [{"numeric": [">", "1"]}]}, "filter.a[0].numeric", "no number"),
    ({"a": [{"numeric": [">", True]}]}, "filter.a[0].numeric", "no number"),
    ({"a": [{"numeric": ["<", 1, ">", 0]}]}, "filter.a[0].numeric", "begins with > or >="),
    ({"a": [{"numeric": [">", 5, "<", 1]}]}, "filter.a[0].numeric", "nothing lies between"),
    ({"a": [{"exists": "yes"}]}, "filter.a[0].exists", "must be true or false"),
    ({"a": [{"anything-but": []}]}, "filter.a[0].anything-but", "empty list"),
    (
        {"a": [{"anything-but": {"numeric": ["=", 1]}}]},
        "filter.a[0].anything-but",
        "unknown comparison",
    ),
    ({"a": [{"anything-but": {"prefix": 1}}]}, "filter.a[0].anything-but", "must be a text"),
    ({"a": [{"equals-ignore-case": 1}]}, "filter.a[0].equals-ignore-case", "must be a text"),
    ({"a": [{"wildcard": "a**b"}]}, "filter.a[0].wildcard", "two stars"),
    ({"a": [{"wildcard": "a\\b"}]}, "filter.a[0].wildcard", "backslash"),
    ({"a": [{"wildcard": "a\\"}]}, "filter.a[0].wildcard", "backslash"),
    ({"a": [{"cidr": "10.0.0.0/99"}]}, "filter.a[0].cidr", "10.0.0.0/99"),
    ({"$or": {"a": ["x"]}}, "filter.$or", "list of patterns"),
    ({"$or": [{"a": "x"}]}, "filter.$or[0].a", "must be a list"),
]


@pytest.mark.parametrize(("pattern", "path", "message"), BAD)
def test_bad_pattern(pattern, path, message):
    """A pattern that means nothing is a problem with its place and a remedy."""
    with pytest.raises(ConfigError) as caught:
        compile_pattern(pattern, "filter")
    (problem,) = caught.value.problems
    assert problem.path == path
    assert message in problem.message


def test_all_problems_at_once():
    """Every problem of a pattern is reported, not the first alone."""
    with pytest.raises(ConfigError) as caught:
        compile_pattern({"a": "x", "b": {"c": [{"numeric": 1}, {"exists": 0}]}})
    assert [p.path for p in caught.value.problems] == ["a", "b.c[0].numeric", "b.c[1].exists"]


KEYS = st.sampled_from(["a", "b", "$or", "prefix", "numeric", "exists", "anything-but", "wildcard"])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
)
JSON = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3)
)
RULES = st.one_of(
    SCALARS,
    st.fixed_dictionaries({"prefix": st.text(max_size=3)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"anything-but": st.lists(st.text(max_size=3), min_size=1)}),
    st.fixed_dictionaries({"numeric": st.tuples(st.just(">"), st.integers()).map(list)}),
)
LEAVES = st.lists(RULES, min_size=1, max_size=3)
PATTERNS = st.recursive(
    st.dictionaries(st.sampled_from("ab"), LEAVES, min_size=1),
    lambda below: st.dictionaries(st.sampled_from("ab"), below | LEAVES, min_size=1),
    max_leaves=4,
)


@given(pattern=JSON, document=JSON)
def test_total_over_any_json(pattern, document):
    """Any JSON is either a pattern that answers yes or no to any document, or problems."""
    with contextlib.suppress(ConfigError):
        assert compile_pattern(pattern)(document) in {True, False}


@given(pattern=PATTERNS, document=JSON)
def test_total_over_patterns(pattern, document):
    """A valid pattern answers yes or no to any document."""
    assert compile_pattern(pattern)(document) in {True, False}


@given(pieces=st.lists(st.text("ab", max_size=2), min_size=2, max_size=4), text=st.text("ab"))
def test_wildcard_is_what_a_regular_expression_says(pieces, text):
    """A star stands for any text, as ``.*`` does."""
    wildcard = re.sub(r"\*+", "*", "*".join(pieces))
    expected = re.fullmatch(wildcard.replace("*", ".*"), text) is not None
    assert compile_pattern({"a": [{"wildcard": wildcard}]})({"a": text}) is expected
