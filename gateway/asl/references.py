"""Which variables the queries of a state name, in either query language, found in the definition as
it is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final

import orjson

from gateway.asl.errors import ExpressionError
from gateway.asl.expression import compile_expression
from gateway.asl.intrinsics.syntax import Argument, Call, parse_call
from gateway.asl.jsonpath import Path, compile_path
from gateway.asl.languages.jsonata_template import compile_query, is_query, query_text
from gateway.asl.outline import outline
from gateway.asl.scope import Expression, Json
from gateway.asl.template import SUFFIX, compile_template
from gateway.asl.variables import RESERVED

MOST_CACHED: Final = 64
"""Definitions whose references are kept."""
PROGRAMS: Final = frozenset({"Branches", "ItemProcessor", "Iterator"})
"""Members whose states speak for themselves."""


@lru_cache(maxsize=MOST_CACHED)
def variable_references(definition: str) -> dict[str, list[str]]:
    """By the names of those states that name any; the definition is one that compiles. To be read
    only."""
    machine = orjson.loads(definition)
    found = {}
    for state in outline(machine):
        language = state.members.get("QueryLanguage", machine.get("QueryLanguage"))
        named = _queried if language == "JSONata" else _in
        found[state.name] = sorted(set(named(state.members)))
    return {name: names for name, names in found.items() if names}


def references(value: Json) -> set[str]:
    """The variables that a template in JSONPath names."""
    return set(_in(value))


def _queried(value: Json) -> Iterator[str]:
    """The same of JSONata: each string in marks is a query."""
    if isinstance(value, list):
        for each in value:
            yield from _queried(each)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key not in PROGRAMS:
                yield from _queried(member)
    else:
        yield from query_references(value)


def query_references(value: Json) -> Iterator[str]:
    """The variables that a JSONata query takes from outside; none in what is no query."""
    if is_query(value):
        # What no field of the state is read from, a Comment, may look like a query and be none.
        with suppress(ExpressionError):
            yield from compile_query(query_text(value)).variables - {RESERVED}


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
            elif key not in PROGRAMS:
                yield from _in(member)


def expression_references(text: str) -> Iterator[str]:
    """The variables that a path or an intrinsic call names; none in a text that is neither."""
    return (path.variable for path in expression_paths(text) if path.variable is not None)


def expression_paths(text: str) -> Iterator[Path]:
    """The path that a text is, or those that an intrinsic call names; none in another text."""
    try:
        root = compile_path(text) if text.startswith("$") else parse_call(text)
    except ExpressionError:
        return
    yield from _paths(root)


def _paths(argument: Argument) -> Iterator[Path]:
    if isinstance(argument, Path):
        yield argument
    elif isinstance(argument, Call):
        for each in argument.arguments:
            yield from _paths(each)
