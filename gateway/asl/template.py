"""Payload templates: JSON in which a member ``name.$`` holds an expression for ``name``."""

from __future__ import annotations

from gateway.asl.errors import ExpressionError
from gateway.asl.expression import compile_expression, invalid_expression
from gateway.asl.scope import Expression, Json, Scope

SUFFIX = ".$"


def compile_template(value: Json) -> Expression:
    """What ``value`` makes of a scope. Whatever has no expressions in it is shared, not copied.

    ExpressionError: a ``name.$`` that holds no expression, or that stands beside a ``name``.
    """
    try:
        expression = _compile(value)
    except RecursionError:
        raise ExpressionError("The template is nested too deeply") from None
    return _constant(value) if expression is None else expression


def _compile(value: Json) -> Expression | None:
    """None: there is no expression in it."""
    match value:
        case dict():
            return _object(value)
        case list():
            return _array(value)
        case _:
            return None


def _object(template: dict[str, Json]) -> Expression | None:
    members: dict[str, Expression] = {}
    dynamic = False
    for key, value in template.items():
        name, expression = _member(key, value)
        if name in members:
            raise ExpressionError(f"The fields '{name}' and '{name}{SUFFIX}' name the same member")
        members[name] = expression or _constant(value)
        dynamic = dynamic or expression is not None
    if not dynamic:
        return None
    return lambda scope: {name: member(scope) for name, member in members.items()}


def _member(key: str, value: Json) -> tuple[str, Expression | None]:
    if not key.endswith(SUFFIX):
        return key, _compile(value)
    if not isinstance(value, str):
        raise ExpressionError(invalid_expression(key), "it is not a string")
    return key.removesuffix(SUFFIX), compile_expression(value, field=key)


def _array(template: list[Json]) -> Expression | None:
    elements = [_compile(each) for each in template]
    if not any(elements):
        return None
    parts = [element or _constant(each) for element, each in zip(elements, template, strict=True)]
    return lambda scope: [part(scope) for part in parts]


def _constant(value: Json) -> Expression:
    def evaluate(_scope: Scope) -> Json:
        return value

    return evaluate
