"""JSONata: what expressions give, and that each of them ends."""

import sys
import threading
from collections import UserDict
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonata.compiler import Compiler
from gateway.asl.jsonata.errors import JsonataError, UndefinedError
from gateway.asl.jsonata.expression import compile_jsonata
from gateway.asl.jsonata.table import FUNCTIONS

STATES = {
    "input": {
        "a": {"b": [1, 2, 3]},
        "items": [{"p": 3, "q": "x"}, {"p": 1, "q": "y"}, {"p": 2, "q": "x"}],
        "nothing": None,
    }
}


def evaluate(text, /, **names):
    """The value of an expression over ``STATES`` and other names."""
    return compile_jsonata(text).evaluate(
        {"states": STATES, **names}, random=lambda: Random(1), at=1_700_000_000_123
    )


FUNCTION_CASES = {
    "abs": ("$abs(-5)", 5),
    "append": ("$append([1], 2)", [1, 2]),
    "assert": ("($assert(true, 'no'); 1)", 1),
    "average": ("$average([1, 2])", 1.5),
    "base64decode": ("$base64decode('w6Q=')", "ä"),
    "base64encode": ("$base64encode('ä')", "w6Q="),
    "boolean": ("$boolean([0, 1])", True),
    "ceil": ("$ceil(1.2)", 2),
    "clone": ("$clone({'a': [1]})", {"a": [1]}),
    "contains": ("$contains('abracadabra', /a.*d/)", True),
    "count": ("$count([1, 2])", 2),
    "decodeUrl": ("$decodeUrl('/%E4%BD%A0%2F')", "/你%2F"),
    "decodeUrlComponent": ("$decodeUrlComponent('%3Fx%3D1')", "?x=1"),
    "distinct": ("$distinct([1, true, 1, {'a': 1}, {'a': 1}])", [1, True, {"a": 1}]),
    "each": ("$each({'a': 1, 'b': 2}, function($v, $k) { $k & $v })", ["a1", "b2"]),
    "encodeUrl": ("$encodeUrl('/a b?c=ä')", "/a%20b?c=%C3%A4"),
    "encodeUrlComponent": ("$encodeUrlComponent('?x=1')", "%3Fx%3D1"),
    "error": ("$exists($error)", True),
    "exists": ("$exists($states.input.nothing)", True),
    "filter": ("$filter([1, 5, 2], function($v) { $v > 1 })", [5, 2]),
    "floor": ("$floor(-1.2)", -2),
    "formatBase": ("$formatBase(100, 2)", "1100100"),
    "formatInteger": ("$formatInteger(1999, 'I')", "MCMXCIX"),
    "formatNumber": ("$formatNumber(12345.6, '#,###.00')", "12,345.60"),
    "fromMillis": ("$fromMillis(1510067557121)", "2017-11-07T15:12:37.121Z"),
    "hash": ("$hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
    "join": ("$join(['a', 'b'], '-')", "a-b"),
    "keys": ("$keys([{'a': 1}, {'a': 2, 'b': 3}])", ["a", "b"]),
    "length": ("$length('aä😀')", 3),
    "lookup": ("$lookup({'a': 1}, 'a')", 1),
    "lowercase": ("$lowercase('AẞB')", "aßb"),
    "map": ("$map([1, 2], function($v, $i) { $v + $i })", [1, 3]),
    "match": (
        "$match('ab ac', /a(b|c)/)[1]",
        {"match": "ac", "index": 3, "groups": ["c"]},
    ),
    "max": ("$max([1, 3, 2])", 3),
    "merge": ("$merge([{'a': 1}, {'a': 2}])", {"a": 2}),
    "millis": ("$millis()", 1_700_000_000_123),
    "min": ("$min([3, 1])", 1),
    "not": ("$not(0)", True),
    "now": ("$now()", "2023-11-14T22:13:20.123Z"),
    "number": ("$number('0x1F') + $number('1e2') + $number(true)", 132),
    "pad": ("$pad('x', -3, '-+') & $pad('x', 3)", "-+xx  "),
    "parse": ("""$parse('{"a": [1]}').a[]""", [1]),
    "parseInteger": ("$parseInteger('twelve', 'w')", 12),
    "partition": ("$partition([1, 2, 3, 4, 5], 2)", [[1, 2], [3, 4], [5]]),
    "power": ("$power(2, 10)", 1024),
    "random": ("$random(7) = $random(7) and $random() < 1", True),
    "range": ("$range(1, 9, 2)", [1, 3, 5, 7, 9]),
    "reduce": ("$reduce([1, 2, 3], function($a, $b) { $a * $b }, 2)", 12),
    "replace": ("$replace('265USD', /([0-9]+)USD/, '$$$1')", "$265"),
    "reverse": ("$reverse([1, 2])", [2, 1]),
    "round": ("$round(2.5) + $round(0.125, 2)", 2.12),
    "shuffle": ("$sort($shuffle([3, 1, 2]))", [1, 2, 3]),
    "sift": ("$sift({'a': 1, 'b': 2}, function($v) { $v > 1 })", {"b": 2}),
    "single": ("$single([1, 2], function($v) { $v = 2 })", 2),
    "sort": ("$sort([{'v': 2}, {'v': 1}], function($a, $b) { $a.v > $b.v }).v", [1, 2]),
    "split": ("$split('a, b;c', /[,;] ?/)", ["a", "b", "c"]),
    "spread": ("$spread({'a': 1, 'b': 2})", [{"a": 1}, {"b": 2}]),
    "sqrt": ("$sqrt(9)", 3),
    "string": ("$string({'a': [1.0, 1e21, 0.1 + 0.2, null]})", '{"a":[1,1e+21,0.3,null]}'),
    "substring": ("$substring('Hello', -3, 2)", "ll"),
    "substringAfter": ("$substringAfter('a=b', '=')", "b"),
    "substringBefore": ("$substringBefore('a=b', '=')", "a"),
    "sum": ("$sum([1, 2.5, 0.5])", 4),
    "toMillis": ("$toMillis('2017-11-07T15:07:54.972Z')", 1510067274972),
    "trim": ("$trim('  a \n b ')", "a b"),
    "type": ("$map([null, 1, 'a', true, [], {}], $type)[0]", "null"),
    "uppercase": ("$uppercase('ä')", "Ä"),
    "uuid": ("$length($uuid())", 36),
    "zip": ("$zip([1, 2], ['a', 'b', 'c'])", [[1, "a"], [2, "b"]]),
}


def test_each_function_that_aws_allows_has_a_case():
    """The table of functions and that of their cases name the same ones; $eval is in neither."""
    assert FUNCTION_CASES.keys() == FUNCTIONS.keys()
    assert "eval" not in FUNCTIONS


@pytest.mark.parametrize("name", FUNCTION_CASES)
def test_a_function_does_what_jsonata_or_aws_says(name):
    """One telling call of each function."""
    text, expected = FUNCTION_CASES[name]
    assert evaluate(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$states.input.items[p > 1].q", ["x", "x"]),
        ("$states.input.items[0].q", "x"),
        ("$states.input.items[-1].p", 2),
        ("$states.input.items^(>p).p", [3, 2, 1]),
        ("$states.input.items{q: $sum(p)}", {"x": 5, "y": 1}),
        ("$states.input.items#$i.(p + $i)", [3, 2, 4]),
        ("$states.input.items@$one.{'is': $one.p}", [{"is": 3}, {"is": 1}, {"is": 2}]),
        ("$states.input.items.p.%.q", ["x", "y", "x"]),
        ("$states.**.p", [3, 1, 2]),
        ("$states.input.nothing", None),
        ("$states.input.items[p = 1].q[]", ["y"]),
        ("[1, [2, 3], [4]]", [1, [2, 3], [4]]),
        ("[100000000000000000000, 9007199254740993]", [1e20, 2**53]),
        ("{'a': 1} ~> |$|{'b': 2}, 'a'|", {"b": 2}),
        ("4 / 2", 2),
        ("7.5 % 2", 1.5),
        ("-7 % 2", -1),
        ("1 = 1.0 and 1 != true", True),
        ("'a' & 1 & true & null", "a1truenull"),
        ("($inc := function($x) { $x + 1 }; 1 ~> $inc ~> $inc)", 3),
        ("($add := function($x, $y) { $x + $y }; $add(1, ?)(2))", 3),
        ("($f := function($n, $a) { $n = 0 ? $a : $f($n - 1, $a + $n) }; $f(2000, 0))", 2001000),
        ("($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(100))", 100),
        ("λ($n)<n:n>{ $n }(3)", 3),
        ("missing ? 1 : 2", 2),
        ("missing#$i.a{'k': 1}", {"k": 1}),
    ],
)
def test_an_expression_has_its_value(text, expected):
    """Paths, operators, grouping, order, bindings and functions."""
    found = evaluate(text)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$nothing(1)", "T1006: Attempted to invoke a non-function"),
        ("$eval('1')", "T1006: Attempted to invoke a non-function"),
        ("sum([1])", "T1005: Attempted to invoke a non-function. Did you mean $sum?"),
        ("1 + 'a'", 'T2002: The right side of the "+" operator must evaluate to a number'),
        ("'a' < 1", "T2009: "),
        ("{1: 2}", "T1003: Key in object structure must evaluate to a string; got: 1"),
        ("$length(1)", 'T0410: Argument 1 of function "length" does not match'),
        ("$sum(['a'])", 'T0412: Argument 1 of function "sum" must be an array of "numbers"'),
        ("1 / 0", "D1001: "),
        ("$number('x')", 'D3030: Unable to cast value to a number: "x"'),
        ("$error('mine')", "D3137: mine"),
        ("$assert(false, 'mine')", "D3141: mine"),
        ("$sort([1, 'a'])", "D3070: "),
        ("$match('abc', /x*/)", "D1004: "),
        ("$range(1, 2, 0)", "The delta of $range must not be 0"),
        ("$range(1, 5000, 1)", "$range makes at most 1000 elements"),
        ("$partition([1], 0)", "The chunk size of $partition must be a positive integer"),
        ("$hash('a', 'CRC')", "The algorithm of $hash must be one of"),
        ("$parse('{')", "The argument of $parse is not valid JSON"),
        ("$sum", "The expression returned a function"),
        ("{'f': $sum}", "The expression returned what is no JSON"),
    ],
)
def test_what_fails_says_why(text, message):
    """JSONata's code and sentence, or AWS's function's own."""
    with pytest.raises(JsonataError) as error:
        evaluate(text)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("text", ["$doesNotExist", "$states.input.x", "[][0]", "$max([])"])
def test_nothing_found_is_an_error_of_its_own(text):
    """Undefined is told apart from null and from what failed."""
    with pytest.raises(UndefinedError):
        evaluate(text)


@pytest.mark.parametrize("text", ["", "(", "1 +", "/a(/", "'a", "$x.", "{'a'}", "(" * 5000])
def test_what_is_no_expression_is_refused(text):
    """A syntax error is found when the expression is compiled."""
    with pytest.raises(ExpressionError):
        compile_jsonata(text)


RUNAWAYS = [
    "($f := function($x) { $f($x) }; $f(1))",
    "($f := function($x) { 1 + $f($x) }; $f(1))",
    "($f := function($x) { {'a': [$f($x)]} }; $f(1))",
    "($f := function($x) { $map([1], $f) }; $f(1))",
    "($f := function($s) { $f($s & $s) }; $f('x'))",
    "($f := function($s) { $f($append($s, $s)) }; $f([1]))",
    "($f := function($x, $n) { $n = 0 ? $x : $f([[$x]], $n - 1) }; $f(1, 3000))",
    "$pad('x', 1e9)",
    "[1..10000000]",
    "$map([1..1000], function($a) { $map([1..1000], function($b) { $a * $b }) })",
    "$sort([1..20000], function($a, $b) { $a < $b })",
    "[1..100000][$ > 5]",
    "($s := [1..900]; $t := [1..900]; $map([1..3000], function($i) { $s = $t }))",
    "($s := [1..9000].(0); $map([1..5000], function($i) { $s ? 1 : 0 }))",
    "($s := [1..9000].(0); $map([1..5000], function($i) { $s or 0 }))",
    "($s := [1..9000].(0); [1..5000][$not($s)])",
    "($f := function($x)<a<n>:n> { 1 }; $s := [1..9000]; $map([1..5000], function($i) { $f($s) }))",
    "$map([1..500], function($i) { $toMillis('1', '[dwo][dwo][dwo]' & $i) })",
]


@pytest.mark.parametrize("text", RUNAWAYS)
def test_an_expression_without_end_fails(text):
    """Too many steps, too deep or too much: it always fails, at the same place."""
    failures = []
    for _ in range(2):
        with pytest.raises(JsonataError) as error:
            evaluate(text)
        failures.append(str(error.value))
    assert failures[0] == failures[1]


def test_the_bound_of_depth_is_the_same_wherever_it_is_reached():
    """Whether the caller stands near Python's own limit or not; that one stays as it was."""
    limit = sys.getrecursionlimit()
    recursive = "($f := function($n) {{ $n = 0 ? 0 : 1 + $f($n - 1) }}; $f({}))"

    def down(levels, depth):
        return down(levels - 1, depth) if levels else evaluate(recursive.format(depth))

    for levels in (1, limit // 2):
        assert down(levels, 150) == 150
        with pytest.raises(JsonataError, match="D1011"):
            down(levels, 200)
    assert sys.getrecursionlimit() == limit


@pytest.mark.parametrize(
    "call",
    [
        "$match($text, {})",
        "$contains($text, {})",
        "$replace($text, {}, '')",
        "$split($text, {})",
        "$map([1..50], function($i) {{ $contains($text, {}) }})",
    ],
)
@pytest.mark.parametrize("pattern", ["/^(a|a)*$/", "/(a|aa)+$/"])
def test_a_catastrophic_pattern_fails(call, pattern):
    """Each function that takes a pattern gives up, however often it is called."""
    with pytest.raises(JsonataError, match="takes more than"):
        evaluate(call.format(pattern), text="a" * 40 + "b")


def test_nested_repetition_over_thirty_characters_comes_to_an_end():
    """The pattern that is known for it is no burden, whether it matches or not."""
    assert evaluate("$contains($text, /^(a+)+$/)", text="a" * 30) is True
    assert evaluate("$contains($text, /^(a+)+$/)", text="a" * 30 + "b") is False


def test_an_expression_never_changes_its_input():
    """A transformation works on a copy, bindings stay inside, and a second evaluation is alike."""
    names = {"states": {"input": {"a": [{"b": 1}]}}}
    expression = compile_jsonata("($states := $states ~> |input.a|{'b': 2, 'c': [1]}|; $states)")
    first = expression.evaluate(names, random=lambda: Random(1), at=0)
    assert first == {"input": {"a": [{"b": 2, "c": [1]}]}}
    assert names == {"states": {"input": {"a": [{"b": 1}]}}}
    first["input"]["a"].append(3)
    assert expression.evaluate(names, random=lambda: Random(1), at=0) == {
        "input": {"a": [{"b": 2, "c": [1]}]}
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("$x + $states.input.y", {"x", "states"}),
        ("($y := $x; $y & $sum([1]))", {"x"}),
        ("function($a) { $a & $b }(1)", {"b"}),
        ("($f := function($n) { $f($n) }; $f($m))", {"m"}),
        ("$$.a & $", set()),
        ("$states.input.items@$i#$j.($i & $j & $k)", {"states", "k"}),
    ],
)
def test_the_variables_of_an_expression_are_those_from_outside(text, names):
    """Neither functions nor what the expression binds itself."""
    assert compile_jsonata(text).variables == names


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("$states.input.a & $states.context.State.Name", {"input", "context"}),
        ("1", set()),
        ("$states", None),
        ("$keys($states)", None),
        ("$states[0].input", None),
        ("$states.*", None),
        ("$states.input.($states)", None),
        ("$states.(input)", None),
        ("$states.input.%.context", None),
    ],
)
def test_an_expression_knows_which_members_of_states_it_reads(text, members):
    """What is costly to make is made for those only that may look at it."""
    assert compile_jsonata(text).states == members


_documents = st.recursive(
    st.none() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(document=_documents, names=st.lists(st.sampled_from("abc"), min_size=1, max_size=4))
def test_the_fast_way_down_a_path_gives_what_the_general_way_gives(document, names):
    """A path of nothing but names is short-cut, and nobody can tell."""
    text = ".".join(["$v", *names])

    def found(expression):
        try:
            return expression.evaluate({"v": document}, random=lambda: Random(1), at=0)
        except UndefinedError:
            return "undefined"

    fast = compile_jsonata(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Compiler, "members", lambda *_: None)
        general = compile_jsonata(text)
    assert found(fast) == found(general)


class Told(UserDict):
    """Names that tell when an evaluation has begun to read them."""

    def __init__(self, tell):
        super().__init__()
        self.tell = tell

    def keys(self):
        """As they are; and that is told."""
        self.tell()
        return super().keys()


def test_one_that_ends_in_another_thread_takes_no_room():
    """The limit of frames is the process's: an evaluation that began before and ends first must not
    take back what a deep one still needs."""
    begun, may_end = threading.Event(), threading.Event()

    def wait():
        begun.set()
        assert may_end.wait(10)

    def let_the_other_end():
        may_end.set()
        other.join()

    def run(text, tell):
        return compile_jsonata(text).evaluate(Told(tell), random=lambda: Random(1), at=0)

    other = threading.Thread(target=run, args=("1", wait))
    other.start()
    assert begun.wait(10)
    deep = "($f := function($n) { $n = 0 ? 0 : 1 + $f($n - 1) }; $f(150))"

    def down(levels):
        return down(levels - 1) if levels else run(deep, let_the_other_end)

    assert down(sys.getrecursionlimit() // 20) == 150
