"""Finding the line of a place in JSON."""

from __future__ import annotations

import pytest

from gateway.config.json_lines import JsonLines

TEXT = """
{ "a": 1,
  "b": [
    {"c": "x\\"y",
     "d/e": {"f": null}},
    [1,
     2]
  ],
  "e": {}, "g": []
}"""


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("/", 2),
        ("", 2),
        ("/a", 2),
        ("/b", 3),
        ("/b[0]/c", 4),
        ("/b/0/d/e/f", 5),
        ("/b[1]", 6),
        ("/b[1][1]", 7),
        ("/e", 9),
        ("/e/nope", 9),
        ("/g[0]", 9),
        ("/a/nope", 2),
        ("/b[7]/x", 3),
    ],
)
def test_line(pointer, line):
    """A place has the line of its key; what is not there, of the nearest place around it."""
    assert JsonLines(TEXT).line_of(pointer) == line
