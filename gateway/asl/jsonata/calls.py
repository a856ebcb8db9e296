"""Calls as they are written: ``$f(1)``, ``$f(1, ?)``, ``$x ~> $f``."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.functions import Bound, Callee, Chain, Node, TailCall, call
from gateway.asl.jsonata.run import Frame
from gateway.asl.jsonata.table import FUNCTIONS
from gateway.asl.jsonata.values import UNDEFINED, Value


def compile_call(
    procedure: Node, arguments: Sequence[Node], position: int, name: str | None, *, tail: bool
) -> Node:
    """``procedure(arguments)``; ``name`` is what stands there, where a ``$`` may be missing.

    ``tail``: the call is the last thing that a function does, who calls it makes it.
    """

    def evaluate(value: Value, frame: Frame) -> Value:
        function = procedure(value, frame)
        given = [argument(value, frame) for argument in arguments]
        if function is UNDEFINED and name is not None and _is_known(name, frame):
            raise failure("T1005", name, position=position)
        if tail:
            return TailCall(function, given, position)
        try:
            return call(frame.run, function, given, value)
        except JsonataError as error:
            if error.position is None:
                error.position = position
            raise

    return evaluate


def compile_partial(
    procedure: Node, arguments: Sequence[Node], position: int, name: str | None
) -> Node:
    """``procedure(1, ?)``."""

    def evaluate(value: Value, frame: Frame) -> Value:
        function = procedure(value, frame)
        if isinstance(function, Callee):
            return Bound(function, [argument(value, frame) for argument in arguments])
        if name is not None and _is_known(name, frame):
            raise failure("T1007", name, position=position)
        raise failure("T1008", position=position)

    return evaluate


def compile_chain(left: Node, right: Node, position: int) -> Node:
    """``value ~> function``, or of two functions one."""

    def evaluate(value: Value, frame: Frame) -> Value:
        first, function = left(value, frame), right(value, frame)
        if not isinstance(function, Callee):
            raise failure("T2006", position=position)
        if isinstance(first, Callee):
            return Chain(first, function)
        return call(frame.run, function, [first], value)

    return evaluate


def _is_known(name: str, frame: Frame) -> bool:
    return name in FUNCTIONS or frame.lookup(name) is not UNDEFINED
