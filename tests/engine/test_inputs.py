"""Text that has to be JSON."""

from __future__ import annotations

import pytest

from gateway.engine.inputs import DOCUMENT_BYTES_MAX, check_input
from gateway.errors import ApiError

LITERALS = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"


@pytest.mark.parametrize("text", ["{}", "2", '"some text"', "null", " [1, 2.5] ", '{"a": "ü"}'])
def test_json_is_accepted(text):
    """Any JSON value is an input."""
    check_input(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Invalid execution input."),
        (" ", "Invalid execution input."),
        ("not some json", f"Unrecognized token 'not': was expecting {LITERALS}"),
        ("[1, nope]", f"Unrecognized token 'nope': was expecting {LITERALS}"),
        ("NaN", f"Unrecognized token 'NaN': was expecting {LITERALS}"),
        (
            "{'not': 'json'",
            "Unexpected character (''' (code 39)): was expecting double-quote to start field name",
        ),
        ('{"a": 1', "unexpected end of data: line 1 column 8 (char 7)"),
        ("[1 2]", "unexpected character, expected ',' or ']': line 1 column 4 (char 3)"),
    ],
)
def test_what_is_no_json_is_refused(text, reason):
    """InvalidExecutionInput, in AWS's words where they are known."""
    with pytest.raises(ApiError, match="InvalidExecutionInput") as refused:
        check_input(text)
    assert refused.value.message == f"Invalid State Machine Execution Input: '{reason}'"


def test_the_size_counts_in_bytes():
    """262,144 bytes of UTF-8 are allowed, whatever the number of characters."""
    check_input('"' + "x" * (DOCUMENT_BYTES_MAX - 2) + '"')
    with pytest.raises(ApiError, match="has 262146 bytes of UTF-8"):
        check_input('"' + "ü" * (DOCUMENT_BYTES_MAX // 2) + '"')
