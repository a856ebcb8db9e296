"""State machines by dice: small ones of every state type that wait, fail, retry and catch, in both
query languages, with variables."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
FUNCTIONS = ("arn:aws:lambda:us-east-1:123456789012:function:f", "arn:aws:states:::lambda:invoke")
ONCE = "arn:aws:lambda:us-east-1:123456789012:function:once"
"""A function of which the configuration says ``interrupted: fail``."""
CALLBACK = "arn:aws:states:::sqs:sendMessage"
CHILD, FOREVER = (f"arn:aws:states:us-east-1:123456789012:stateMachine:c{n}" for n in range(2))
"""Machines that tasks begin executions of; those of the second end only when they are stopped."""
SHARED = "shared-"
"""How the names begin of executions that several tasks may begin, or find running."""
_NESTED = "arn:aws:states:::states:startExecution"
_ERRORS = ("Custom", "States.ALL", "States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout")
_WITH_NAME = "{% $merge([$states.input, {'a': $states.context.State.Name}]) %}"
_WITH_RESULT = "{% $merge([$states.input, {'a': $states.result}]) %}"
_READERS = (
    ("getObject", {"Key": "items.json"}, {"InputType": "JSON"}),
    ("getObject", {"Key": "items.jsonl"}, {"InputType": "JSONL"}),
    ("getObject", {"Key": "items.csv"}, {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
    ("listObjectsV2", {"Prefix": "list/"}, {}),
    ("getObject", {"Key": "broken.json"}, {"InputType": "JSON"}),
    ("getObject", {"Key": "nothing.json"}, {"InputType": "JSON"}),
)


def random_machine(dice: Random, *, express: bool = False, nests: bool = True) -> dict[str, Any]:
    """A definition that ends when its tasks are handed out, since each of them has its time, or
    begins what has. An Express one has no task for a worker, and no execution of its own for each
    item; nor has it nested ones, and one that is begun by others (not ``nests``) has none. So have
    the Express children of a standard one."""
    limit = dice.choice(({}, {}, {"TimeoutSeconds": dice.choice((30, 300))}))
    return {**_program(dice, _Names(express, nests and not express), 2), **limit}


class _Names:
    """State names that are unique in the whole machine."""

    def __init__(self, express: bool, nests: bool, numbers: Iterator[int] | None = None) -> None:
        self.express = express
        self.nests = nests
        self._numbers = count(1) if numbers is None else numbers

    def __call__(self) -> str:
        return f"S{next(self._numbers)}"

    def of_express(self) -> _Names:
        """The same, for what an Express execution inside runs."""
        return _Names(True, False, self._numbers)


def _program(dice: Random, names: _Names, depth: int) -> dict[str, Any]:
    line = [(names(), _state(dice, names, depth)) for _ in range(dice.randint(1, 3))]
    end = names()
    line.append((end, {"Type": dice.choice(("Pass", "Succeed"))}))
    states = dict(line)
    for place, (name, state) in enumerate(line[:-1]):
        later = [other for other, _ in line[place + 1 :]]
        _lead_on(dice, names, states, name, state, later)
    if states[end]["Type"] == "Pass":
        states[end]["End"] = True
    return {"StartAt": line[0][0], "States": states}


def _lead_on(
    dice: Random,
    names: _Names,
    states: dict[str, Any],
    name: str,
    state: dict[str, Any],
    later: list[str],
) -> None:
    jsonata = "QueryLanguage" in state
    if state["Type"] == "Choice":
        rule = {"Variable": "$.a", "IsPresent": True}
        fails = {"Variable": "$.id", "StringMatches": "*1"}
        if jsonata:
            rule, fails = {"Condition": "{% $exists($states.input.a) %}"}, {"Condition": _ODD}
        rules: list[dict[str, Any]] = [{**rule, "Next": dice.choice(later)}]
        if dice.random() < 0.3:
            failing = names()
            states[failing] = {"Type": "Fail", "Error": dice.choice(("Custom", "Other"))}
            rules[:0] = [{**fails, "Next": failing}]
        state["Choices"] = rules
        if dice.random() < 0.95 or later[0] != rules[-1]["Next"]:
            state["Default"] = later[0]
    else:
        state["Next"] = later[0]
    if "Retry" in state and dice.random() < 0.7:
        catch = {"ErrorEquals": ["States.ALL"], "Next": later[-1]}
        more: Any = ({}, {"ResultPath": None}, {"ResultPath": "$.a"})
        if jsonata:
            more = ({}, {"Output": "{% $states.input %}"})
        state["Catch"] = [catch | dice.choice(more)]


_ODD = "{% $contains($string($states.input.id), /1$/) %}"


def _state(dice: Random, names: _Names, depth: int) -> dict[str, Any]:
    kinds = ["Pass", "Task", "Task", "Wait", "Choice"] + ["Parallel", "Map", "Map"] * (depth > 0)
    kind = dice.choice(kinds)
    if kind == "Map" and not names.express and dice.random() < 0.6:
        return _failing(dice, _distributed(dice, names, depth))
    return (_jsonata if dice.random() < 0.25 else _jsonpath)(dice, names, depth, kind)


def _jsonpath(dice: Random, names: _Names, depth: int, kind: str) -> dict[str, Any]:
    match kind:
        case "Pass":
            state = {"Type": "Pass", "Parameters": {"x.$": "$$.State.Name"}, "ResultPath": "$.a"}
            return state | dice.choice(({}, {"Assign": {f"v{depth}.$": "$"}}))
        case "Task":
            task = _task(dice, names) | {"ResultPath": dice.choice(("$.a", None))}
            if task["Resource"].startswith(CALLBACK):
                task["Parameters"] = {"token.$": "$$.Task.Token"}
            elif task["Resource"].startswith(_NESTED):
                task["Parameters"] = _child(dice, task, {"id.$": "$$.State.Name"})
            return _failing(dice, task)
        case "Wait":
            return {"Type": "Wait", "Seconds": dice.choice((0, 1, 5, 70))}
        case "Choice":
            return {"Type": "Choice"}
        case "Parallel":
            branches = [_program(dice, names, depth - 1) for _ in range(dice.randint(1, 3))]
            return _failing(dice, {"Type": "Parallel", "Branches": branches, "ResultPath": "$.a"})
        case _:
            inner = _program(dice, names, depth - 1)
            items = {"ItemsPath": "$.items", "ItemProcessor": inner, "ResultPath": "$.a"}
            return _failing(
                dice, {"Type": "Map", "MaxConcurrency": dice.choice((0, 1, 2)), **items}
            )


def _jsonata(dice: Random, names: _Names, depth: int, kind: str) -> dict[str, Any]:
    state: dict[str, Any] = {"Type": kind, "QueryLanguage": "JSONata"}
    assign = dice.choice(({}, {"Assign": {f"v{depth}": "{% $states.input %}"}}))
    match kind:
        case "Pass":
            return state | assign | {"Output": dice.choice((_WITH_NAME, "{% $states.nothing %}"))}
        case "Task":
            task = _task(dice, names)
            given = {"Arguments": "{% $states.input %}", "Output": _WITH_RESULT}
            if task["Resource"].startswith(CALLBACK):
                given["Arguments"] = {"token": "{% $states.context.Task.Token %}"}
            elif task["Resource"].startswith(_NESTED):
                given["Arguments"] = _child(dice, task, {"id": "{% $states.context.State.Name %}"})
            return _failing(dice, task | state | given | assign)
        case "Wait":
            return state | {"Seconds": "{% $random() < 0.5 ? 1 : 5 %}"}
        case "Choice":
            return state
        case "Parallel":
            branches = [_program(dice, names, depth - 1) for _ in range(2)]
            return _failing(dice, state | {"Branches": branches, "Output": _WITH_RESULT})
        case _:
            inner = _program(dice, names, depth - 1)
            items = {"Items": "{% $states.input.items %}", "Output": _WITH_RESULT}
            return _failing(dice, state | items | {"ItemProcessor": inner})


def _distributed(dice: Random, names: _Names, depth: int) -> dict[str, Any]:
    """A Map whose items are the numbers from one, wherever they come from."""
    kind = dice.choice(("STANDARD", "STANDARD", "EXPRESS"))
    inner = _program(dice, names.of_express() if kind == "EXPRESS" else names, depth - 1)
    inner["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": kind}
    state = {
        "Type": "Map",
        "Label": names(),
        "MaxConcurrency": dice.choice((0, 1, 2)),
        "ItemProcessor": inner,
        "ItemSelector": {"id.$": "$$.Map.Item.Value", "items": [1]},
        "ResultPath": "$.a",
    }
    state |= dice.choice(({}, {"ToleratedFailureCount": 1}, {"ToleratedFailurePercentage": 100}))
    state |= dice.choice(({}, {}, {"ItemBatcher": {"MaxItemsPerBatch": 2}}))
    if dice.random() < 0.3:
        place = {"Bucket": "data", "Prefix": "out"}
        state["ResultWriter"] = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": place}
    if dice.random() < 0.5:
        return state | {"ItemsPath": "$.items"}
    action, where, config = dice.choice(_READERS)
    state["ItemReader"] = {
        "Resource": f"arn:aws:states:::s3:{action}",
        "Parameters": {"Bucket": "data", **where},
        "ReaderConfig": config,
    }
    return state


def _child(dice: Random, task: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What a task begins; what would not end by itself has to be given up."""
    waited_for = task["Resource"] != _NESTED
    machine = dice.choice((CHILD, CHILD, FOREVER)) if waited_for else CHILD
    if machine == FOREVER:
        task["TimeoutSeconds"] = dice.choice((5, 40))
    if waited_for and dice.random() < 0.4:
        name = f"{SHARED}{dice.randrange(2)}"
        return {"StateMachineArn": machine, "Name": name, "Input": {"id": name, "items": [1]}}
    return {"StateMachineArn": machine, "Input": {**given, "items": [1]}}


def _task(dice: Random, names: _Names) -> dict[str, Any]:
    if names.nests and dice.random() < 0.2:
        how = dice.choice(("", ".sync", ".sync:2", ".sync:2"))
        limit = dice.choice(({}, {}, {"TimeoutSeconds": 20}))
        return {"Type": "Task", "Resource": _NESTED + how, **limit}
    if not names.express and dice.random() < 0.2:
        return {"Type": "Task", "Resource": f"{CALLBACK}.waitForTaskToken", "TimeoutSeconds": 40}
    if names.express or dice.random() < 0.4:
        return {"Type": "Task", "Resource": dice.choice((*FUNCTIONS, ONCE)), "TimeoutSeconds": 20}
    task = {"Type": "Task", "Resource": ACTIVITY, "TimeoutSeconds": dice.choice((10, 60))}
    return task | dice.choice(({}, {"HeartbeatSeconds": 5}))


def _failing(dice: Random, state: dict[str, Any]) -> dict[str, Any]:
    if dice.random() < 0.6:
        retrier = {
            "ErrorEquals": [dice.choice(_ERRORS)],
            "IntervalSeconds": dice.choice((1, 4)),
            "MaxAttempts": dice.choice((0, 1, 2)),
            "JitterStrategy": dice.choice(("FULL", "NONE")),
        }
        state["Retry"] = [retrier]
    return state
