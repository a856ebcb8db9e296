"""Paths and variables that lead nowhere on any way to their state, found before anything runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.asl.advice import advise
from gateway.asl.dataflow import absences
from gateway.asl.validation import accepted
from gateway.testing.run import run
from tests.properties import examples

PACK = Path(__file__).parents[2].parent / "shared" / "conformance" / "cases"
WORK = "arn:aws:states:us-east-1:123456789012:activity:work"
MADE = {"Type": "Pass", "Result": {"order": {"id": 1}, "list": [{"x": 1}], "text": "t"}}
ERRORS = [{"ErrorEquals": ["E"], "Next": "B"}]


def chain(*states, names="ABCDEF"):
    """A machine of states named A, B, C …, each leading to the next unless it says otherwise."""
    led = {}
    for number, (name, state) in enumerate(zip(names, states, strict=False), 1):
        leads = {"Next", "Choices"} & state.keys() or state["Type"] in ("Succeed", "Fail")
        onward = {"End": True} if number == len(states) else {"Next": names[number]}
        led[name] = state if leads else {**state, **onward}
    return {"StartAt": names[0], "States": led}


def inner(state, name="X"):
    """A branch or an iteration of one state."""
    return chain(state, names=[name])


def passing(path, **more):
    """A Pass state that reads the path."""
    return {"Type": "Pass", "Parameters": {"x.$": path}, **more}


def task(**more):
    """A Task state."""
    return {"Type": "Task", "Resource": WORK, "TimeoutSeconds": 1, **more}


def choosing(*rules):
    """A Choice between C and C."""
    return {"Type": "Choice", "Choices": [{**rule, "Next": "C"} for rule in rules], "Default": "C"}


def mapped(state, **more):
    """A Map of one state."""
    return {"Type": "Map", "ItemProcessor": {**inner(state), **more}}


def query(text):
    """A Pass state that evaluates the JSONata."""
    return {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"x": f"{{% {text} %}}"}}


END = {"Type": "Succeed"}
ASSIGN = {"Assign": {"v": {"a": 1}}}
SETS = {"Type": "Pass", **ASSIGN}
DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}
BATCHES = {"MaxItemsPerBatchPath": "$n"}
IN_JSONATA = {"QueryLanguage": "JSONata"}
READ_A = "/States/A/Parameters/x.$"
READ_B = "/States/B/Parameters/x.$"
LOST = {
    "a member of a Result": (chain(MADE, passing("$.ordr")), READ_B),
    "a member of a member": (chain(MADE, passing("$.order.nr")), READ_B),
    "a member of a text": (chain(MADE, passing("$.text.id")), READ_B),
    "a member of a list": (chain(MADE, passing("$.list.x")), READ_B),
    "under a ResultPath": (chain({**MADE, "ResultPath": "$.a"}, passing("$.a.b")), READ_B),
    "an argument of a function": (
        chain(MADE, passing("States.Format('{}', $.orders)")),
        READ_B,
    ),
    "what Parameters do not make": (
        chain({"Type": "Pass", "Parameters": {"a.$": "$.a"}}, passing("$.b")),
        READ_B,
    ),
    "what ResultSelector does not make": (
        chain(task(ResultSelector={"a.$": "$.a"}), passing("$.b")),
        READ_B,
    ),
    "after InputPath": (
        chain(MADE, passing("$.text", InputPath="$.order")),
        READ_B,
    ),
    "InputPath": (chain(MADE, {"Type": "Pass", "InputPath": "$.ordr"}), "/States/B/InputPath"),
    "an InputPath of null": (chain(passing("$.a", InputPath=None)), "/States/A/Parameters/x.$"),
    "OutputPath": (chain({**MADE, "OutputPath": "$.ordr"}), "/States/A/OutputPath"),
    "Assign": (chain({**MADE, "Assign": {"v.$": "$.ordr"}}), "/States/A/Assign/v.$"),
    "a timeout": (
        chain(MADE, {"Type": "Task", "Resource": WORK, "TimeoutSecondsPath": "$.seconds"}),
        "/States/B/TimeoutSecondsPath",
    ),
    "a wait": (chain(MADE, {"Type": "Wait", "SecondsPath": "$.s"}), "/States/B/SecondsPath"),
    "an error": (chain(MADE, {"Type": "Fail", "ErrorPath": "$.error"}), "/States/B/ErrorPath"),
    "the items of a Map": (
        chain(MADE, {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": inner(END)}),
        "/States/B/ItemsPath",
    ),
    "a variable of a rule": (
        chain(MADE, choosing({"Variable": "$.kind", "StringEquals": "x"}), END),
        "/States/B/Choices[0]/Variable",
    ),
    "an operand in a rule": (
        chain(
            MADE,
            choosing({"Not": {"Variable": "$.text", "StringEqualsPath": "$.other"}}),
            END,
        ),
        "/States/B/Choices[0]/Not/StringEqualsPath",
    ),
    "an error is no input": (chain(task(Catch=ERRORS, Next="C"), passing("$.a"), END), READ_B),
    "the result of a Parallel is a list": (
        chain({"Type": "Parallel", "Branches": [inner(END)]}, passing("$.a")),
        READ_B,
    ),
    "in a branch": (
        chain(
            {
                "Type": "Parallel",
                "Parameters": {"a": 1},
                "Branches": [inner(passing("$.b"))],
            }
        ),
        "/States/A/Branches[0]/States/X/Parameters/x.$",
    ),
    "in an iteration": (
        chain({"Type": "Map", "ItemSelector": {"a": 1}, "ItemProcessor": inner(passing("$.b"))}),
        "/States/A/ItemProcessor/States/X/Parameters/x.$",
    ),
    "after a loop": (
        chain(
            {"Type": "Pass", "Result": {"n": 1}},
            {"Type": "Pass", "Result": 1, "ResultPath": "$.m"},
            choosing({"Variable": "$.n", "IsNull": True}, {"Variable": "$.o", "IsNull": True})
            | {"Default": "B"},
        ),
        "/States/C/Choices[1]/Variable",
    ),
    "a variable that nothing assigns": (chain(SETS, passing("$w")), READ_B),
    "a member that a variable never has": (chain(SETS, passing("$v.b")), READ_B),
    "a variable that a later state assigns": (chain(passing("$v", **ASSIGN)), READ_A),
    "a variable in a call": (chain(passing("States.Format('{}', $v)")), READ_A),
    "a variable that is assigned on another way": (
        chain(
            task(Catch=[{**ERRORS[0], "Next": "B", "Assign": {"v": 1}}], Next="C"),
            {"Type": "Pass", "Next": "D"},
            passing("$v"),
            END,
        ),
        "/States/C/Parameters/x.$",
    ),
    "a variable that a branch assigns": (
        chain({"Type": "Parallel", "Branches": [inner({"Type": "Pass", **ASSIGN})]}, passing("$v")),
        READ_B,
    ),
    "a variable in a distributed Map": (
        chain(SETS, mapped(passing("$v"), ProcessorConfig=DISTRIBUTED)),
        "/States/B/ItemProcessor/States/X/Parameters/x.$",
    ),
    "a variable in the members of a distributed Map": (
        chain(mapped(END, ProcessorConfig=DISTRIBUTED) | {"ItemBatcher": BATCHES}),
        "/States/A/ItemBatcher/MaxItemsPerBatchPath",
    ),
    "a variable in the Assign of a rule": (
        chain(MADE, choosing({"Variable": "$", "IsNull": True, "Assign": {"w.$": "$v"}}), END),
        "/States/B/Choices[0]/Assign/w.$",
    ),
    "a variable in the Assign of a catcher": (
        chain(task(Catch=[{**ERRORS[0], "Assign": {"w.$": "$v"}}]), END),
        "/States/A/Catch[0]/Assign/w.$",
    ),
    "a member that an error never has": (
        chain(task(Catch=[{**ERRORS[0], "Assign": {"w.$": "$.Cuase"}}]), END),
        "/States/A/Catch[0]/Assign/w.$",
    ),
    "a variable in a query": (chain(SETS, query("$v + $w")), "/States/B/Output/x"),
}
"""Definitions, and where the one path is that leads nowhere."""
FOUND = {
    "what is there": chain(MADE, passing("$.order.id")),
    "an element": chain(MADE, passing("$.list[0].x")),
    "what a ResultPath adds": chain(MADE, task(ResultPath="$.a.b"), passing("$.a.b.c")),
    "what the input may have": chain({**MADE, "ResultPath": "$.a"}, passing("$.b")),
    "what one way brings": chain(
        task(Catch=[{"ErrorEquals": ["E"], "Next": "C"}]), {**MADE, "Next": "C"}, passing("$.Cause")
    ),
    "what a loop brings": chain(
        {"Type": "Pass", "Result": {"n": 1}},
        choosing({"Variable": "$.n", "IsNumeric": True}, {"Variable": "$.m", "IsNull": True}),
        {"Type": "Pass", "Result": {"n": 1}, "ResultPath": "$.m", "Next": "B"},
    ),
    "an input that is put into itself": chain(
        {"Type": "Pass", "Result": {"n": 1}},
        {"Type": "Pass", "ResultPath": "$.m"},
        choosing({"Variable": "$.m.m.n", "IsNull": True}) | {"Default": "B"},
    ),
    "what a rule asks for first": chain(
        MADE,
        choosing(
            {
                "And": [
                    {"Variable": "$.kind", "IsPresent": True},
                    {"Variable": "$.kind.name", "StringEquals": "x"},
                ]
            }
        ),
        END,
    ),
    "a path of several places": chain(MADE, passing("$..nowhere")),
    "other documents": chain(MADE, passing("$$.Execution.Id")),
    "a text that is none": chain(MADE, {"Type": "Pass", "Parameters": {"x": "$5", "P": "a"}}),
    "what a catcher keeps": chain(
        MADE,
        task(Catch=[{"ErrorEquals": ["E"], "Next": "C", "ResultPath": "$.e"}]),
        {"Type": "Pass", "Parameters": {"a.$": "$.e.Error", "b.$": "$.text"}},
    ),
    "a Map that writes": chain(
        {"Type": "Map", "ItemProcessor": inner(END), "ResultWriter": {}}, passing("$.a")
    ),
    "batches": chain(
        {
            "Type": "Map",
            "ItemSelector": {"a": 1},
            "ItemBatcher": {"MaxItemsPerBatch": 1},
            "ItemProcessor": inner(passing("$.Items")),
        }
    ),
    "ItemsPath beside a reader": chain(
        MADE,
        {"Type": "Map", "ItemReader": {}, "ItemsPath": "$.none", "ItemProcessor": inner(END)},
    ),
    "JSONata": chain(
        {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": 1}}, passing("$.b")
    ),
    "a catcher in JSONata": chain(
        task(
            QueryLanguage="JSONata", Catch=[{"ErrorEquals": ["E"], "Next": "B", "Output": {"a": 1}}]
        ),
        passing("$.a"),
    ),
    "a variable": chain(SETS, END | {"Type": "Pass"}, passing("$v.a")),
    "a variable that one way assigns": chain(
        MADE, choosing({"Variable": "$", "IsNull": True, **ASSIGN}), passing("$v.a")
    ),
    "a variable that a loop assigns": chain(
        query("$v"), {**choosing({"Condition": "{% true %}"}), **IN_JSONATA}, SETS | {"Next": "A"}
    ),
    "a variable that a catcher assigns": chain(
        task(Catch=[{**ERRORS[0], **ASSIGN}]), passing("$v.a")
    ),
    "a variable that a query makes": chain(
        {"Type": "Pass", **IN_JSONATA, "Assign": {"v": "{% {} %}"}}, passing("$v.a")
    ),
    "a variable from around a branch": chain(
        SETS, {"Type": "Parallel", "Branches": [inner(passing("$v.a"))]}
    ),
    "a variable from around an iteration": chain(SETS, mapped(query("$v.b"))),
    "a variable that is asked for": chain(
        MADE, choosing({"Variable": "$v", "IsPresent": True}), query("$exists($v) ? $v : 1")
    ),
    "names within a query": chain(
        query("($a := 1; $f := function($p) { $p + $b }; $b := 2; $map([1], $f)@$i#$j.($i + $j))")
    ),
    "what every query has": chain(query("[$sum($states.input.$), $$, $uuid(), $random()]")),
    "a query that does not parse": chain(query("$v +")),
}


@pytest.mark.parametrize(("definition", "place"), LOST.values(), ids=LOST)
def test_a_path_that_leads_nowhere(definition, place):
    """It is found where it is written, and nothing else is."""
    accepted(json.dumps(definition))
    assert [absence.location for absence in absences(definition)] == [place]


@pytest.mark.parametrize("definition", FOUND.values(), ids=FOUND)
def test_a_path_that_may_lead_somewhere(definition):
    """Where one way to a state, or what is not known, may bring a member, nothing is said."""
    assert list(absences(definition)) == []


SAYS = [
    (
        chain(MADE, passing("$.ordr")),
        "'$.ordr' leads nowhere: what 'A' made has no 'ordr'; did you mean 'order'?",
    ),
    (
        chain(MADE, {"Type": "Pass", "Result": 1, "ResultPath": "$.n"}, passing("$.zzz")),
        "'$.zzz' leads nowhere: what 'A' and 'B' made has no 'zzz'; "
        "there are 'list', 'n', 'order', 'text'",
    ),
    (
        chain(MADE, passing("$.text.a")),
        "'$.text.a' leads nowhere: what 'A' made has no 'a'; it has no members",
    ),
    (
        chain({"Type": "Pass", "Assign": {"total": 1}}, passing("$totl")),
        "'$totl' leads nowhere: no state on any way here assigns the variable 'totl'; "
        "did you mean 'total'?",
    ),
    (
        chain({"Type": "Pass", "Assign": {"total": 1}}, query("$zzz")),
        "'$zzz' leads nowhere: no state on any way here assigns the variable 'zzz'; "
        "those assigned are 'total'",
    ),
    (
        chain(passing("$v")),
        "'$v' leads nowhere: no state on any way here assigns the variable 'v'; none is assigned",
    ),
]


@pytest.mark.parametrize(("definition", "said"), SAYS)
def test_what_is_said(definition, said):
    """The warning names the path, who made the data and what is there instead."""
    assert said in [advice.message for advice in advise(definition)]


@pytest.mark.parametrize("odd", [None, 1, "$", "x", [], {}, [{}], [1], {"a": {}}])
def test_any_json_is_followed(odd):
    """What is no definition is passed over."""
    fields = ("Type", "Next", "Catch", "Choices", "InputPath", "Parameters", "ResultPath", "Result")
    for kind in ("Pass", "Task", "Choice", "Map", "Parallel"):
        for field in (*fields, "ResultSelector", "OutputPath", "QueryLanguage", "Branches"):
            list(absences(chain({"Type": kind, field: odd}, passing("$.a"))))
    list(absences(odd))
    list(absences({"StartAt": odd, "States": {"A": odd}, "QueryLanguage": odd}))


def knot(size):
    """States that each lead to two others, add a member of their own, and read what none adds."""
    states = {"Start": {"Type": "Pass", "Result": {}, "Next": "S0"}}
    for number in range(size):
        states[f"S{number}"] = {**MADE, "ResultPath": f"$.m{number}", "Next": f"C{number}"}
        states[f"C{number}"] = {
            "Type": "Choice",
            "Choices": [{"Variable": "$.no", "IsNull": True, "Next": f"S{number * 7 % size}"}],
            "Default": f"S{(number + 1) % size}",
        }
    return {"StartAt": "Start", "States": states}


def test_a_knot_of_loops_is_not_followed_for_long():
    """Where data comes on ever new ways it is given up as unknown; a small knot is followed."""
    assert len(list(absences(knot(2)))) == 2
    assert list(absences(knot(40))) == []


# ------------------------------------------------------------------------------ soundness

names = st.sampled_from(["a", "b", "c"])
places = st.lists(names, max_size=2).map(lambda keys: ".".join(["$", *keys]))
variables = st.sampled_from(["$v", "$v.a", "$w", "$w.b", "$inside"])
paths = places | variables
values = st.recursive(
    st.sampled_from([1, "t", [], None]), lambda inner: st.dictionaries(names, inner, max_size=2)
)
templates = st.dictionaries(names.map(lambda name: f"{name}.$"), paths, max_size=2) | values
assigns = st.dictionaries(st.sampled_from(["v", "w"]), values, min_size=1) | st.dictionaries(
    st.sampled_from(["v.$", "w.$"]), paths, min_size=1
)
rarely = {
    "InputPath": paths | st.none(),
    "ResultPath": places | st.none(),
    "OutputPath": paths,
    "Assign": assigns,
}
insides = st.sampled_from(
    [MADE, passing("$.a"), passing("$v"), END, {"Type": "Pass", "Assign": {"inside": 1}}]
)


@st.composite
def definitions(draw):
    """A chain of states; a Task that fails may go back or on, a Choice on. A Map has an item."""
    line = "ABCDEF"[: draw(st.integers(2, 6))]
    kinds = ["Pass", "Pass", "Task", "Parallel", "Map", "Query", "Choice"]
    last = len(line) - 1
    drawn = [draw(st.sampled_from(kinds[: 6 if i == last else 7])) for i in range(len(line))]
    return chain(*(draw(one_state(kind, number, line)) for number, kind in enumerate(drawn)))


@st.composite
def one_state(draw, kind, number, line):
    """A state of the chain. Whatever may be warned of in it is looked up before it is left."""
    if kind == "Query":
        state = query(draw(st.sampled_from(["$v", "$w", "$inside", "1"])))
        return {**state, **draw(st.fixed_dictionaries({}, optional={"Assign": st.just({"v": 1})}))}
    if kind == "Choice":
        assign = draw(st.just({}) | st.fixed_dictionaries({"Assign": assigns}))
        later = st.sampled_from(line[number + 1 :])
        rule = {"Variable": draw(paths), "IsNull": True, "Next": draw(later), **assign}
        return {"Type": kind, "Choices": [rule], "Default": line[number + 1], **assign}
    fields = {**rarely, "ItemSelector" if kind == "Map" else "Parameters": templates}
    fields |= {"Result": values} if kind == "Pass" else {"ResultSelector": templates}
    state = draw(st.fixed_dictionaries({"Type": st.just(kind)}, optional=fields))
    if kind == "Task":
        catcher = {"ErrorEquals": ["E"], "Next": draw(st.sampled_from(line))}
        if draw(st.booleans()):
            catcher["ResultPath"] = draw(places)
        if draw(st.booleans()):
            catcher["Assign"] = draw(st.dictionaries(st.sampled_from(["v", "w"]), values))
        state = task(**state, Catch=[catcher])
    elif kind == "Parallel":
        state["Branches"] = [inner(draw(insides), f"In {number}")]
    elif kind == "Map":
        state["ItemsPath"] = "$$.Execution.Input.items"
        state["ItemProcessor"] = inner(draw(insides), f"In {number}")
    return state


@examples(300)
@given(definitions(), st.dictionaries(names, values, max_size=2), values)
def test_a_state_with_a_lost_path_is_never_left(definition, given_input, answer):
    """Where a warning is given, the state fails whenever an execution comes to it, unless its task
    has failed before the path was read."""
    answers = [{"throw": {"Error": "E", "Cause": ""}}, {"return": answer}]
    tasks = {name for name, state in definition["States"].items() if state["Type"] == "Task"}
    outcome = run(definition, {**given_input, "items": [1]}, dict.fromkeys(tasks, answers))
    for absence in absences(definition):
        name = absence.location.split("/States/")[-1].partition("/")[0]
        assert "left" not in [visit.outcome for visit in outcome.visits_of(name)], absence


@pytest.mark.skipif(not PACK.is_dir(), reason="the conformance pack is not beside the project")
def test_what_ran_well_on_aws_has_no_lost_paths():
    """No definition that succeeded on AWS is warned of, and some that failed are."""
    warned = []
    for file in sorted(PACK.rglob("*.json")):
        case = json.loads(file.read_text())
        definition = case.get("definition")
        if case["kind"] == "execution" and any(absences(definition)):
            warned.append(case["expect"].get("status"))
    assert set(warned) == {"FAILED"}
