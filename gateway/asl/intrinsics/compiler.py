"""Calls to closures: arguments are resolved once, only paths and calls are left to evaluate."""

from __future__ import annotations

from gateway.asl import causes
from gateway.asl.errors import ExpressionError
from gateway.asl.intrinsics.arguments import IntrinsicError
from gateway.asl.intrinsics.syntax import Argument, Call, Constant, Text, parse_call
from gateway.asl.intrinsics.table import FUNCTIONS, Function
from gateway.asl.jsonpath import Path, PathNotFound
from gateway.asl.scope import Expression, Json, Scope


def compile_intrinsic(text: str) -> Expression:
    """The call that ``text`` is. ExpressionError: no call, no such function, or a wrong count.

    Evaluated it raises StateError: States.IntrinsicFailure where the function cannot work on what
    it was given, States.Runtime where a path among its arguments leads nowhere.
    """
    return _compile(parse_call(text))


def _compile(call: Call) -> Expression:
    function = FUNCTIONS.get(call.name)
    if function is None:
        known = ", ".join(f"States.{name}" for name in FUNCTIONS)
        raise ExpressionError(f"There is no function States.{call.name}; there are {known}")
    _check_count(call, function)
    arguments = [_argument(each, call) for each in call.arguments]
    if function.template and isinstance(call.arguments[0], Text):
        arguments[0] = _constant(call.arguments[0].pieces)
    apply, dice = function.apply, function.dice

    def evaluate(scope: Scope) -> Json:
        values = [argument(scope) for argument in arguments]
        try:
            return apply(scope.random, *values) if dice else apply(*values)
        except IntrinsicError as error:
            raise causes.function_failed(call.text, error) from None
        except RecursionError:
            raise causes.function_failed(call.text, "An argument is nested too deeply") from None

    return evaluate


def _check_count(call: Call, function: Function) -> None:
    count = len(call.arguments)
    if function.least <= count and (function.most is None or count <= function.most):
        return
    most = "more" if function.most is None else str(function.most)
    wanted = most if most == str(function.least) else f"{function.least} to {most}"
    raise ExpressionError(f"States.{call.name} takes {wanted} arguments, not {count}: {call.text}")


def _argument(argument: Argument, call: Call) -> Expression:
    match argument:
        case Constant(value):
            return _constant(value)
        case Text():
            return _constant(argument.value)
        case Path():
            return _path(argument, call)
        case Call():
            return _compile(argument)


def _constant(value: Json) -> Expression:
    return lambda _scope: value


def _path(path: Path, call: Call) -> Expression:
    def evaluate(scope: Scope) -> Json:
        try:
            return path.read_from(scope)
        except PathNotFound:
            raise causes.argument_not_found(call.text, path.text, scope.data) from None

    return evaluate
