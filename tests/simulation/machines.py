"""State machines by dice: small ones of every state type that wait, fail, retry and catch."""

from __future__ import annotations

from random import Random
from typing import Any

ACTIVITY = "arn:aws:states:us-east-1:123456789012:activity:work"
_ERRORS = ("Custom", "States.ALL", "States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout")


def random_machine(dice: Random) -> dict[str, Any]:
    """A definition that ends when its tasks are handed out, since each of them has its time."""
    limit = dice.choice(({}, {}, {"TimeoutSeconds": dice.choice((30, 300))}))
    return {**_program(dice, _Names(), 2), **limit}


class _Names:
    """State names that are unique in the whole machine."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> str:
        self._last += 1
        return f"S{self._last}"


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
    if state["Type"] == "Choice":
        rules = [{"Variable": "$.a", "IsPresent": True, "Next": dice.choice(later)}]
        if dice.random() < 0.3:
            failing = names()
            states[failing] = {"Type": "Fail", "Error": dice.choice(("Custom", "Other"))}
            rules[:0] = [{"Variable": "$.id", "StringMatches": "*1", "Next": failing}]
        state["Choices"] = rules
        if dice.random() < 0.95 or later[0] != rules[-1]["Next"]:
            state["Default"] = later[0]
    else:
        state["Next"] = later[0]
    if "Retry" in state and dice.random() < 0.7:
        catch = {"ErrorEquals": ["States.ALL"], "Next": later[-1]}
        state["Catch"] = [catch | dice.choice(({}, {"ResultPath": None}, {"ResultPath": "$.a"}))]


def _state(dice: Random, names: _Names, depth: int) -> dict[str, Any]:
    kinds = ["Pass", "Task", "Task", "Wait", "Choice"] + ["Parallel", "Map"] * (depth > 0)
    match dice.choice(kinds):
        case "Pass":
            return {"Type": "Pass", "Parameters": {"x.$": "$$.State.Name"}, "ResultPath": "$.a"}
        case "Task":
            return _failing(dice, _task(dice))
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


def _task(dice: Random) -> dict[str, Any]:
    task = {
        "Type": "Task",
        "Resource": ACTIVITY,
        "TimeoutSeconds": dice.choice((10, 60)),
        "ResultPath": dice.choice(("$.a", None)),
    }
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
