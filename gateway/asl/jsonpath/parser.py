"""Text to segments: jsonpath-ng's parser over Jayway's words, its tree translated node by node."""

from __future__ import annotations

from itertools import chain
from typing import Any

from jsonpath_ng import jsonpath as tree
from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext import filter as filter_tree
from jsonpath_ng.ext.parser import ExtendedJsonPathParser

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath.lexer import CallText, JaywayLexer, NegatedText, QueryText
from gateway.asl.jsonpath.literals import read_literal, span
from gateway.asl.jsonpath.segments import (
    AllOf,
    AnyOf,
    Call,
    Compare,
    Descend,
    Exists,
    Filter,
    Indices,
    Literal,
    Names,
    Not,
    Operand,
    Query,
    Regex,
    Segment,
    Slice,
    Test,
    Wildcard,
)

MOST_NESTED = 20
"""Paths in filters in paths: deeper than anybody writes, so that no recursion ends the daemon."""


class _JaywayParser(ExtendedJsonPathParser):
    """jsonpath-ng's grammar, in which a named operator is any of Jayway's functions."""

    def p_jsonpath_named_operator(self, p: Any) -> None:
        """Jsonpath : NAMED_OPERATOR."""
        p[0] = p[1]


def parse(text: str, depth: int = 0) -> tuple[Segment, ...]:
    """The segments after ``$`` (or ``@``). ExpressionError: what is wrong and where."""
    return tuple(_segments(_tree(text, depth), text, depth))


def _tree(text: str, depth: int) -> Any:
    if depth > MOST_NESTED:
        raise ExpressionError(f"Filters are nested more than {MOST_NESTED} deep in '{text}'")
    try:
        return _JaywayParser(lexer_class=JaywayLexer).parse(text)
    except JSONPathError as error:
        raise ExpressionError(f"'{text}' is not a JSONPath: {error}") from None


def _segments(node: Any, text: str, depth: int) -> list[Segment]:
    """The tree leans to the left, as deep as the path is long: that side is gone down in a loop."""
    found: list[list[Segment]] = []
    while not isinstance(node, tree.Root | tree.This):
        if isinstance(node, tree.Child):
            found.append(_segments(node.right, text, depth))
            node = node.left
        elif isinstance(node, tree.Descendants):
            found.append(_descend(_segments(node.right, text, depth), text))
            node = node.left
        else:
            found.append([_segment(node, text, depth)])
            break
    return list(chain.from_iterable(reversed(found)))


def _descend(below: list[Segment], text: str) -> list[Segment]:
    first, *rest = below
    if isinstance(first, Descend | Call):
        raise ExpressionError(f"'..' needs a name, '*' or brackets after it in '{text}'")
    return [Descend(first), *rest]


def _segment(node: Any, text: str, depth: int) -> Segment:
    match node:
        case tree.Fields():
            return Names(tuple(node.fields))
        case tree.Index():
            return Indices(tuple(node.indices))
        case tree.Slice(start=None, end=None):
            raise ExpressionError(f"A slice has a beginning or an end, [1:] or [:3], in '{text}'")
        case tree.Slice() if node.step is None:
            return Slice(node.start, node.end)
        case tree.Wildcard():
            return Wildcard()
        case filter_tree.Filter():
            return Filter(_all_of(node.expressions, depth))
        case CallText(name, arguments):
            return Call(name, tuple(_arguments(arguments, depth)))
        case _:
            raise ExpressionError(f"'{text}' uses JSONPath that Jayway does not know")


def _arguments(text: str, depth: int) -> list[Literal | Query]:
    found: list[Literal | Query] = []
    while text.strip():
        end = span(text, 0, frozenset(","))
        found.append(_argument(text[:end].strip(), depth))
        text = text[end + 1 :]
    return found


def _argument(text: str, depth: int) -> Literal | Query:
    if text.startswith(("$", "@")):
        return _query(text, depth)
    value, end = read_literal(text, 0)
    if end != len(text):
        raise ExpressionError(f"'{text}' is not a constant")
    return Literal(value)


def _test(node: Any, depth: int) -> Test:
    match node:
        case filter_tree.And():
            return _all_of(node.operands, depth)
        case filter_tree.Or():
            return AnyOf(tuple(_test(each, depth) for each in node.operands))
        case filter_tree.Expression(op=None):
            return _truth(_left(node), depth)
        case filter_tree.Expression(op="!"):
            return Not(_truth(_left(node), depth))
        case _:
            left, right = _operand(_left(node), depth), _operand(node.value, depth)
            return Compare(left, node.op, right)


def _all_of(nodes: list[Any], depth: int) -> Test:
    tests = tuple(_test(each, depth) for each in nodes)
    return tests[0] if len(tests) == 1 else AllOf(tests)


def _left(expression: Any) -> Any:
    """The left operand, which the lexer handed over as the one name of a path."""
    return expression.target.fields[0]


def _truth(operand: Any, depth: int) -> Test:
    """An operand that stands alone: a path that exists, or a negated group."""
    if isinstance(operand, NegatedText):
        group = _tree(f"$[?{operand.text}]", depth + 1).right
        return Not(_all_of(group.expressions, depth + 1))
    query = _operand(operand, depth)
    if not isinstance(query, Query):
        raise ExpressionError("A constant alone is not a condition")
    return Exists(query)


def _operand(operand: Any, depth: int) -> Operand:
    match operand:
        case Literal() | Regex():
            return operand
        case QueryText(text):
            return _query(text, depth)
        case _:
            raise ExpressionError(f"'{operand}' is not an operand")


def _query(text: str, depth: int) -> Query:
    return Query(text.startswith("@"), parse(text, depth + 1))
