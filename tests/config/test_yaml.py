"""YAML with lines: what is read, and where each problem is."""

from __future__ import annotations

import pytest

from gateway.config import yaml
from gateway.config.yaml import read_yaml


def read(text):
    """The document and its problems as (line, path, message)."""
    problems = []
    document = read_yaml(text, problems)
    return document, [(p.line, p.path, p.message) for p in problems]


SCALARS = [
    ("text", "text"),
    ("on", "on"),
    ("yes", "yes"),
    ("12:30", "12:30"),
    ("2026-11-23", "2026-11-23"),
    ("012345678901", "012345678901"),
    ("127.0.0.1:8083", "127.0.0.1:8083"),
    ("true", True),
    ("False", False),
    ("null", None),
    ("~", None),
    ("", None),
    ("17", 17),
    ("-3", -3),
    ("0", 0),
    ("1.5", 1.5),
    ("1e3", 1000.0),
    ("'17'", "17"),
    ("!!str 17", "17"),
    ("1.2.3", "1.2.3"),
    (".5", ".5"),
    (".nan", ".nan"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_scalars(text, value):
    """Scalars are what JSON would have, whatever YAML 1.1 makes of them."""
    document, problems = read(f"a: {text}\n")
    assert problems == []
    assert document.value == {"a": value}
    assert type(document.value["a"]) is type(value)


def test_lines():
    """Every place knows the line of its key, list elements the line where they begin."""
    document, problems = read("a:\n  b: 1\n  c:\n    - x\n    - d: 2\n\ne.f: { g: 3 }\n")
    assert problems == []
    assert document.lines == {
        "": 1,
        "a": 1,
        "a.b": 2,
        "a.c": 3,
        "a.c[0]": 4,
        "a.c[1]": 5,
        "a.c[1].d": 5,
        "e.f": 7,
        "e.f.g": 7,
    }
    assert document.line("a.c[1].d") == 5
    assert document.line("a.c[7].x.y") == 3
    assert document.line("nowhere") == 1


def test_merge():
    """Anchors and << work; what is written beside << wins."""
    document, problems = read(
        "a: &x { p: 1, q: 2 }\nb: { <<: *x, q: 3 }\nc: { <<: [*x, {r: 4}] }\n"
    )
    assert problems == []
    assert document.value["b"] == {"p": 1, "q": 3}
    assert document.value["c"] == {"p": 1, "q": 2, "r": 4}


def test_empty():
    """An empty file is no mistake of YAML."""
    assert read("# nothing\n")[0].value is None


BAD = [
    ("a: 1\nb: 2\na: 3\n", (3, "a", "is written twice; first in line 1")),
    ("a:\n  b: 1\n  b: 2\n", (3, "a.b", "is written twice; first in line 2")),
    ("a: [1, 2\nb: 3\n", (2, "", "no valid YAML: expected ',' or ']'")),
    ("a: 1\n\tb: 2\n", (2, "", "no valid YAML: a tab cannot indent; use spaces")),
    ("a: 1\n---\nb: 2\n", (2, "", "no valid YAML: a second document begins here")),
    ("a: *nope\n", (1, "", "no valid YAML: found undefined alias 'nope'")),
    ("x: 1\na: \x01\n", (2, "", "no valid YAML: the character U+0001 is not allowed")),
    ("[" * 2000, (1, "", "is nested too deeply")),
    ("x: 1\n17: a\n", (2, "", "a key must be a text; put 17 in quotes")),
    ("x: 1\ntrue: a\n", (2, "", "a key must be a text; put true in quotes")),
    ("x: 1\n[a]: b\n", (2, "", "a key must be a text; put this in quotes")),
    ("x: 1\na: !secret b\n", (2, "a", "cannot be read as !secret")),
    ("x: 1\na: !!int b\n", (2, "a", "cannot be read as int")),
    ("x: 1\na: &a [1, *a]\n", (2, "a[1]", "an alias must not contain itself")),
    ("x: 1\na: { <<: 3 }\n", (2, "a", "<< takes a mapping")),
]


@pytest.mark.parametrize(("text", "expected"), BAD)
def test_bad(text, expected):
    """What is wrong is one problem with its line."""
    _, [(line, path, message)] = read(text)
    assert (line, path) == expected[:2]
    assert message.startswith(expected[2])


@pytest.mark.parametrize("around", ["[{}]", "{{ <<: [{}] }}"])
def test_aliases_of_aliases(around, monkeypatch):
    """Ten lines would be billions of values, and checking them would have no end."""
    monkeypatch.setattr(yaml, "VALUES_MAX", 1000)
    more = (f"a{n + 1}: &a{n + 1} {around.format(f'*a{n},' * 99)}" for n in range(9))
    _, [(line, path, message)] = read("\n".join(["a0: &a0 {}", *more]))
    assert (line, path[:2]) == (1, "a2")
    assert message == "one value too many: 1,000 may be, aliases written out"
