"""What an ItemReader makes of files, wherever their chunks are cut."""

from __future__ import annotations

import gzip
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tasks.item_formats import BadItems, gunzipped, items_of

FIRST = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
GIVEN = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a", "b"]}
JSON = {"InputType": "JSON"}
JSONL = {"InputType": "JSONL"}
FILES = {
    "csv": (FIRST, "a,b\n1,2\n\n3,4\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
    "csv without a header": (GIVEN, "1,2", [{"a": "1", "b": "2"}]),
    "csv, too little and too much": (
        GIVEN, "1\n1,2,3\n", [{"a": "1", "b": ""}, {"a": "1", "b": "2"}],
    ),
    "csv in quotes": (GIVEN, '"x\ny","z"""\r\n', [{"a": "x\ny", "b": 'z"'}]),
    "csv with a mark": (FIRST, "\ufeffa,ü\n1,é\n", [{"a": "1", "ü": "é"}]),
    "pipes": ({**GIVEN, "CSVDelimiter": "PIPE"}, "1|2\n", [{"a": "1", "b": "2"}]),
    "empty csv": (FIRST, "", []),
    "json": (
        JSON, ' [1, {"a": [2, "]"]}, "x,y", null, 12.5e3] \n',
        [1, {"a": [2, "]"]}, "x,y", None, 12500.0],
    ),
    "empty list": (JSON, "[ ]", []),
    "long item": (JSON, json.dumps(["x" * 300, 1]), ["x" * 300, 1]),
    "pointer": ({**JSON, "ItemsPointer": "/a~1b/1"}, '{"a/b": [0, [7, 8]]}', [7, 8]),
    "jsonl": (JSONL, '{"a": 1}\n\n[2]\n3', [{"a": 1}, [2], 3]),
}  # fmt: skip


def chunks(text, size):
    """The text in pieces of so many bytes."""
    data = text.encode()
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_items(name, size):
    """The same whatever the size of the chunks."""
    config, text, items = FILES[name]
    assert list(items_of(chunks(text, size), config)) == items


BAD = {
    "no list": (JSON, '{"a": 1}', "Attempting to map over non-iterable node."),
    "empty": (JSON, "", "non-iterable"),
    "cut short": (JSON, "[1, 2", "cannot be parsed"),
    "no comma": (JSON, "[1 2]", "cannot be parsed"),
    "comma at the end": (JSON, "[1, ]", "cannot be parsed"),
    "nan": (JSON, "[NaN]", "no JSON"),
    "pointer to nothing": ({**JSON, "ItemsPointer": "/a/b"}, '{"a": []}', "leads nowhere"),
    "pointer to no list": ({**JSON, "ItemsPointer": "/a"}, '{"a": 1}', "non-iterable"),
    "bad line": (JSONL, "1\n{", "line 2"),
    "duplicate headers": (FIRST, "a,a\n", "CSV headers cannot contain duplicates."),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("size", [1, 10_000])
def test_what_is_no_such_file(name, size):
    """The cause says what is wrong."""
    config, text, cause = BAD[name]
    with pytest.raises(BadItems, match=cause):
        list(items_of(chunks(text, size), config))


def test_text_that_is_not_utf8():
    """It is told apart from what does not parse."""
    with pytest.raises(BadItems, match="UTF-8"):
        list(items_of([b"\xff"], GIVEN))


documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(st.lists(documents, max_size=5), st.integers(1, 20), st.booleans())
def test_any_list_is_read_back(items, size, indented):
    """Streamed JSON gives what a parser of the whole gives."""
    text = json.dumps(items, indent=2 if indented else None, ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert list(items_of(pieces, JSON)) == orjson.loads(data)


def test_gzip():
    """Chunks of a gzip file give its content; anything else is told."""
    data = gzip.compress(b"a,b\n" * 1000)
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    assert b"".join(gunzipped(pieces)) == b"a,b\n" * 1000
    with pytest.raises(BadItems, match="gzip"):
        list(gunzipped([b"plain text"]))
