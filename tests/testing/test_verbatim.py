"""``Verbatim``: documents as they were written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.testing.verbatim import Verbatim

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text('a"\\[]{}, é', max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
)


@given(JSON, st.sampled_from([None, 0, 2]))
def test_every_part_keeps_its_text(document, indent):
    """Each object and array is written as it stood, whatever it is put into."""
    documents = Verbatim()
    text = json.dumps(document, indent=indent)
    read = documents.read(text)
    if isinstance(read, dict | list):
        assert documents.write(read) == text
        assert documents.write({"in": [read]}) == f'{{"in":[{text}]}}'
    parts = list(read.values()) if isinstance(read, dict) else read
    for part in parts if isinstance(read, dict | list) else ():
        if isinstance(part, dict | list):
            assert documents.write(part) in text
        assert json.loads(documents.write(part)) == part


def test_what_is_made_anew_is_compact():
    """AWS writes no spaces of its own."""
    documents = Verbatim()
    read = documents.read('{"a": [1, 2], "b": 3}')
    assert documents.write({"x": read["a"], "y": [1, read["b"]]}) == '{"x":[1, 2],"y":[1,3]}'


def test_a_name_that_stands_twice_leaves_no_text():
    """The last value counts, and it is written as any other."""
    documents = Verbatim()
    read = documents.read('{"a": [1, 2], "a": [3, 4]}')
    assert documents.write(read) == '{"a":[3,4]}'


def test_what_is_no_json_is_refused():
    """As everywhere at the door."""
    with pytest.raises(ValueError, match="unexpected"):
        Verbatim().read("[1")
