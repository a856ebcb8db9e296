"""Order-by, ``^(a, >b)``, and grouping, ``{key: value}``: what is done to a whole sequence."""

from __future__ import annotations

from typing import Any, TypeAlias

from gateway.asl.jsonata.collections import merge_sort
from gateway.asl.jsonata.errors import failure
from gateway.asl.jsonata.functions import Node
from gateway.asl.jsonata.paths import SELF, Stage
from gateway.asl.jsonata.run import Frame
from gateway.asl.jsonata.values import UNDEFINED, Sequence, Value, plain
from gateway.asl.jsonpath.compare import in_order, is_number

Term: TypeAlias = tuple[Node, bool]
"""What to sort by, and whether the largest comes first."""


def compile_sort(terms: list[Term], cost: int, position: int) -> Node:
    """``^(a, >b)``: a step that orders its sequence; one value alone it hands on as it is."""

    def evaluate(values: Value, frame: Frame) -> Value:
        if len(values) <= 1:
            return values
        tuples = isinstance(values, Sequence) and values.tuples

        def keys(each: Any) -> list[Value]:
            frame.run.spend(cost)
            context, inner = (each[SELF], frame.inner(dict(each))) if tuples else (each, frame)
            return [term(context, inner) for term, _ in terms]

        def after(left: Any, right: Any) -> bool:
            for (_, descending), one, other in zip(terms, left[0], right[0], strict=True):
                order = _order(one, other, position)
                if order:
                    # What is undefined comes last either way.
                    known = one is not UNDEFINED and other is not UNDEFINED
                    return (order < 0) if descending and known else order > 0
            return False

        ordered = merge_sort(frame.run, [(keys(each), each) for each in values], after)
        return [each for _, each in ordered]

    return evaluate


def _order(left: Value, right: Value, position: int) -> int:
    """-1, 0 or 1. T2007, T2008: they cannot be compared."""
    if left is UNDEFINED or right is UNDEFINED:
        return (left is UNDEFINED) - (right is UNDEFINED)
    if not all(isinstance(each, str) or is_number(each) for each in (left, right)):
        raise failure("T2008", position=position)
    if isinstance(left, str) != isinstance(right, str):
        raise failure("T2007", left, right, position=position)
    if isinstance(left, str):
        left, right = in_order(left), in_order(right)
    return int(left > right) - int(left < right)


def compile_grouping(pairs: list[tuple[Node, Node]], cost: int, position: int) -> Stage:
    """``{key: value}``: for each key an evaluation of the value over all that has the key."""

    def evaluate(value: Value, frame: Frame) -> Value:
        tuples = isinstance(value, Sequence) and value.tuples and bool(value)
        values = value if isinstance(value, list) else [value]
        groups: dict[str, tuple[int, list[Any]]] = {}
        frame.run.spend(cost * len(values))
        for each in values or [UNDEFINED]:
            context, inner = (each[SELF], frame.inner(dict(each))) if tuples else (each, frame)
            for number, (key_of, _) in enumerate(pairs):
                key = key_of(context, inner)
                if key is UNDEFINED:
                    continue
                if not isinstance(key, str):
                    raise failure("T1003", key, position=position)
                pair, members = groups.setdefault(key, (number, []))
                if pair != number:
                    raise failure("D1009", key, position=position)
                members.append(each)
        result = {}
        for key, (pair, members) in groups.items():
            found = _evaluated(pairs[pair][1], members, frame, tuples=tuples)
            if found is not UNDEFINED:
                result[key] = plain(found)
        return result

    return evaluate


def _evaluated(node: Node, members: list[Any], frame: Frame, *, tuples: bool) -> Value:
    if not tuples:
        return node(_together(members), frame)
    names: dict[str, list[Any]] = {}
    for member in members:
        for name, value in member.items():
            names.setdefault(name, []).append(value)
    bound = {name: _together(values) for name, values in names.items()}
    return node(bound.pop(SELF), frame.inner(bound))


def _together(values: list[Any]) -> Value:
    """One value is itself, several are a sequence in which lists are flattened."""
    if len(values) == 1:
        return values[0]
    together = Sequence()
    for value in values:
        if isinstance(value, list):
            together.extend(value)
        elif value is not UNDEFINED:
            together.append(value)
    return together
