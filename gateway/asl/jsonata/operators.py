"""What stands between two operands, or before one."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from gateway.asl.jsonata.errors import failure
from gateway.asl.jsonata.functions import Node
from gateway.asl.jsonata.run import Frame, Run
from gateway.asl.jsonata.strings import concatenate
from gateway.asl.jsonata.values import (
    UNDEFINED,
    Sequence,
    Value,
    as_number,
    is_integer,
)
from gateway.asl.jsonpath.compare import in_order, is_number, same
from gateway.asl.jsonpath.reading import weight

Operator = Callable[[Run, Value, Value, int], Value]
"""(run, left, right, position) -> value."""


def compile_operator(sign: str, left: Node, right: Node, position: int) -> Node:
    """``left sign right``."""
    if sign == "and":
        return lambda value, frame: (
            frame.run.holds(left(value, frame)) and frame.run.holds(right(value, frame))
        )
    if sign == "or":
        return lambda value, frame: (
            frame.run.holds(left(value, frame)) or frame.run.holds(right(value, frame))
        )
    apply = OPERATORS[sign]

    def evaluate(value: Value, frame: Frame) -> Value:
        return apply(frame.run, left(value, frame), right(value, frame), position)

    return evaluate


def negate(operand: Node, position: int) -> Node:
    """``-operand``."""

    def evaluate(value: Value, frame: Frame) -> Value:
        number = operand(value, frame)
        if number is UNDEFINED:
            return UNDEFINED
        if not is_number(number):
            raise failure("D1002", number, position=position)
        return as_number(-number)

    return evaluate


def _arithmetic(sign: str, compute: Callable[[Any, Any], float]) -> Operator:
    def apply(_run: Run, left: Value, right: Value, position: int) -> Value:
        for operand, code in ((left, "T2001"), (right, "T2002")):
            if operand is not UNDEFINED and not is_number(operand):
                raise failure(code, sign, position=position)
        if left is UNDEFINED or right is UNDEFINED:
            return UNDEFINED
        try:
            return as_number(compute(left, right))
        except (ZeroDivisionError, OverflowError, ValueError):
            raise failure("D1001", math.inf, position=position) from None

    return apply


def _remainder(left: float, right: float) -> float:
    """With the sign of the left side, as in JavaScript."""
    if isinstance(left, int) and isinstance(right, int):
        return int(math.copysign(abs(left) % abs(right), left))
    return math.fmod(left, right)


def _comparison(sign: str, compare: Callable[[Any, Any], bool]) -> Operator:
    def apply(_run: Run, left: Value, right: Value, position: int) -> Value:
        for operand in (left, right):
            if operand is not UNDEFINED and not isinstance(operand, str) and not is_number(operand):
                raise failure("T2010", sign, position=position)
        if left is UNDEFINED or right is UNDEFINED:
            return UNDEFINED
        if isinstance(left, str) != isinstance(right, str):
            raise failure("T2009", left, right, sign, position=position)
        if isinstance(left, str):
            left, right = in_order(left), in_order(right)
        return compare(left, right)

    return apply


def _equality(*, wanted: bool) -> Operator:
    def apply(run: Run, left: Value, right: Value, _position: int) -> Value:
        if left is UNDEFINED or right is UNDEFINED:
            return False
        if isinstance(left, dict | list) and isinstance(right, dict | list):
            # Quick, beside all else that is paid for.
            run.spend(weight(left) // COMPARED)
        return same(left, right) is wanted

    return apply


def _among(run: Run, left: Value, right: Value, _position: int) -> Value:
    if left is UNDEFINED or right is UNDEFINED:
        return False
    values = right if isinstance(right, list) else [right]
    run.spend(len(values))
    return any(same(left, each) for each in values if not isinstance(each, dict | list))


def _range(run: Run, left: Value, right: Value, position: int) -> Value:
    for operand, code in ((left, "T2003"), (right, "T2004")):
        if operand is not UNDEFINED and not is_integer(operand):
            raise failure(code, position=position)
    if left is UNDEFINED or right is UNDEFINED or left > right:
        return UNDEFINED
    size = int(right) - int(left) + 1
    if size > MOST_IN_SEQUENCE:
        raise failure("D2014", size, position=position)
    run.spend(size)
    return Sequence(range(int(left), int(right) + 1))


COMPARED: Final = 8
"""Values inside a list or an object that are compared for one unit of work."""
MOST_IN_SEQUENCE: Final = 10_000_000
"""JSONata's own limit; the work of an evaluation ends earlier."""

OPERATORS: Final[dict[str, Operator]] = {
    "+": _arithmetic("+", operator.add),
    "-": _arithmetic("-", operator.sub),
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", operator.truediv),
    "%": _arithmetic("%", _remainder),
    "<": _comparison("<", operator.lt),
    "<=": _comparison("<=", operator.le),
    ">": _comparison(">", operator.gt),
    ">=": _comparison(">=", operator.ge),
    "=": _equality(wanted=True),
    "!=": _equality(wanted=False),
    "&": lambda run, left, right, _position: concatenate(run, left, right),
    "in": _among,
    "..": _range,
}
