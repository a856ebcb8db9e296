"""The language alone, no store: what a transition costs beside the floor of a bare loop."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from gateway.asl import stimuli
from gateway.asl.advance import advance
from gateway.asl.codec import encode
from gateway.asl.definition import parse_definition
from gateway.asl.execution import Execution
from gateway.asl.frame import Identity
from tests.benchmarks.report import Line

TRANSITIONS: Final = 10
SIZES: Final = (200, 7000)

STATES: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "JSONPath": {
        "Pass": {"Type": "Pass", "Parameters": {"text.$": "$.text", "n.$": "$.n"}},
        "Choice": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 10}]},
        "Assign": {"Type": "Pass", "Assign": {"n.$": "$.n"}},
    },
    "JSONata": {
        "Pass": {
            "Type": "Pass",
            "Output": {"text": "{% $states.input.text %}", "n": "{% $states.input.n %}"},
        },
        "Choice": {"Type": "Choice", "Choices": [{"Condition": "{% $states.input.n < 10 %}"}]},
        "Assign": {"Type": "Pass", "Assign": {"n": "{% $states.input.n %}"}},
    },
}
"""One state of each chain, by its language and what is measured; what follows it is added."""


def language(rounds: int = 1000) -> list[Line]:
    """``advance`` and ``encode`` of each chain, and a loop that only reads and writes its data."""
    lines = []
    for size in SIZES:
        text = orjson.dumps({"text": "x" * size, "n": 1}).decode()
        lines.append(_line(f"a bare loop, {size} B", rounds, lambda text=text: _bare(text)))
        for query_language, states in STATES.items():
            for name, state in states.items():
                machine = parse_definition(orjson.dumps(chain(query_language, state)).decode())
                label = f"a {name} transition in {query_language}, {size} B"
                lines.append(_line(label, rounds, lambda m=machine, text=text: _run(m, text)))
    return lines


def chain(query_language: str, state: dict[str, Any]) -> dict[str, Any]:
    """A machine of ``TRANSITIONS`` states like this one."""
    names = [f"State{number}" for number in range(TRANSITIONS)]
    states: dict[str, Any] = {"End": {"Type": "Succeed"}}
    for name, following in zip(names, [*names[1:], "End"], strict=True):
        if state["Type"] == "Choice":
            rules = [{**rule, "Next": following} for rule in state["Choices"]]
            states[name] = {**state, "Choices": rules, "Default": "End"}
        else:
            states[name] = {**state, "Next": following}
    return {"QueryLanguage": query_language, "StartAt": names[0], "States": states}


def _line(label: str, rounds: int, once: Callable[[], None]) -> Line:
    began = time.perf_counter()
    for _ in range(rounds):
        once()
    each = (time.perf_counter() - began) / rounds / TRANSITIONS
    return Line(label, "language alone", each * 1e6, "µs")


def _bare(text: str) -> None:
    document = orjson.loads(text)
    for _ in range(TRANSITIONS):
        orjson.dumps(document)


def _run(machine: Any, text: str) -> None:
    identity = Identity("arn", "n", "arn:aws:states:::m", "role", 0, text)
    execution = Execution(identity, orjson.loads(text))
    step = advance(machine, execution, stimuli.Start(), 0, os.urandom(16))
    encode(step.records, 0, step.dumps)
