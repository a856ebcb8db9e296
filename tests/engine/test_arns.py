"""ARNs are built and read in one place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.arns import Arn, Arns, read_arn
from gateway.engine.names import check_name, legal_name
from gateway.errors import ApiError

ARNS = Arns("eu-west-1", "123456789012")


@given(st.text(min_size=1, max_size=80).filter(legal_name))
def test_what_is_built_is_read(name):
    """Every legal name comes out of an ARN as it went in."""
    assert read_arn(ARNS.machine(name)) == Arn("stateMachine", name, ())
    assert read_arn(ARNS.activity(name), "activity") == Arn("activity", name, ())
    assert read_arn(ARNS.execution("m", name), "execution") == Arn("execution", "m", (name,))


@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        ("no_arn", "Invalid ARN prefix: no_arn"),
        ("arn:aws:states:eu-west-1:123456789012:activity:a", "not valid in this context: activity"),
        ("arn:aws:states:eu-west-1:123456789012:express:m:e:1", "in this context: express"),
        ("arn:aws:sqs:eu-west-1:123456789012:queue", "is not of the form"),
        ("arn:aws:states:eu-west-1:1234:stateMachine:m", "is not of the form"),
    ],
)
def test_a_wrong_arn_is_refused_with_the_reason(arn, reason):
    """InvalidArn says what is wrong with it."""
    with pytest.raises(ApiError, match="InvalidArn") as refused:
        read_arn(arn, "stateMachine")
    assert reason in refused.value.message


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a/b", "x" * 81, "a\n", "a\x85", "tab\t", "a*"])
def test_illegal_names_are_refused(name):
    """Whitespace, control and special characters, and more than 80 characters, are InvalidName."""
    with pytest.raises(ApiError, match="InvalidName"):
        check_name(name)
