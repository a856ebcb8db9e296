"""Tokens: what was given reads back, what was invented names nothing that the store cannot hold."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.tokens import new_token, read_token


@given(st.integers(1, 2**63 - 1), st.integers(1, 2**32 - 1))
def test_a_token_names_its_task_and_has_a_hash(execution, number):
    """What ``new_token`` gives, ``read_token`` reads, with the same hash."""
    text, token_hash = new_token(execution, number)
    assert read_token(text) == (execution, number, token_hash)


@given(st.binary(min_size=28, max_size=28))
def test_an_invented_token_names_nothing_beyond_the_store(rest):
    """Whatever a forged token holds, its numbers fit the 64 bits of SQLite's integers."""
    token = read_token(urlsafe_b64encode(b"\x01" + rest).decode())
    assert token is not None
    assert -(2**63) <= token.execution < 2**63
    assert 0 <= token.number < 2**32
