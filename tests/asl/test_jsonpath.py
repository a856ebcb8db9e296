"""JSONPath with Jayway's meaning, in tables."""

from __future__ import annotations

import itertools
import time
from contextlib import suppress
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.jsonata.expression import compile_jsonata
from gateway.asl.jsonpath import PathNotFound, compile_path, pickers, reading
from tests.asl.scopes import DOCUMENTS, scope_of

BOOKS = [
    {"title": "Sayings", "price": 8.95, "tags": ["x"], "author": "Rees"},
    {"title": "Sword", "price": 12.99, "tags": ["x", "y"], "isbn": None},
    {"title": "Moby Dick", "price": 8.99, "tags": [], "isbn": "0-553", "pages": "100"},
]
STORE = {
    "books": BOOKS,
    "bike": {"price": 19.95, "gears": 8},
    "numbers": [3, 1, 2],
    "limit": 9,
    "name": "corner",
    "nothing": None,
    "odd": {"a b": 1, "c.d": 2, "it's": 3, "e-f:g": 4, "*": 5, "length": 6, "ünï": 7},
}

DEFINITE = [
    ("$", STORE),
    ("$.name", "corner"),
    ("$.bike.price", 19.95),
    ("$['bike']['price']", 19.95),
    ('$["bike"].gears', 8),
    ("$.books[0].title", "Sayings"),
    ("$.books[-1].title", "Moby Dick"),
    ("$.nothing", None),
    ("$.odd['a b']", 1),
    ("$.odd.['a b']", 1),
    ("$.books.[0].title", "Sayings"),
    ("$.odd['c.d']", 2),
    ("$.odd['it\\'s']", 3),
    ("$.odd.e-f:g", 4),
    ("$.odd['*']", 5),
    ("$.odd.length", 6),
    ("$.odd.ünï", 7),
    ("$.name  ", "corner"),
    ("$['name','limit','none']", {"name": "corner", "limit": 9}),
    ("$.books.length()", 3),
    ("$.bike.length()", 2),
    ("$.name.length()", None),
    ("$.bike.keys()", ["price", "gears"]),
    ("$.numbers.min()", 1.0),
    ("$.numbers.max()", 3.0),
    ("$.numbers.sum()", 6.0),
    ("$.numbers.avg()", 2.0),
    ("$.limit.stddev(1, 3)", 1.0),
    ("$.numbers.sum(4, $.limit)", 19.0),
    ("$.numbers.first()", 3),
    ("$.numbers.last()", 2),
    ("$.numbers.index(-2)", 1),
    ("$.numbers.append(7, 'x')", [3, 1, 2, 7, "x"]),
    ("$.books[0].tags.concat('a', $.name)", "xacorner"),
    ("$..price.max()", 19.95),
    ("$.books[*].length()", 3),
]


@pytest.mark.parametrize(("text", "expected"), DEFINITE)
def test_a_definite_path_gives_the_value(text: str, expected: object) -> None:
    """A path of one place gives what is there; a function gives one value, whatever it works on."""
    path = compile_path(text)
    assert path.definite
    assert path.read(STORE) == expected


INDEFINITE = [
    ("$.books[*].price", [8.95, 12.99, 8.99]),
    ("$.bike.*", [19.95, 8]),
    ("$.name.*", []),
    ("$.none.items[*].value", []),
    ("$.name.first[1:]", []),
    ("$.numbers[7][*]", []),
    ("$.books[*].isbn", [None, "0-553"]),
    ("$.books[0,2,7].title", ["Sayings", "Moby Dick"]),
    ("$.books[1:].price", [12.99, 8.99]),
    ("$.books[:-1].price", [8.95, 12.99]),
    ("$.books[5:]", []),
    ("$.bike[0:1]", []),
    ("$..price", [8.95, 12.99, 8.99, 19.95]),
    ("$..tags[0]", ["x", "x"]),
    ("$..none", []),
    ("$..[0]", [BOOKS[0], "x", "x", 3]),
    ("$..['gears','isbn']", []),
    ("$..['gears','price']", [{"gears": 8, "price": 19.95}]),
    ("$..['bike','odd'].gears", [8]),
    ("$.books[0]['title','author']", {"title": "Sayings", "author": "Rees"}),
    ("$['bike','odd'].gears", [8]),
]


@pytest.mark.parametrize("name", ["min", "max", "sum", "avg", "stddev"])
def test_what_is_calculated_is_a_double(name: str) -> None:
    """As Jayway calculates and AWS shows it: 6.0, not 6."""
    assert isinstance(compile_path(f"$.numbers.{name}()").read(STORE), float)


@pytest.mark.parametrize(("text", "expected"), INDEFINITE)
def test_an_indefinite_path_gives_a_list(text: str, expected: object) -> None:
    """What is not there is left out, wherever it is missing: AWS answers an empty list."""
    assert compile_path(text).read(STORE) == expected


FILTERS = [
    ("@.price < 10", [0, 2]),
    ("@.price <= 8.95", [0]),
    ("@.price > $.limit", [1]),
    ("@.price >= 12.99", [1]),
    ("9 > @.price", [0, 2]),
    ("@.isbn", [1, 2]),
    ("!@.isbn", [0]),
    ("@.isbn == null", [1]),
    ("@.isbn != null", [0, 2]),
    ("@.pages == 100", [2]),
    ("@.pages === 100", []),
    ("@.pages !== 100", [0, 1, 2]),
    ("@.title == 'Sword' || @.price == 8.95", [0, 1]),
    ("@.price < 10 && @.isbn", [2]),
    ("(@.price < 10 && @.isbn) || @.title == 'Sword'", [1, 2]),
    ("@.title == 'Sword' || @.price < 10 && @.isbn", [1, 2]),
    ("!(@.price < 10 && @.isbn)", [0, 1]),
    ("!(!(@.isbn))", [1, 2]),
    ("@.title =~ /S.*/", [0, 1]),
    ("@.title =~ /s\\w+d/i", [1]),
    ("@.title =~ /word/", []),
    ("/S.*/ =~ @.title", [0, 1]),
    ("@.price =~ /8.*/", [0, 2]),
    ("@.isbn =~ /0.*/", [2]),
    ("@.isbn =~ /.*/", [0, 1, 2]),
    ("@.price == '8.950'", [0]),
    ("@.price == '+895e-2'", [0]),
    ("@.pages == 100.0", []),
    ("'0100' == @.pages", []),
    ("@.title nin $.none", []),
    ("@.title nin 'Sword'", []),
    ("'😀' < '\uffff' && @.title < 'Sword'", [0, 2]),
    ("@.title =~ /S\\p{L}{4}/", [1]),
    ("@.title =~ /S[^{]{6}/", [0]),
    ("@.title =~ /S.{3,}\\{?/", [0, 1]),
    ("@.title in ['Sword', \"Moby Dick\"]", [1, 2]),
    ("@.title nin ['Sword']", [0, 2]),
    ("'x' in @.tags", [0, 1]),
    ("@.tags contains 'y'", [1]),
    ("@.title contains 'ob'", [2]),
    ("@.tags size 2", [1]),
    ("@.tags empty true", [2]),
    ("@.tags subsetof ['x']", [0, 2]),
    ("@.tags anyof ['y', 'z']", [1]),
    ("@.tags noneof ['y']", [0, 2]),
    ("@.tags all ['x', 'y']", [1]),
    ("@.tags.length() > 1", [1]),
    ("@['price'] == 8.95", [0]),
    ("@.tags[?(@ == 'y')] size 1", [1]),
    ("@.tags == ['x']", [0]),
    ("@.price == 'cheap)]'", []),
]


@pytest.mark.parametrize(("condition", "expected"), FILTERS)
def test_a_filter_keeps_the_elements_that_pass(condition: str, expected: list[int]) -> None:
    """Operators, precedence and negation are Jayway's; a missing member is equal to nothing."""
    found = compile_path(f"$.books[?({condition})]").read(STORE)
    assert found == [BOOKS[index] for index in expected]


def test_a_filter_on_an_object_and_at_any_depth() -> None:
    """An object passes as a whole; behind ``..`` each object of the document is asked once."""
    assert compile_path("$.bike[?(@.gears)]").read(STORE) == [STORE["bike"]]
    assert compile_path("$..[?(@.price > 10)].price").read(STORE) == [12.99, 19.95]


MISSING = [
    ("$.none", "No results for path: $['none']"),
    ("$.none.such", "Missing property in path $['none']"),
    ("$.bike.none.such", "Missing property in path $['bike']['none']"),
    ("$.numbers[7][0]", "No results for path: $['numbers'][7][0]"),
    ("$.numbers[7].a", "No results for path: $['numbers'][7]['a']"),
    ("$.numbers[7]", "No results for path: $['numbers'][7]"),
    ("$.name[0]", "Filter: [0] can only be applied to arrays. Found 'string' in path $['name']."),
    ("$.nothing[0]", "The path $['nothing'] is null"),
    (
        "$.name.first",
        "Expected to find an object with property ['first'] in path $['name'] but found 'string'.",
    ),
    ("$.none.length()", "Missing property in path $['none']"),
    ("$.name.max()", "Aggregation function attempted to calculate value using empty array"),
    ("$.numbers.index(9)", "Target index:9 larger than object count:3"),
    ("$.numbers[7].length()", "No results for path: $['numbers'][7].length()"),
    (
        "$.books[*].price.first().a",
        "No results for path: $['books'][*]['price'].first()['a']",
    ),
    (
        "$.bike[?(@.gears)].first().a",
        "No results for path: $['bike'][?].first()['a']",
    ),
    (
        "$.name.first()",
        "Aggregation function attempted to calculate value using empty array",
    ),
]


@pytest.mark.parametrize(("text", "cause"), MISSING)
def test_what_is_missing_is_said_as_jayway_says_it(text: str, cause: str) -> None:
    """Causes of failed executions quote these words."""
    with pytest.raises(PathNotFound) as missing:
        compile_path(text).read(STORE)
    assert str(missing.value) == cause


WRONG = [
    "$.a.length(",
    "$[?(!(@.a",
    "$[?(x == 1)]",
    "$[?(@.a in [1",
    "$[?(!(@.a) == 1)]",
    "a",
    "$.",
    "$[",
    "$[]",
    "$..",
    "$.a..",
    "$.[a]",
    "$..[",
    "$.[",
    "$.a.[0].",
    "$[a]",
    "$['a",
    "$[1:2:3]",
    "$[1:2,3]",
    "$[0,'a']",
    "$[12345678901]",
    "$.a()b",
    "$.a.no()",
    "$.a.length(1)",
    "$..length()",
    "$[?(@.a]",
    "$[?@.a]",
    "$[?()]",
    "$[?(1)]",
    "$[?(@.a==)]",
    "$[?(@.a==/x/)]",
    "$[?(@.a=~'x')]",
    "$[?(@.a=~/(/)]",
    "$[?(@.a=~/x/q)]",
    "$.a[:]",
    "$..[:]",
    "$[?(@.a=~/x{e}y/)]",
    "$[?(@.a=~/x{1}{d}/)]",
    "$[?(@.a==1e999)]",
    "$[?(@.a~1)]",
    "$[?(@.a=='x)]",
    "$.a.append(x)",
    "$.a.append(/x/)",
    "$[?(!(1))]",
    "$.a[?(@.b)&&]",
    "$[*,1]",
    "$[?(@.a)]x",
    "",
    "$.a b",
    "$[?(@.a in [1 2])]",
    "$.a.append(1 2)",
    " $.a",
]


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_path_is_refused(text: str) -> None:
    """What Jayway would not take is an ExpressionError with a message, when it is compiled."""
    with pytest.raises(ExpressionError, match=r"."):
        compile_path(text)


def test_nesting_is_bounded() -> None:
    """Neither filters in filters nor endless paths exhaust the stack."""
    nested = "$" + "[?(@" * 30 + ".a" + ")]" * 30
    with pytest.raises(ExpressionError, match="nested"):
        compile_path(nested)
    with pytest.raises(ExpressionError, match="at most 256"):
        compile_path("$" + "[0]" * 20_000)


def test_keys_are_those_of_reference_paths() -> None:
    """Only names and single indices make a path simple."""
    assert compile_path("$.a['b c'][0]").keys == ("a", "b c", 0)
    assert compile_path("$").keys == ()
    assert compile_path("$.a").simple
    assert not compile_path("$.a[*]").simple


def test_a_context_path_reads_the_context_object() -> None:
    """``$$`` is the Context Object, which is not built for other paths."""
    scope = scope_of({"a": 1}, {"a": 2})
    assert compile_path("$$.a").read_from(scope) == 2
    assert compile_path("$.a").read_from(scope) == 1
    assert compile_path("$$").read_from(scope) == {"a": 2}


def test_results_are_shared_with_the_document() -> None:
    """Nothing is copied on the way."""
    assert compile_path("$.books[0]").read(STORE) is BOOKS[0]
    assert compile_path("$..[?(@.gears)]").read(STORE)[0] is STORE["bike"]


def test_a_backslash_before_another_character_is_itself() -> None:
    """AWS's recorded answer: in ``['…']`` only the quote and the backslash are escaped."""
    assert compile_path("$['a\\\"b']").read({'a\\"b': 1}) == 1
    assert compile_path("$['a\\\\b']").read({"a\\b": 1}) == 1


def test_a_catastrophic_pattern_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that would hold the interpreter for minutes fails the state instead."""
    monkeypatch.setattr(reading, "PATTERN_SECONDS", 0.01)
    path = compile_path("$[?(@ =~ /(a|aa)+b/)]")
    with pytest.raises(StateError, match="took more than"):
        path.read(["a" * 60 + "c"])


def test_a_slow_pattern_is_cut_off_over_all_elements() -> None:
    """The time of a pattern is that of the reading: thousands of elements do not multiply it."""
    path = compile_path("$[?(@ =~ /(x|xx)+y?(x|xx)+z/)]")
    assert path.read(["x" * 8] * 10) == []
    with pytest.raises(StateError, match="took more than"):
        path.read(["x" * 21] * 200)


def test_time_that_others_take_is_not_the_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that has much to do no state fails for that: only the processor's time counts,
    in JSONata, too."""
    seconds = itertools.count()
    monkeypatch.setattr(time, "perf_counter", lambda: next(seconds))
    assert compile_path("$[?(@ =~ /x+/)]").read(["x", "y", "xx"]) == ["x", "xx"]
    twice = "$contains('x', /x+/) and $contains('xx', /x+/)"
    assert compile_jsonata(twice).evaluate({}, random=Random, at=0) is True


@pytest.mark.parametrize(
    "text",
    [
        "$.a[?(@.x in $..y)]",
        "$.a[?(@.y in $.b)]",
        "$.a[?($.b contains @.y)]",
        "$.a[?($.c == $.d)]",
        "$.a[?($.b subsetof $.b)]",
    ],
)
def test_a_filter_that_goes_through_the_document_for_each_element_is_cut_off(text: str) -> None:
    """What an input can make a filter cost is bounded, whatever the filter asks."""
    zeros = [0] * 2000
    document = {"a": [{"y": 1}] * 2000, "b": zeros, "c": {"k": zeros}, "d": {"k": zeros[:]}}
    with pytest.raises(StateError, match="looked at more than"):
        compile_path(text).read(document)


@pytest.mark.parametrize("text", ["$.a[?(@ == $.b)]", "$.a[?(@ in $.a)]"])
def test_a_comparison_of_what_is_nested_deeply_fails_the_state(text: str) -> None:
    """As deep as an input may be; the interpreter's limit is nobody's defect."""
    deep: object = 1
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(StateError, match="nested too deeply"):
        compile_path(text).read({"a": [deep], "b": [deep]})


def test_a_filter_may_look_for_a_thousand_values_among_a_thousand() -> None:
    """The bound leaves room for what somebody may want."""
    document = {"a": [{"id": each} for each in range(1000)], "b": list(range(500, 1500))}
    assert len(compile_path("$.a[?(@.id in $.b)]").read(document)) == 500


def test_results_that_multiply_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """``$..*..*`` finds a value once for each of its ancestors."""
    monkeypatch.setattr(pickers, "MOST_FOUND", 100)
    with pytest.raises(StateError, match="more than 100 values"):
        compile_path("$..*..*..*").read([[[[[[1] * 5] * 5] * 5]]])


_STEPS = st.sampled_from(
    [
        ".a",
        ".b",
        "['c d']",
        ".e-f",
        "[0]",
        "[-1]",
        "[*]",
        "..a",
        "..*",
        "[0:2]",
        "[0,1]",
        "['a','b']",
        ".length()",
        ".max()",
        ".first()",
        "[?(@.a > 1)]",
        "[?(@.a && !@.b)]",
        "[?(@.a in [1, 'x'])]",
        "..[?(@.a)]",
        "[?(@ != $.a)]",
        "[?(@.a =~ /x*/)]",
        ".keys()",
        ".append(1)",
        ".concat('a')",
    ]
)


@given(DOCUMENTS, st.lists(_STEPS, max_size=4).map("".join))
def test_reading_is_total(document: object, steps: str) -> None:
    """A path finds something, or there is nothing: no other outcome, whatever the document is."""
    with suppress(ExpressionError, PathNotFound):
        path = compile_path(f"${steps}")
        found = path.read(document)
        assert path.definite or isinstance(found, list)


@given(
    st.text(alphabet="$@.[]()'\"\\?*:,&|!=<>~/ ab01-{}", max_size=14).map(lambda text: f"${text}")
)
@example("$[?(!@.a)]")
def test_compiling_is_total(text: str) -> None:
    """Any text is a path or an ExpressionError."""
    with suppress(ExpressionError):
        compile_path(text)
