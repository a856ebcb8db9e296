"""Variables in the texts of a configuration."""

from __future__ import annotations

import pytest

from gateway.config.expand import expand, variables

SET = {"A": "one", "EMPTY": "", "B": "${A}"}
CASES = [
    ("plain", "plain"),
    ("${A}", "one"),
    ("x-${A}-y-${A}", "x-one-y-one"),
    ("${EMPTY}", ""),
    ("${EMPTY:-two}", "two"),
    ("${UNSET:-two}", "two"),
    ("${UNSET:-}", ""),
    ("${A:-two}", "one"),
    ("${UNSET:-a:-b}", "a:-b"),
    ("${B}", "${A}"),
    ("$${A}", "${A}"),
    ("$.body.id", "$.body.id"),
    ("$$.Execution", "$$.Execution"),
    (17, 17),
    (None, None),
    ({"${A}": ["${A}", {"b": "${A}"}]}, {"${A}": ["one", {"b": "one"}]}),
]


@pytest.mark.parametrize(("value", "expected"), CASES)
def test_expand(value, expected):
    """Texts are expanded once, everything else is left as it is."""
    problems = []
    assert expand(value, SET.get, problems) == expected
    assert problems == []


BAD = [
    ({"a": ["x", "${NOPE}"]}, "a[1]", "the variable NOPE is not set; set it"),
    ({"a": {"b": "${}"}}, "a.b", "${} is no variable"),
    ({"a": "${A-two}"}, "a", "${A-two} is no variable"),
    ({"a": "${1A}"}, "a", "${1A} is no variable"),
    ({"a": "${A"}, "a", "${ is no variable"),
]


@pytest.mark.parametrize(("value", "path", "message"), BAD)
def test_bad(value, path, message):
    """A variable that is not set, or not written as one, is a problem with its place."""
    problems = []
    expand(value, SET.get, problems)
    (problem,) = problems
    assert problem.path == path
    assert problem.message.startswith(message)


def test_credentials(tmp_path):
    """A name that the environment lacks is a file in the credentials directory."""
    (tmp_path / "SECRET").write_text("s3cret\n")
    (tmp_path / "A").write_text("from the file")
    lookup = variables({"A": "one", "CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert lookup("SECRET") == "s3cret"
    (tmp_path / "stategate_OTHER").write_text("of a directory")
    assert lookup("OTHER") == "of a directory"
    assert lookup("A") == "one"
    assert lookup("NOPE") is None
    assert variables({})("SECRET") is None
