"""nextToken: opaque, stable, and refused where it does not belong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.paging import make_token, one_page, read_token
from gateway.errors import ApiError


@given(st.text(), st.text())
def test_a_token_brings_its_key_back(listing, key):
    """Whatever the key is, and in another process: nothing but the token is needed."""
    assert read_token(listing, {"nextToken": make_token(listing, key)}) == key


@pytest.mark.parametrize(
    "token",
    ["x", "xxxx", "ünicode", make_token("other", "k"), make_token("list", "k")[:-4] + "aaaa"],
)
def test_a_wrong_token_is_refused(token):
    """Nonsense, a token of another list and a mistyped one are InvalidToken."""
    with pytest.raises(ApiError, match="InvalidToken"):
        read_token("list", {"nextToken": token})


@given(st.sets(st.text()), st.integers(0, 5))
def test_pages_make_up_the_whole(names, size):
    """Every row comes exactly once, in order, whatever the size of the page."""
    rows, request, seen = sorted(names), {"maxResults": size}, []
    while True:
        page, more = one_page(rows, str, "list", request)
        seen += page
        assert len(page) <= (size or 100)
        if not more:
            break
        request |= more
    assert seen == rows


def test_a_row_that_went_meanwhile_costs_no_other():
    """The token names the place behind a row, not the row."""
    _, more = one_page(["a", "b", "c"], str, "list", {"maxResults": 2})
    assert one_page(["a", "c"], str, "list", more)[0] == ["c"]
