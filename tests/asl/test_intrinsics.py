"""Intrinsic functions: what each does, what it refuses, and AWS's recorded answers."""

from __future__ import annotations

import hashlib
import json
import uuid
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.intrinsics import compile_intrinsic
from gateway.asl.intrinsics.table import FUNCTIONS
from gateway.asl.jsonpath.compare import identity, same
from gateway.asl.template import compile_template
from tests.asl.scopes import DOCUMENTS, recorded, scope_of

DATA = {
    "list": [1, 2, 3, 3, 1.0, True, "1", [1], {"a": 1}, [1], {"a": 1}, None, None],
    "five": [1, 2, 3, 4, 5],
    "text": "a-b.c",
    "map": {"a": [1, None], "b": "x"},
    "mine": {"x": 1, "y": {"p": 1}},
    "yours": {"y": {"q": 2}, "z": 3},
    "long": "x" * 10_001,
    "zero": 0,
}

VALUES = [
    ("States.Array()", []),
    (
        "States.Array(1, 'two', null, true, $.zero, States.Array(3.5))",
        [1, "two", None, True, 0, [3.5]],
    ),
    ("States.ArrayPartition($.five, 2)", [[1, 2], [3, 4], [5]]),
    ("States.ArrayPartition($.five, 2.4)", [[1, 2], [3, 4], [5]]),
    ("States.ArrayContains($.list, 3)", True),
    ("States.ArrayContains($.list, $.mine)", False),
    ("States.ArrayContains($.list, false)", False),
    ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
    ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
    ("States.ArrayRange(1, 0, 1)", []),
    ("States.ArrayGetItem($.five, 4)", 5),
    ("States.ArrayLength($.list)", 13),
    ("States.ArrayUnique($.list)", [1, 2, 3, True, "1", [1], {"a": 1}, None]),
    ("States.Base64Encode('Data to encode ü')", "RGF0YSB0byBlbmNvZGUgw7w="),
    ("States.Base64Decode('RGF0YSB0byBlbmNvZGUgw7w=')", "Data to encode ü"),
    ("States.Hash('input', 'SHA-256')", hashlib.sha256(b"input").hexdigest()),
    ("States.JsonMerge($.mine, $.yours, false)", {"x": 1, "y": {"q": 2}, "z": 3}),
    ("States.StringToJson('{\"a\": [1, {\\}]\\}')", {"a": [1, {}]}),
    ("States.StringToJson(' ')", None),
    ("States.JsonToString($.map)", '{"a":[1,null],"b":"x"}'),
    ("States.MathAdd(1.5, -0.5)", 2),
    ("States.MathAdd($.zero, 7)", 7),
    ("States.StringSplit('This.is+a,,test', '.+,')", ["This", "is", "a", "test"]),
    ("States.StringSplit('a[b]^c-d', ']^[-')", ["a", "b", "c", "d"]),
    ("States.StringSplit('abc', '')", ["abc"]),
    ("States.StringSplit('', '')", []),
    ("States.Format('none')", "none"),
    ("States.Format('{}{}', 'a', 1)", "a1"),
    ("States.Format('{} {} {}', null, true, $.map)", "null true {a=[1, null], b=x}"),
    ("States.Format('it\\'s \\{\\} {} \\\\', 1.5)", "it's {} 1.5 \\"),
    ("States.Format($.text)", "a-b.c"),
    ("States.Format( 'a {}' , $['text'] )", "a a-b.c"),
    ("States.Format('{}', $.list[?(@ == 'a,b)')])", "[]"),
    ("States.MathAdd(States.ArrayLength(States.Array(1,2)), 1)", 3),
    ("States.Format('{}', $$.Execution.Name)", "e1"),
]


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_a_function_gives_its_value(text: str, expected: object) -> None:
    """Literals, paths, context paths and calls are arguments; escapes are undone."""
    found = compile_intrinsic(text)(scope_of(DATA, {"Execution": {"Name": "e1"}}))
    assert json.dumps(found) == json.dumps(expected)


def test_array_unique_takes_its_time_from_the_elements_not_from_their_pairs() -> None:
    """As many objects as an input holds, all of them different, come to an end at once."""
    items = [{"id": each} for each in range(20_000)]
    assert compile_intrinsic("States.ArrayUnique($)")(scope_of(items * 2)) == items


@given(left=DOCUMENTS, right=DOCUMENTS)
@example(left=[1, {"a": [True]}], right=[1.0, {"a": [True]}])
@example(left=[1], right=[True])
@example(left={"a": 1, "b": None}, right={"b": None, "a": 1})
def test_values_are_the_same_if_their_identity_is(left: object, right: object) -> None:
    """Numbers by value, objects in any order, and no number is a truth value."""
    assert (identity(left) == identity(right)) is same(left, right)


FAILURES = [
    "States.ArrayPartition($.text, 1)",
    "States.ArrayPartition($.five, 0)",
    "States.ArrayPartition($.five, 'x')",
    "States.ArrayPartition($.five, true)",
    "States.ArrayContains(null, 1)",
    "States.ArrayRange(1, 1001, 0)",
    "States.ArrayRange(0, 1000, 1)",
    "States.ArrayRange(-9007199254740992, 9007199254740992, 1)",
    "States.ArrayRange(0, 1e300, 1)",
    "States.ArrayGetItem($.five, 5)",
    "States.ArrayGetItem($.five, -1)",
    "States.Base64Encode(1)",
    "States.Base64Encode($.long)",
    "States.Base64Decode('*')",
    "States.Base64Decode('/w==')",
    "States.Hash('x', 'CRC32')",
    "States.Hash('x', $.five)",
    "States.Hash($.five, 'MD5')",
    "States.JsonMerge($.mine, $.yours, true)",
    "States.JsonMerge($.mine, 1, false)",
    "States.StringToJson('{')",
    "States.StringToJson(1)",
    "States.MathRandom(5, 5)",
    "States.MathRandom(1, 2, 'x')",
    "States.StringSplit('a', 1)",
    "States.Format('{}')",
    "States.Format('', 1)",
    "States.Format(1)",
]


@pytest.mark.parametrize("text", FAILURES)
def test_a_function_that_cannot_work_fails_the_state(text: str) -> None:
    """States.IntrinsicFailure with a cause that quotes the call."""
    with pytest.raises(StateError) as failure:
        compile_intrinsic(text)(scope_of(DATA))
    assert (failure.value.error, failure.value.located) == ("States.IntrinsicFailure", True)
    assert str(failure.value.cause).startswith(f"The function '{text}' had the following error: ")


def test_a_missing_argument_is_a_runtime_error() -> None:
    """A path that finds nothing is not the function's failure; the inner call is quoted."""
    with pytest.raises(StateError) as failure:
        compile_intrinsic("States.Array(States.Format('{}', $.none))")(scope_of({"a": 1}))
    assert failure.value.error == "States.Runtime"
    assert failure.value.cause == (
        "The function 'States.Format('{}', $.none)' had the following error: The JsonPath argument "
        """for the field '$.none' could not be found in the input '{"a":1}'"""
    )


WRONG = [
    "", "States", "States.Format", "States.Format(", "States.Format('a'", "States.Format('a)",
    "States.Format('a'))", "States.Format('a') x", "States.Nope()", "Other.Format('a')",
    "States.Format(,)", "States.Format('a',)", "States.Format('a' 'b')", "States.Format(a)",
    "States.Format(\"a\")", "States.Format('\\n')", "States.Format('He said \\\"{}\\\"', 'x')",
    "States.Format($.)", "States.Format($.a[)", "States.MathAdd(1)", "States.MathAdd(1, 2, 3)",
    "States.UUID(1)", "States.Format()", "States.MathRandom(1)", "States.MathAdd(007, 1)",
    "States.MathAdd(1e999, 1)", "States.Array([1])", "States.MathAdd(1, 2",
]  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_call_is_refused(text: str) -> None:
    """Grammar, escapes, names and counts are checked when a definition is."""
    with pytest.raises(ExpressionError, match=r"."):
        compile_intrinsic(text)


def test_documents_of_any_depth_fail_the_state_at_worst() -> None:
    """Neither the encoder's nor the interpreter's depth lets another error out."""
    deep: object = 1
    for _ in range(2000):
        deep = [deep]
    scope = scope_of({"a": [deep, [deep]], "b": [deep]})
    for text in ("States.JsonToString($.a)", "States.ArrayContains($.a, $.b)"):
        with pytest.raises(StateError, match="nested too deeply"):
            compile_intrinsic(text)(scope)


def test_a_lone_surrogate_fails_the_state() -> None:
    """It has no UTF-8."""
    with pytest.raises(StateError, match="lone surrogate"):
        compile_intrinsic("States.Base64Encode($)")(scope_of("\ud800"))


def test_calls_nest_ten_deep() -> None:
    """AWS's limit."""
    compile_intrinsic("States.Array(" * 10 + ")" * 10)
    with pytest.raises(ExpressionError, match="nested more than 10"):
        compile_intrinsic("States.Array(" * 11 + ")" * 11)


def test_all_eighteen_functions_are_there() -> None:
    """The list of AWS's documentation."""
    assert len(FUNCTIONS) == 18


def test_dice_are_the_scopes() -> None:
    """The same scope gives the same identifier and number: a stimulus can be played again."""
    identify = compile_intrinsic("States.UUID()")
    roll = compile_intrinsic("States.MathRandom(1, 1000000)")
    assert uuid.UUID(identify(scope_of(0))).version == 4
    assert identify(scope_of(0)) == identify(scope_of(0))
    assert roll(scope_of(0)) == roll(scope_of(0))
    scope = scope_of(0)
    assert identify(scope) != identify(scope)


def test_a_seed_decides() -> None:
    """With a seed the scope's dice do not matter; the end is not included."""
    roll = compile_intrinsic("States.MathRandom(0, 1000, 3)")
    scope = scope_of(0)
    assert roll(scope) == roll(scope)
    assert compile_intrinsic("States.MathRandom(4, 5)")(scope) == 4


_ARGUMENTS = st.sampled_from(
    ["$", "$.a", "$.b", "$[0]", "'a{}'", "''", "1", "-2.5", "true", "null"]
)


@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(_ARGUMENTS, max_size=3), DOCUMENTS)
def test_functions_are_total(name: str, arguments: list[str], document: object) -> None:
    """Whatever it is given, a function gives JSON or fails the state."""
    with suppress(ExpressionError, StateError):
        json.dumps(compile_intrinsic(f"States.{name}({', '.join(arguments)})")(scope_of(document)))


@given(
    st.text(alphabet="States.Fomat()'\\{}$[],1 ", max_size=20).map(
        lambda end: f"States.Format({end}"
    )
)
def test_compiling_is_total(text: str) -> None:
    """Any text is a call or an ExpressionError."""
    with suppress(ExpressionError):
        compile_intrinsic(text)


def first_state(case: dict[str, object]) -> dict[str, object]:
    """Of its definition."""
    definition = case["definition"]
    return definition["States"][definition["StartAt"]]


@pytest.mark.parametrize(
    "case",
    # Those in JSONata have none: test_recorded_histories plays them.
    [
        each
        for each in recorded("intrinsic_functions")
        if "Parameters" in first_state(each.values[0])
    ],
)
def test_awss_recorded_answers(case: dict[str, object]) -> None:
    """The Parameters of each recorded Pass state give what AWS answered."""
    state = first_state(case)
    context = {"Execution": {"Input": case["input"]}, "StateMachine": {"Name": "<ArnPart_0idx>"}}
    made = compile_template(state["Parameters"])(scope_of(case["input"], context))
    expected = case["expect"]["output"]
    if "merged" in made:
        made = made["merged"]
    if "<any:" not in json.dumps(expected):
        assert made == expected
