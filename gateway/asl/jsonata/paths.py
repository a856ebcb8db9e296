"""Paths: steps one after the other over sequences of values, with filters, sorting and grouping.

A step that binds variables (``@$v``, ``#$i``) or is asked for by ``%`` makes the path go over
*tuples*: dicts of what is bound, the value itself under ``@``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.asl.jsonata.collections import lookup
from gateway.asl.jsonata.functions import Node
from gateway.asl.jsonata.run import Frame
from gateway.asl.jsonata.values import (
    UNDEFINED,
    Constructed,
    Sequence,
    Value,
    plain,
)
from gateway.asl.jsonpath.compare import is_number

Stage: TypeAlias = Callable[[Value, Frame], Value]
"""What a filter or an index leaves of a step's result."""
SELF = "@"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path."""

    node: Node
    cost: int
    stages: tuple[Stage, ...] = ()
    constructed: bool = False
    """A list in brackets."""
    sorts: bool = False
    """``node`` orders the whole sequence instead of being evaluated for each of its values."""
    focus: str | None = None
    index: str | None = None
    ancestor: str | None = None
    tuples: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """A whole path."""

    steps: tuple[Step, ...]
    absolute: bool
    """It begins with a variable: a list around it is one value."""
    keep: bool
    keep_tuples: bool
    group: Stage | None


def compile_path(path: Path) -> Node:
    """The path as a closure."""
    last = len(path.steps) - 1

    def evaluate(value: Value, frame: Frame) -> Value:
        found: Value = value if isinstance(value, list) and not path.absolute else [value]
        tuples: Value = None
        for number, step in enumerate(path.steps):
            if number == 0 and step.constructed:
                found = _constructed(step.node(found, frame))
            elif tuples is not None or step.tuples:
                tuples = _tuple_step(step, found, tuples, frame)
            else:
                found = _step(step, found, frame, last=number == last)
            if tuples is None and (found is UNDEFINED or not found):
                break
        return _finished(path, found, tuples, frame)

    return evaluate


def _constructed(value: Value) -> Value:
    """What the first step's brackets hand on; a predicate may have left a single value of them.

    JSONata goes over a text's characters then, and finds nothing in what has no length.
    """
    return value if isinstance(value, list | str) else UNDEFINED


def _finished(path: Path, found: Value, tuples: Value, frame: Frame) -> Value:
    if tuples is not None:
        found = tuples if path.keep_tuples else Sequence(each[SELF] for each in tuples)
    if path.keep and found is not UNDEFINED:
        if isinstance(found, Constructed):
            found = Sequence([list(found)])
        if isinstance(found, Sequence):
            found.keep = True
    if path.group is None:
        return found
    return path.group(found if tuples is None else tuples, frame)


def _step(step: Step, values: list[Value], frame: Frame, *, last: bool) -> Value:
    if step.sorts:
        return _staged(step, step.node(values, frame), frame)
    frame.run.spend(step.cost * len(values))
    results = []
    for each in values:
        result = _staged(step, step.node(each, frame), frame)
        if result is not UNDEFINED:
            results.append(result)
    if last and len(results) == 1:
        only = results[0]
        if isinstance(only, list) and not isinstance(only, Sequence):
            return only
    found = Sequence()
    for result in results:
        if isinstance(result, list) and not isinstance(result, Constructed):
            frame.run.spend(len(result))
            found.extend(result)
        else:
            found.append(plain(result))
    return found


def _staged(step: Step, value: Value, frame: Frame) -> Value:
    for stage in step.stages:
        value = stage(value, frame)
    return value


def _tuple_step(step: Step, values: Value, tuples: Value, frame: Frame) -> Sequence:
    result = _tuples()
    if step.sorts:
        ordered = step.node(values if tuples is None else tuples, frame)
        if tuples is not None:
            result.extend(ordered)
        else:
            result.extend({SELF: each, step.index: at} for at, each in enumerate(ordered))
        return _staged_tuples(step, result, frame)
    for binding in [{SELF: each} for each in values] if tuples is None else tuples:
        frame.run.spend(step.cost)
        found = step.node(binding[SELF], frame.inner(dict(binding)))
        if found is not UNDEFINED:
            result.extend(_bindings(step, binding, found))
    frame.run.spend(len(result))
    return _staged_tuples(step, result, frame)


def _staged_tuples(step: Step, tuples: Sequence, frame: Frame) -> Sequence:
    staged: Sequence = _staged(step, tuples, frame)
    return staged


def _tuples() -> Sequence:
    found = Sequence()
    found.tuples = True
    return found


def _bindings(step: Step, binding: dict[str, Value], found: Value) -> list[dict[str, Value]]:
    if isinstance(found, Sequence) and found.tuples:
        return [{**binding, **each} for each in found]
    made = []
    for at, each in enumerate(found if isinstance(found, list) else [found]):
        bound = dict(binding)
        if step.focus is None:
            bound[SELF] = each
        else:
            bound[step.focus] = each
        if step.index is not None:
            bound[step.index] = at
        if step.ancestor is not None:
            bound[step.ancestor] = binding[SELF]
        made.append(bound)
    return made


def compile_name(name: str) -> Node:
    """A member of the value, or of each value in a list."""

    def evaluate(value: Value, frame: Frame) -> Value:
        if value.__class__ is dict:
            return value.get(name, UNDEFINED)
        return lookup(frame.run, value, name) if isinstance(value, list) else UNDEFINED

    return evaluate


def compile_members(first: Node, names: tuple[str, ...], general: Node) -> Node:
    """``$variable.a.b``: straight down objects; as soon as there is a list the ``general`` way."""

    def evaluate(value: Value, frame: Frame) -> Value:
        found = first(value, frame)
        for name in names:
            if found.__class__ is not dict:
                return general(value, frame) if isinstance(found, list) else UNDEFINED
            found = found.get(name, UNDEFINED)
        return found

    return evaluate


def index_stage(name: str) -> Stage:
    """``#$name`` after a filter."""

    def number(tuples: Value, _frame: Frame) -> Value:
        numbered = _tuples()
        numbered.extend({**each, name: at} for at, each in enumerate(tuples))
        return numbered

    return number


def compile_filter(predicate: Node, cost: int) -> Stage:
    """``[predicate]``: of the values those for which it is true, or whose place it is."""

    def select(value: Value, frame: Frame) -> Value:
        values = value if isinstance(value, list) else [] if value is UNDEFINED else [value]
        tuples = isinstance(value, Sequence) and value.tuples
        found = _tuples() if tuples else Sequence()
        frame.run.spend(cost * len(values))
        for at, each in enumerate(values):
            inner = frame.inner(each) if tuples else frame
            if _selects(predicate(each[SELF] if tuples else each, inner), at, len(values), inner):
                found.append(each)
        return found

    return select


def _selects(result: Value, at: int, count: int, frame: Frame) -> bool:
    if is_number(result):
        return _place(result, count) == at
    if isinstance(result, list) and all(map(is_number, result)):
        frame.run.spend(len(result))
        return any(_place(each, count) == at for each in result)
    return frame.run.holds(result)


def compile_index(index: float) -> Stage:
    """``[3]``, ``[-1]``: one place."""

    def select(value: Value, _frame: Frame) -> Value:
        values = value if isinstance(value, list) else [] if value is UNDEFINED else [value]
        at = _place(index, len(values))
        if not 0 <= at < len(values):
            found = Sequence()
        elif isinstance(values[at], list):
            return values[at]
        else:
            found = Sequence([values[at]])
        found.tuples = isinstance(value, Sequence) and value.tuples
        return found

    return select


def _place(index: float, count: int) -> int:
    at = math.floor(index)
    return at if at >= 0 else count + at
