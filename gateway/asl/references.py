"""Which variables the queries of a state name, found in the definition as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.asl.errors import ExpressionError
from gateway.asl.expression import compile_expression
from gateway.asl.intrinsics.syntax import Argument, Call, parse_call
from gateway.asl.jsonpath import Path, compile_path
from gateway.asl.scope import Expression, Json
from gateway.asl.template import SUFFIX, compile_template

_PROGRAMS: Final = frozenset({"Branches", "ItemProcessor", "Iterator"})
"""Members whose states speak for themselves."""


def references(value: Json) -> set[str]:
    """The variables that the queries in a template or in the members of a state name."""
    return set(_in(value))


def compile_free_template(value: Json) -> Expression:
    """A payload template outside of a machine, where there are no variables. ExpressionError: it
    names one, or is wrong."""
    _refuse(references(value))
    return compile_template(value)


def compile_free_expression(text: str, *, field: str) -> Expression:
    """A path or an intrinsic call outside of a machine. ExpressionError: it names a variable, or is
    wrong."""
    _refuse(set(expression_references(text)))
    return compile_expression(text, field=field)


def _refuse(names: set[str]) -> None:
    if names:
        found = ", ".join(f"${name}" for name in sorted(names))
        raise ExpressionError(f"There are no variables here, but it reads {found}")


def _in(value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _in(each)
    elif isinstance(value, dict):
        for key, member in value.items():
            if isinstance(member, str) and (key.endswith((SUFFIX, "Path")) or key == "Variable"):
                yield from expression_references(member)
            elif key not in _PROGRAMS:
                yield from _in(member)


def expression_references(text: str) -> Iterator[str]:
    """The variables that a path or an intrinsic call names; none in a text that is neither."""
    try:
        root = compile_path(text) if text.startswith("$") else parse_call(text)
    except ExpressionError:
        return
    yield from _named(root)


def _named(argument: Argument) -> Iterator[str]:
    if isinstance(argument, Path) and argument.variable is not None:
        yield argument.variable
    elif isinstance(argument, Call):
        for each in argument.arguments:
            yield from _named(each)
