"""Strategies: random machines that the language accepts, and worlds that answer them at random."""

from __future__ import annotations

from functools import partial

from hypothesis import strategies as st

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
DISTRIBUTED = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
ERRORS = ["Custom", "States.ALL", "States.TaskFailed", "States.Timeout"]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "items"]), inner, max_size=3)
    ),
    max_leaves=6,
)
paths = st.sampled_from(
    ["$", "$.a", "$.b", "$.items", "$$.State.Name", "$.items[0]", "$v2", "$v1.a", "$v0"]
)


expressions = st.sampled_from(
    [
        "$states.input",
        "$states.input.a",
        "$states.input.items",
        "$states.input.items[0]",
        "$states.context.State.Name",
        "$states.context.Execution.Input.a",
        "$v2",
        "$v1.a",
        "$sum($states.input.items)",
        "$states.input.a + 1",
        "$random() < 2",
        "$length($uuid())",
        "[1, 2].{'a': $}",
        "$none",
    ]
).map(lambda text: "{% " + text + " %}")
"""Some of them fail, some of them for some inputs."""
LANGUAGE = {"QueryLanguage": "JSONata"}


@st.composite
def assigning(draw, state, depth):
    """The state with a random Assign: each depth has a variable of its own, for none may have the
    name of one around it."""
    if draw(st.booleans()):
        state = {**state, "Assign": {f"v{depth}.$": draw(paths), f"w{depth}": draw(json_values)}}
    return state


@st.composite
def assigning_jsonata(draw, state, depth):
    """As ``assigning``, in JSONata."""
    if draw(st.booleans()):
        state = {**state, "Assign": {f"v{depth}": draw(expressions), f"w{depth}": 1}}
    return state


@st.composite
def retriers(draw):
    """One entry of Retry."""
    return {
        "ErrorEquals": [draw(st.sampled_from(ERRORS))],
        "IntervalSeconds": draw(st.integers(1, 3)),
        "MaxAttempts": draw(st.integers(0, 2)),
        "JitterStrategy": draw(st.sampled_from(["FULL", "NONE"])),
    }


@st.composite
def shaped(draw, state, depth, *, fails=False):
    """The state with random InputPath, ResultPath, OutputPath, Assign and, where it can fail,
    Retry."""
    state = dict(draw(assigning(state, depth)))
    if draw(st.booleans()):
        state["InputPath"] = draw(st.sampled_from(["$", "$.a", None]))
    if draw(st.booleans()):
        state["ResultPath"] = draw(st.sampled_from(["$", "$.a", "$.items", None]))
    if draw(st.booleans()):
        state["OutputPath"] = draw(st.sampled_from(["$", "$.a", None]))
    if fails and draw(st.booleans()):
        state["Retry"] = [draw(retriers())]
    return state


@st.composite
def states(draw, depth, whole):  # noqa: PLR0911 - one return for each type
    """One state without Next or End. ``whole``: the machine is written in JSONata."""
    if whole or draw(st.integers(0, 3)) == 0:
        return draw(jsonata_states(depth, whole))
    kinds = ["Pass", "Template", "Task", "Wait", "Choice", "Fail"]
    kinds += ["Parallel", "Map", "Distributed"] * (depth > 0)
    match draw(st.sampled_from(kinds)):
        case "Pass":
            return draw(shaped({"Type": "Pass", "Result": draw(json_values)}, depth))
        case "Template":
            return draw(shaped({"Type": "Pass", "Parameters": {"a.$": draw(paths), "b": 1}}, depth))
        case "Task":
            return draw(shaped(draw(tasks), depth, fails=True))
        case "Wait":
            return draw(assigning({"Type": "Wait", "Seconds": draw(st.integers(0, 3))}, depth))
        case "Choice":
            return {"Type": "Choice"}
        case "Fail":
            return {"Type": "Fail", "Error": draw(st.sampled_from(["Custom", "Other"]))}
        case "Parallel":
            branches = draw(st.lists(programs(depth - 1, whole), min_size=1, max_size=3))
            return draw(shaped({"Type": "Parallel", "Branches": branches}, depth, fails=True))
        case kind:
            state = {"ItemsPath": "$.items", **draw(maps(depth, whole, kind))}
            return draw(shaped(state, depth, fails=True))


def inside(state, prefix):
    """The state, and what is in it with this before each name: no two states have the same one."""
    state = dict(state)
    if "Branches" in state:
        branches = enumerate(state["Branches"])
        state["Branches"] = [prefixed(each, f"{prefix}-{i}") for i, each in branches]
    if "ItemProcessor" in state:
        state["ItemProcessor"] = prefixed(state["ItemProcessor"], prefix)
    return state


def prefixed(program, prefix):
    """The program with this before the name of each state."""
    states = {}
    for name, given in program["States"].items():
        state = states[prefix + name] = inside(given, prefix)
        for member in ("Next", "Default"):
            if member in state:
                state[member] = prefix + state[member]
        for member in ("Catch", "Choices"):
            if member in state:
                entries = state[member]
                state[member] = [{**each, "Next": prefix + each["Next"]} for each in entries]
    return {**program, "StartAt": prefix + program["StartAt"], "States": states}


RESOURCES = [ACTIVITY, "arn:aws:lambda:us-east-1:123456789012:function:f"]
RESOURCES += ["arn:aws:states:::lambda:invoke"]
tasks = st.sampled_from(RESOURCES).map(
    lambda resource: {"Type": "Task", "Resource": resource, "TimeoutSeconds": 60}
)


@st.composite
def maps(draw, depth, whole, kind):
    """A Map, inline or distributed, without its items."""
    state = {
        "Type": "Map",
        "MaxConcurrency": draw(st.integers(0, 2)),
        "ItemProcessor": draw(programs(depth - 1, whole)),
    }
    if kind == "Distributed":
        state["ItemProcessor"]["ProcessorConfig"] = DISTRIBUTED
        state["ToleratedFailureCount"] = draw(st.integers(0, 2))
    return state


@st.composite
def jsonata_states(draw, depth, whole):
    """One state in JSONata, without Next or End."""
    kinds = ["Pass", "Task", "Wait", "Choice", "Fail", "Succeed"]
    kinds += ["Parallel", "Map", "Distributed"] * (depth > 0)
    kind = draw(st.sampled_from(kinds))
    state = {**({} if whole else LANGUAGE), **draw(jsonata_idea(kind, depth, whole))}
    if kind in {"Choice", "Fail"}:
        return state
    if draw(st.booleans()):
        state["Output"] = draw(expressions | st.just({"a": 1, "items": [1]}))
        if kind not in {"Pass", "Wait", "Succeed"}:
            state["Output"] = draw(expressions | st.just("{% $states.result %}"))
    if kind != "Succeed":
        state = draw(assigning_jsonata(state, depth))
    if kind not in {"Pass", "Wait", "Succeed"} and draw(st.booleans()):
        state["Retry"] = [draw(retriers())]
    return state


@st.composite
def jsonata_idea(draw, kind, depth, whole):
    """What is particular to the state's type."""
    match kind:
        case "Wait":
            return {"Type": kind, "Seconds": draw(st.just(1) | expressions)}
        case "Fail":
            return {"Type": kind, "Error": draw(st.just("Custom") | expressions)}
        case "Task":
            return {**draw(tasks), "Arguments": {"a": draw(expressions)}}
        case "Parallel":
            branches = st.lists(programs(depth - 1, whole), min_size=1, max_size=2)
            return {"Type": kind, "Branches": draw(branches)}
        case "Map" | "Distributed":
            items = draw(st.just([1, 2]) | expressions)
            return {**draw(maps(depth, whole, kind)), "Items": items}
        case _:
            return {"Type": kind}


def in_jsonata(state, whole):
    """Whether the state is written in it."""
    return whole or "QueryLanguage" in state


@st.composite
def programs(draw, depth=2, whole=False):
    """A machine, branch or iteration: a line of states that may jump ahead."""
    line = draw(st.lists(states(depth, whole), min_size=1, max_size=4))
    named = {f"S{i}": inside(state, f"S{i}") for i, state in enumerate(line)}
    named["End"] = {"Type": "Pass", "End": True}
    names = list(named)
    for i, name in enumerate(names[:-1]):
        draw(led_on(named, name, names[i + 1 :], depth, whole))
        if named[name]["Type"] in {"Fail", "Succeed"}:
            # What follows must be named by somebody.
            ending, last = named[name], names[i + 1]
            named[name] = {"Type": "Choice", "Default": last}
            rule = {"Condition": "{% $states.input.a = null %}"}
            if not in_jsonata(ending, whole):
                rule = {"Variable": "$.a", "IsNull": True}
            elif not whole:
                named[name] |= LANGUAGE
            named[name]["Choices"] = [{**rule, "Next": f"F{i}"}]
            named[f"F{i}"] = ending
    return {"StartAt": "S0", "States": named}


@st.composite
def led_on(draw, named, name, later, depth, whole):
    """Where the state leads, and what catches its failures."""
    state = named[name]
    jsonata = in_jsonata(state, whole)
    assigned = assigning_jsonata if jsonata else assigning
    if state["Type"] == "Choice":
        rule = {"Variable": "$", "IsPresent": True}
        if jsonata:
            rule = {"Condition": draw(st.just("{% true %}") | expressions)}
        rule = draw(assigned({**rule, "Next": draw(st.sampled_from(later))}, depth))
        state.update(Choices=[rule], Default=later[0])
    elif state["Type"] not in {"Fail", "Succeed"}:
        state["Next"] = later[0]
    if "Retry" in state and draw(st.booleans()):
        catcher = draw(assigned({"ErrorEquals": ["States.ALL"], "Next": later[-1]}, depth))
        if jsonata and draw(st.booleans()):
            catcher["Output"] = draw(st.just("{% $states.errorOutput %}") | expressions)
        state["Catch"] = [catcher]


@st.composite
def machines(draw):
    """A whole machine, in JSONPath with some states in JSONata, or in JSONata."""
    whole = draw(st.booleans())
    return {**draw(programs(2, whole)), **(LANGUAGE if whole else {})}


@st.composite
def joins(draw, depth=2, jsonata=False):
    """A machine, branch or iteration that succeeds for every input with ``items``, whose first
    state joins while there is depth left. Its output tells all that happened in it, what it
    assigned included."""
    first = joining(depth - 1, jsonata) if depth else working(jsonata)
    line = [draw(first), *draw(st.lists(working(jsonata), max_size=2))]
    onward = _onward_jsonata if jsonata else _onward
    named = {}
    for i, state in enumerate(line):
        named[f"S{i}"] = onward(inside(state, f"S{i}"), i, f"v{depth}x{i}")
    named[f"S{len(line)}"] = draw(_telling(line, depth, jsonata))
    return {"StartAt": "S0", "States": named}


def _onward(state, i, variable):
    """The state, which keeps its result, or its error, in the document and in the variable."""
    state = {**state, "Next": f"S{i + 1}", "Assign": {f"{variable}.$": "$"}}
    kept = {"ResultPath": f"$.S{i}"}
    if "Catch" in state:
        caught = {"ErrorEquals": ["States.ALL"], "Next": f"S{i + 1}", **kept}
        state["Catch"] = [{**caught, "Assign": {f"{variable}.$": "$.Cause"}}]
    return state if state["Type"] == "Wait" else {**state, **kept}


def _onward_jsonata(state, i, variable):
    """As ``_onward``."""
    kept = {"Wait": "input"}.get(state["Type"], "result")
    state = {**state, "Next": f"S{i + 1}", **_kept_jsonata(i, variable, kept)}
    if "Catch" in state:
        caught = {"ErrorEquals": ["States.ALL"], "Next": f"S{i + 1}"}
        state["Catch"] = [{**caught, **_kept_jsonata(i, variable, "errorOutput")}]
    return state


def _kept_jsonata(i, variable, what):
    """Output and Assign that keep a member of ``$states``."""
    merged = f"$merge([$states.input, {{'S{i}': $states.{what}}}])"
    return {"Output": f"{{% {merged} %}}", "Assign": {variable: f"{{% $states.{what} %}}"}}


@st.composite
def _telling(draw, line, depth, jsonata):
    """The last state: all that was assigned, or the document."""
    variables = [f"v{depth}x{i}" for i in range(len(line))]
    told = draw(st.booleans())
    if jsonata:
        output = {name: f"{{% ${name} %}}" for name in variables}
        return {"Type": "Pass", "End": True, **({"Output": output} if told else {})}
    parameters = {f"{name}.$": f"${name}" for name in variables}
    return {"Type": "Pass", "End": True, **({"Parameters": parameters} if told else {})}


@st.composite
def joining(draw, depth, jsonata):
    """A Parallel, or a Map whose iterations have ``items`` again."""
    if draw(st.booleans()):
        branches = st.lists(joins(depth, jsonata), min_size=2, max_size=3)
        return {"Type": "Parallel", "Branches": draw(branches)}
    item, items = "$$.Map.Item.Value", {"ItemsPath": "$.items"}
    selector = {"items": [3, 4], "item.$": item}
    if jsonata:
        items = {"Items": "{% $states.input.items %}"}
        selector = {"items": [3, 4], "item": "{% $states.context.Map.Item.Value %}"}
    return {
        "Type": "Map",
        **items,
        "ItemSelector": selector,
        "MaxConcurrency": draw(st.integers(0, 2)),
        "ItemProcessor": draw(joins(depth, jsonata)),
    }


def _told(resource, fails, attempts, *, jsonata):
    """A task that is told all there is to know, and whether to fail; then it is caught."""
    told = {"Parameters": {"fails": fails, "name.$": "$$.State.Name", "given.$": "$"}}
    if jsonata:
        name, given = "{% $states.context.State.Name %}", "{% $states.input %}"
        told = {"Arguments": {"fails": fails, "name": name, "given": given}}
    retrier = {"ErrorEquals": ["Custom"], "IntervalSeconds": 1, "MaxAttempts": attempts}
    return {"Type": "Task", "Resource": resource, **told, "Retry": [retrier], "Catch": []}


def working(jsonata):
    """A state that waits for the world."""
    resources, attempts = st.sampled_from(RESOURCES[:2]), st.integers(0, 2)
    return st.one_of(
        st.builds(partial(_told, jsonata=jsonata), resources, st.booleans(), attempts),
        st.builds(lambda seconds: {"Type": "Wait", "Seconds": seconds}, st.integers(0, 3)),
    )


@st.composite
def joining_machines(draw):
    """A whole machine of ``joins``, in either query language."""
    jsonata = draw(st.booleans())
    return {**draw(joins(2, jsonata)), **(LANGUAGE if jsonata else {})}


inputs = st.fixed_dictionaries(
    {"items": st.lists(json_values, max_size=3)}, optional={"a": json_values, "b": json_values}
)
