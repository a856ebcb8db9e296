"""Functions as values, and how they are called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.run import Frame, Run
from gateway.asl.jsonata.signature import Signature
from gateway.asl.jsonata.values import UNDEFINED, Function, Value

Node: TypeAlias = Callable[[Value, Frame], Value]
"""A compiled expression: (context value, variables) -> value."""

CALL_COST: Final = 15
"""What a call costs beside the nodes that it evaluates."""
CALL_HEIGHT: Final = 4
"""What the call itself, and a built-in function between two calls, add to the depth."""
HOLE: Final[Any] = object()
"""``?`` among the arguments of a partial application."""


class Callee(Function):
    """A function that ``call`` can invoke."""

    arity = 1
    """How many arguments a function that calls this one hands to it."""

    def invoke(self, run: Run, arguments: Sequence[Value], context: Value) -> Value:
        """Its value, or a TailCall in its place."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class TailCall:
    """The call with which a function ends: made after its return, so that it costs no depth."""

    function: Value
    arguments: list[Value]
    position: int | None


@dataclass(frozen=True, slots=True)
class Code:
    """What all closures of one written function share."""

    parameters: tuple[str, ...]
    body: Node
    signature: Signature | None
    cost: int
    """Nodes of the body."""
    height: int
    """Nodes inside nodes of the body."""


class Lambda(Callee):
    """``function($a){...}`` with the variables around it."""

    def __init__(self, code: Code, context: Value, frame: Frame) -> None:
        self._code = code
        self._context = context
        self._frame = frame
        self.arity = len(code.parameters)

    def invoke(self, run: Run, arguments: Sequence[Value], context: Value) -> Value:
        """The body, in a frame with the parameters."""
        code = self._code
        run.spend(code.cost + CALL_COST)
        run.enter(code.height + CALL_HEIGHT)
        if code.signature is not None:
            run.spend(sum(len(each) for each in arguments if isinstance(each, list)))
            arguments = code.signature.validated(arguments, context, "lambda")
        names = dict(zip(code.parameters, arguments, strict=False))
        result = code.body(self._context, self._frame.inner(names))
        run.leave(code.height + CALL_HEIGHT)
        return result


class Native(Callee):
    """A built-in function: ``apply(run, *arguments)``."""

    def __init__(
        self, name: str, signature: str, apply: Callable[..., Value], arity: int | None = None
    ) -> None:
        self.name = name
        self._signature = Signature(signature)
        self._apply = apply
        self.arity = len(self._signature.parameters) if arity is None else arity

    def invoke(self, run: Run, arguments: Sequence[Value], context: Value) -> Value:
        """What it makes of arguments that fit its signature."""
        run.spend(CALL_COST)
        return self._apply(run, *self._signature.validated(arguments, context, self.name))


class Bound(Callee):
    """``$f(1, ?)``: some of the arguments are there already."""

    def __init__(self, function: Function, arguments: list[Value]) -> None:
        self._function = function
        self._arguments = arguments
        self.arity = sum(each is HOLE for each in arguments)

    def invoke(self, run: Run, arguments: Sequence[Value], context: Value) -> Value:
        """The function with its holes filled."""
        run.spend(CALL_COST)
        more = iter(arguments)
        filled = [next(more, UNDEFINED) if each is HOLE else each for each in self._arguments]
        return TailCall(self._function, filled, None)


class Chain(Callee):
    """``$f ~> $g``: one after the other."""

    def __init__(self, first: Function, then: Value) -> None:
        self._first = first
        self._then = then

    def invoke(self, run: Run, arguments: Sequence[Value], context: Value) -> Value:
        """The second one's value of what the first one makes."""
        run.enter(CALL_HEIGHT)
        value = call(run, self._first, arguments)
        run.leave(CALL_HEIGHT)
        return TailCall(self._then, [value], None)


def call(
    run: Run, function: Value, arguments: Sequence[Value], context: Value = UNDEFINED
) -> Value:
    """The value of a function. T1006: it is none."""
    position = None
    try:
        while True:
            if not isinstance(function, Callee):
                raise failure("T1006")
            result = function.invoke(run, arguments, context)
            if result.__class__ is not TailCall:
                return result
            function, arguments, position = result.function, result.arguments, result.position
    except JsonataError as error:
        if error.position is None:
            error.position = position
        raise


def call_with(run: Run, function: Value, *arguments: Value) -> Value:
    """The value of a function that is handed as many of the arguments as it takes, or one."""
    arity = function.arity if isinstance(function, Callee) else 1
    return call(run, function, arguments[: max(1, arity)])
