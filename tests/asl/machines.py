"""Strategies: random machines that the language accepts, and worlds that answer them at random."""

from __future__ import annotations

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


@st.composite
def assigning(draw, state, depth):
    """The state with a random Assign: each depth has a variable of its own, for none may have the
    name of one around it."""
    if draw(st.booleans()):
        state = {**state, "Assign": {f"v{depth}.$": draw(paths), f"w{depth}": draw(json_values)}}
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
def states(draw, depth):  # noqa: PLR0911 - one return for each type
    """One state without Next or End."""
    kinds = ["Pass", "Template", "Task", "Wait", "Choice", "Fail"]
    kinds += ["Parallel", "Map", "Distributed"] * (depth > 0)
    match draw(st.sampled_from(kinds)):
        case "Pass":
            return draw(shaped({"Type": "Pass", "Result": draw(json_values)}, depth))
        case "Template":
            return draw(shaped({"Type": "Pass", "Parameters": {"a.$": draw(paths), "b": 1}}, depth))
        case "Task":
            task = {"Type": "Task", "Resource": ACTIVITY, "TimeoutSeconds": 60}
            return draw(shaped(task, depth, fails=True))
        case "Wait":
            return draw(assigning({"Type": "Wait", "Seconds": draw(st.integers(0, 3))}, depth))
        case "Choice":
            return {"Type": "Choice"}
        case "Fail":
            return {"Type": "Fail", "Error": draw(st.sampled_from(["Custom", "Other"]))}
        case "Parallel":
            branches = draw(st.lists(programs(depth - 1), min_size=1, max_size=3))
            return draw(shaped({"Type": "Parallel", "Branches": branches}, depth, fails=True))
        case kind:
            state = {
                "Type": "Map",
                "ItemsPath": "$.items",
                "MaxConcurrency": draw(st.integers(0, 2)),
                "ItemProcessor": draw(programs(depth - 1)),
            }
            if kind == "Distributed":
                state["ItemProcessor"]["ProcessorConfig"] = DISTRIBUTED
                state["ToleratedFailureCount"] = draw(st.integers(0, 2))
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


@st.composite
def programs(draw, depth=2):
    """A machine, branch or iteration: a line of states that may jump ahead."""
    line = draw(st.lists(states(depth), min_size=1, max_size=4))
    named = {f"S{i}": inside(state, f"S{i}") for i, state in enumerate(line)}
    named["End"] = {"Type": "Pass", "End": True}
    names = list(named)
    for i, name in enumerate(names[:-1]):
        later = names[i + 1 :]
        state = named[name]
        if state["Type"] == "Choice":
            rule = {"Variable": "$", "IsPresent": True, "Next": draw(st.sampled_from(later))}
            rule = draw(assigning(rule, depth))
            state.update(Choices=[rule], Default=later[0])
        elif state["Type"] != "Fail":
            state["Next"] = later[0]
        if "Retry" in state and draw(st.booleans()):
            catcher = {"ErrorEquals": ["States.ALL"], "Next": later[-1]}
            state["Catch"] = [draw(assigning(catcher, depth))]
        if state["Type"] == "Fail":
            # What follows must be named by somebody.
            named[name] = {"Type": "Choice", "Choices": [], "Default": later[0]}
            named[name]["Choices"] = [{"Variable": "$.a", "IsNull": True, "Next": f"F{i}"}]
            named[f"F{i}"] = state
    return {"StartAt": "S0", "States": named}


inputs = st.fixed_dictionaries(
    {"items": st.lists(json_values, max_size=3)}, optional={"a": json_values, "b": json_values}
)
