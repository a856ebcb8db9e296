"""What a string in a definition may be: a path, a context path or an intrinsic call."""

from __future__ import annotations

from collections.abc import Callable

from gateway.asl import causes
from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.intrinsics import compile_intrinsic
from gateway.asl.jsonpath import Path, PathNotFound, compile_path
from gateway.asl.scope import Expression, Json, Scope


def compile_expression(text: str, *, field: str) -> Expression:
    """The expression that ``text``, the value of ``field`` (``name.$``, ``ErrorPath``), is.

    ExpressionError in AWS's words, the reason in ours: neither a path nor an intrinsic call.
    """
    try:
        if text.startswith("$"):
            return _templated(compile_path(text), field)
        return compile_intrinsic(text)
    except ExpressionError as error:
        raise ExpressionError(invalid_expression(field), str(error)) from None


def compile_field_path(text: str, missing: Callable[[str], StateError] | None = None) -> Expression:
    """The path of InputPath, OutputPath, ItemsPath and their like; ``missing`` words that it leads
    nowhere. ExpressionError: it is none."""
    path = compile_path(text)

    def evaluate(scope: Scope) -> Json:
        try:
            return path.read_from(scope)
        except PathNotFound as reason:
            raise missing(text) if missing else causes.invalid_path(text, reason) from None

    return evaluate


def invalid_expression(field: str) -> str:
    """AWS's message about a field whose value cannot be evaluated."""
    allowed = "a valid JSONPath or a valid intrinsic function call"
    return f"The value for the field '{field}' must be {allowed}"


def _templated(path: Path, field: str) -> Expression:
    def evaluate(scope: Scope) -> Json:
        try:
            return path.read_from(scope)
        except PathNotFound:
            raise causes.not_found(path.text, field, scope.data) from None

    return evaluate
