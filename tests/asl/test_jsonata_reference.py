"""JSONata as its reference implementation (2.0.6, which AWS names) answers."""

from random import Random

import pytest

from gateway.asl.jsonata.errors import JsonataError, UndefinedError
from gateway.asl.jsonata.expression import compile_jsonata

NOW = 1_700_000_000_123
"""2023-11-14T22:13:20.123Z, a Tuesday."""


def evaluate(text):
    """The value of an expression over a list of one order."""
    order = {"id": "a", "lines": [{"sku": "x", "price": 5}]}
    return compile_jsonata(text).evaluate({"orders": [order]}, random=lambda: Random(1), at=NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$orders^(id).id", "a"),
        ("$orders.lines^(>price)", {"sku": "x", "price": 5}),
        ("[1]^($)", 1),
        ("[2, 1]^($)", [1, 2]),
        ("$orders.lines^(>price)[]", [{"sku": "x", "price": 5}]),
        ("$spread([{'a': 1}])", [{"a": 1}]),
        ("$spread({'a': 1})", {"a": 1}),
        ("$spread([{}, [1]])", [1]),
        ("{'a': 1} ~> |b|{'x': $assert(false)}|", {"a": 1}),
        ("{'a': 1} ~> |b|'no object'|", {"a": 1}),
        ("$map([1.26, 2.26], $round)", [1, 2.3]),
        ("$map([1, 2], $string)", ["1", "2"]),
        ("$reduce(['a', 'b'], $join)", "a"),
        ("'\\ud83d\\ude00'", "😀"),
        ("$string([1e-6, 1e-7, 1.5e-7])", "[0.000001,1e-7,1.5e-7]"),
        ("$number('05') + $number('-007.50')", -2.5),
        ("$base64decode('aGVsbG8')", "hello"),
        ("$match('ab😀c', /c/).index", 4),
        ("$match('😀a😀a', /a/).index", [2, 5]),
        ("$count($split($join([1..5000].('x,')), /,/))", 5001),
        ("$sort(['\uffff', '😀', 'z'])", ["z", "😀", "\uffff"]),
        ("['\uffff', '😀', 'z']^($)", ["z", "😀", "\uffff"]),
        ("'😀' < '\uffff' and '\uffff' >= '😀' and 'a' < 'b'", True),
        ("$count($distinct([1..1000].{'a': $ % 600}))", 600),
        ("['ab', 'cd'][1].$uppercase($)", ["C", "D"]),
    ],
)
def test_a_value_is_that_of_the_reference(text, expected):
    """Order-by of one value, transforms that find nothing, numbers, functions as arguments."""
    found = evaluate(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("xy", "/x{e}y/", None),
        ("id{d}", "/id{d}/", "id{d}"),
        ("Hi {name}", "/{name}/", "{name}"),
        ("a{,3}", "/a{,3}/", "a{,3}"),
        ("aaa", "/a{2}/", "aa"),
        ("aaa", "/a{1,3}/", "aaa"),
        ("[{e}]", "/[{e}]+/", "{e}"),
        ("a\\r\\nb", "/a$/m", "a"),
        ("a\\r\\nb", "/^b/m", "b"),
        ("a\\rb", "/a.b/", None),
        ("a\\u2028b", "/a.b/", None),
        ("a\\nb", "/a[.]?$/", None),
        ("b\\n", "/b$/", None),
        ("aa", "/(?<n>a)\\k<n>/", "aa"),
        ("a.b$", "/a\\.b\\$/", "a.b$"),
    ],
)
def test_a_pattern_means_what_it_means_in_javascript(text, pattern, expected):
    """Braces count or are themselves, lines end in each way, names can be referred to."""
    if expected is None:
        assert evaluate(f"$contains('{text}', {pattern})") is False
    else:
        assert evaluate(f"$match('{text}', {pattern}).match") == expected


@pytest.mark.parametrize(
    "text", ["[1, 2][0].a", "[{'a': 1}][0].a", "[true][0].a", "[null][0].a", "[1..3][-1].($ * 2)"]
)
def test_a_path_from_one_value_of_written_brackets_finds_nothing(text):
    """A predicate directly behind the brackets leaves what the path cannot go over."""
    with pytest.raises(UndefinedError):
        evaluate(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{'a': 1} ~> |a|'no object'|", "T2011"),
        ("{'a': 1} ~> |a|{}, 1|", "T2012"),
        ("$map(['a'], $pad)", "T0410"),
        ("$number('1e400')", "D3030"),
    ],
)
def test_a_failure_has_the_code_of_the_reference(text, code):
    """The update and deletions of a transform are looked at whatever they are made for."""
    with pytest.raises(JsonataError) as error:
        evaluate(text)
    assert error.value.code == code


@pytest.mark.parametrize(
    ("number", "picture", "expected"),
    [
        ("12345.6", "#,###.00", "12,345.60"),
        ("12345678.9", "9,999.99", "12,345,678.90"),
        ("123412345678.9", "9,9,99.99", "123412345,6,78.90"),
        ("34.555", "#0.00;(#0.00)", "34.56"),
        ("-34.555", "#0.00;(#0.00)", "(34.56)"),
        ("-34.555", "#0.00", "-34.56"),
        ("2.5", "0", "2"),
        ("3.5", "0", "4"),
        ("0.5", "#.#", ".5"),
        ("0", "#.#", ".0"),
        ("0", "#", "0"),
        ("0.14", "01%", "14%"),
        ("0.14", "0‰", "140‰"),
        ("1234.5678", "00.000e0", "12.346e2"),
        ("0.0000123", "0.0e00", "1.2e-05"),
        ("0", "0.0e0", "0.0e0"),
        ("-5", "0e0", "-5e0"),
        ("1.23456", "0.000,0##", "1.234,56"),
        ("1.5", "$0.00 net", "$1.50 net"),
        ("1e21", "#,##0", "1,000,000,000,000,000,000,000"),
        ("1234.5", "\u0660", "\u0661\u0662\u0663\u0664"),
    ],
)
def test_a_number_is_written_by_its_picture(number, picture, expected):
    """XPath's format-number: half to even, groups, signs, percent, exponents."""
    options = f", {{'zero-digit': '{picture}'}}" if picture == "\u0660" else ""
    assert evaluate(f"$formatNumber({number}, '{picture}'{options})") == expected


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        ("0;0;0", "D3080"),
        ("0.0.0", "D3081"),
        ("0%%", "D3082"),
        ("0‰‰", "D3083"),
        ("0%‰", "D3084"),
        ("x", "D3085"),
        ("0x0", "D3086"),
        ("0,.0", "D3087"),
        ("0,", "D3088"),
        ("0,,0", "D3089"),
        ("0#", "D3090"),
        ("0.#0", "D3091"),
        ("0%e0", "D3092"),
        ("0e#", "D3093"),
    ],
)
def test_a_wrong_picture_of_a_number_has_its_code(picture, code):
    """Each rule of the pictures is told apart."""
    with pytest.raises(JsonataError) as error:
        evaluate(f"$formatNumber(5, '{picture}')")
    assert error.value.code == code


@pytest.mark.parametrize("options", ["{'zero-digit': 0}", "{'digit': 'ab'}"])
def test_the_marks_of_a_picture_are_characters(options):
    """An option that is none fails by a sentence."""
    with pytest.raises(JsonataError, match="must be a character"):
        evaluate(f"$formatNumber(5, '0', {options})")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$fromMillis(253402300799999)", "9999-12-31T23:59:59.999Z"),
        ("$fromMillis(19889412850579)", "2600-04-09T12:54:10.579Z"),
        ("$fromMillis(0, '[H01]:[m01] [z]', '-0330')", "20:30 GMT-03:30"),
        ("$fromMillis(0, '[MNn,3] [D] [Y]')", "January 1 1970"),
        ("$fromMillis(0, '[MNn,*-3] [D] [Y]')", "Jan 1 1970"),
        ("$toMillis('20231114221320', '[Y0001][M01][D01][H01][m01][s01]')", 1_700_000_000_000),
        ("$toMillis('Nov 14, 2023 10:13 PM', '[MNn,3-3] [D], [Y] [h]:[m01] [P]')", 1699999980000),
        ("$toMillis('2023 (11)', '[Y] ([M])')", 1698796800000),
        ("$toMillis('11+2023', '[M]+[Y]')", 1698796800000),
        ("$toMillis('2023-318', '[Y]-[d]')", 1699920000000),
        ("$toMillis('12:30 AM 2023-11-14', '[h]:[m] [P] [Y]-[M]-[D]')", 1699921800000),
        ("$toMillis('2023-11-14 +05:30', '[Y]-[M]-[D] [Z01:01]')", 1699900200000),
        ("$toMillis('2023-11-14 GMT-05:00', '[Y]-[M]-[D] [z]')", 1699938000000),
        ("$toMillis('22:13', '[H]:[m]')", 1699999980000),
        ("$toMillis('14', '[D]')", 1699920000000),
        ("$toMillis('10:13 PM', '[h]:[m] [P]')", 1699999980000),
        ("$toMillis('8', '[f001]')", 1_700_000_000_008),
    ],
)
def test_a_moment_is_written_and_read_by_its_picture(text, expected):
    """To the millisecond in any year; what is missing on the left is of the evaluation's now."""
    assert evaluate(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "$toMillis('2023/11', '[Y].[M]')",
        "$toMillis('x', '[Y]')",
        "$toMillis('abc', 'abc')",
    ],
)
def test_a_text_that_is_not_of_the_picture_is_no_moment(text):
    """A literal stands for itself alone; there is nothing in a picture without components."""
    with pytest.raises(UndefinedError):
        evaluate(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("$toMillis('2023-11 10', '[Y]-[M] [H]')", "D3136"),
        ("$toMillis('2023-46', '[X]-[W]')", "D3136"),
        ("$toMillis('2023', '[Q]')", "D3132"),
        ("$fromMillis(0, '[]')", "D3132"),
        ("$fromMillis(0, '[Y')", "D3135"),
        ("$fromMillis(0, '[YN]')", "D3133"),
        ("$fromMillis(0, '[Z000000]')", "D3134"),
        ("$fromMillis(0, '[D*]')", "D3130"),
        ("$formatInteger(1, '*')", "D3130"),
        ("$formatInteger(1, '\u06600')", "D3131"),
    ],
)
def test_a_wrong_picture_of_a_moment_has_its_code(text, code):
    """Gaps, weeks, unknown components, names and digits."""
    with pytest.raises(JsonataError) as error:
        evaluate(text)
    assert error.value.code == code


def test_a_picture_that_matches_in_many_ways_comes_to_an_end():
    """Components side by side may share their digits as they like, for a while."""
    for picture, text in (("[d]" * 19 + "[MNn]", "1" * 950 + "a!"), ("[dw]" * 9, "one " * 240)):
        with pytest.raises(JsonataError, match="takes more than"):
            evaluate(f"$toMillis('{text}x', '{picture}')")
    assert evaluate("$count([1..300].$toMillis('2020-01-02', '[Y0001]-[M01]-[D01]'))") == 300
    with pytest.raises(JsonataError, match="at most 20 components"):
        evaluate(f"$toMillis('1', '{'[dw]' * 21}')")
