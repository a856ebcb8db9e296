"""Names that AWS allows, and how other texts become such names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.names import legal_name
from gateway.triggers.names import clean_name


@pytest.mark.parametrize("name", ["a", "order-17", "x" * 80, "a.b_c(d)=e'f@g+h!", "größe"])
def test_legal(name):
    """What AWS allows is kept as it is."""
    assert legal_name(name)
    assert clean_name(name) == name


@pytest.mark.parametrize("character", list('?*<>{}[]"#%\\^|~`$&,;:/ \t\n\x00\x7f\x9f\u2003\ufffe'))
def test_illegal_characters(character):
    """Each character that AWS forbids is replaced."""
    assert not legal_name(f"a{character}b")
    cleaned = clean_name(f"a{character}b")
    assert cleaned.startswith("a-b-")
    assert legal_name(cleaned)


def test_too_long():
    """A name of more than 80 characters is cut and keeps 80 with the digest."""
    cleaned = clean_name("x" * 81)
    assert len(cleaned) == 80
    assert cleaned == "x" * 63 + "-4d1f7bb876c6aae0"
    assert not legal_name("")


def test_digest_is_of_the_original():
    """Texts that look alike once cleaned stay two names."""
    assert clean_name("a:b") != clean_name("a/b")
    assert clean_name("a:b") == "a-b-6783a31eabf68ccc"


@given(st.text(st.characters(exclude_categories=[])))
def test_always_legal_and_stable(text):
    """Whatever the text, even with lone surrogates, the name is legal and always the same."""
    cleaned = clean_name(text)
    assert legal_name(cleaned)
    assert clean_name(text) == cleaned
    assert clean_name(cleaned) == cleaned
