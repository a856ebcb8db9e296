"""What is too large or too deep for a definition is refused in words."""

from __future__ import annotations

import pytest

from gateway.asl.definition import MAX_BYTES, parse_definition
from gateway.asl.errors import DefinitionError

STATES = '{"StartAt":"S","States":{"S":{"Type":"Succeed"}}'


def nested(levels: int) -> str:
    """A Parallel in a Parallel in a Parallel …"""
    text = STATES + "}"
    for _ in range(levels):
        text = '{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[' + text
    return text + "]}}}" * levels


def test_a_definition_has_at_most_a_mebibyte():
    """1,048,576 bytes of UTF-8 are taken, one more is not."""
    room = MAX_BYTES - len(STATES + ',"Comment":""}')
    assert parse_definition(STATES + f',"Comment":"{"x" * room}"}}').start_at == "S"
    with pytest.raises(DefinitionError, match="at most 1048576"):
        parse_definition(STATES + f',"Comment":"{"x" * (room - 1)}é"}}')


@pytest.mark.parametrize("levels", [255, 400])
def test_nesting_beyond_reason_is_a_diagnostic(levels):
    """States within states within states, deeper than anything could run, are no bug of ours."""
    with pytest.raises(DefinitionError):
        parse_definition(nested(levels))
    assert parse_definition(nested(20)).start_at == "P"
