"""What one leaf of a filter pattern accepts: EventBridge's comparisons, compiled once to closures.

Only the comparison of one scalar lives here; objects, arrays and presence are ``pattern.py``'s. A
builder raises ExpressionError with what is wrong and what would be right; its caller knows where.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

from gateway.asl.errors import ExpressionError

Json: TypeAlias = Any
Accepts: TypeAlias = Callable[[Json], bool]
"""Whether one scalar of the event (string, number, boolean or null) is accepted."""

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LOWER, _UPPER = (">", ">="), ("<", "<=")


def accepting(rule: Json) -> Accepts:
    """Compile one entry of a leaf's list: a plain value or ``{comparison: argument}``."""
    match rule:
        case dict():
            return _comparison(rule, _MATCHERS)
        case list():
            raise ExpressionError(
                "a list within a list accepts nothing; write its values themselves"
            )
        case _:
            return _equals(rule)


def _comparison(rule: dict[str, Json], among: Mapping[str, Callable[[Json], Accepts]]) -> Accepts:
    if len(rule) != 1:
        raise ExpressionError(f"must have exactly one comparison of {', '.join(sorted(among))}")
    ((name, argument),) = rule.items()
    build = among.get(name)
    if build is None:
        raise ExpressionError(f"unknown comparison {name!r}; there are {', '.join(sorted(among))}")
    return build(argument)


def _equals(expected: Json) -> Accepts:
    """Equality of JSON: true is not 1, and 1 is 1.0."""
    if expected is None or isinstance(expected, bool):
        return lambda value: value is expected
    if not isinstance(expected, str | int | float):
        raise ExpressionError(f"{expected!r} is no value of JSON; put it in quotes")
    return lambda value: value == expected and not isinstance(value, bool)


def _text(argument: Json) -> str:
    if not isinstance(argument, str):
        raise ExpressionError(f"must be a text, not {argument!r}; put it in quotes")
    return argument


def _prefix(argument: Json) -> Accepts:
    if isinstance(argument, dict):
        start = _ignoring_case(argument)
        return lambda value: isinstance(value, str) and value.casefold().startswith(start)
    text = _text(argument)
    return lambda value: isinstance(value, str) and value.startswith(text)


def _suffix(argument: Json) -> Accepts:
    if isinstance(argument, dict):
        end = _ignoring_case(argument)
        return lambda value: isinstance(value, str) and value.casefold().endswith(end)
    text = _text(argument)
    return lambda value: isinstance(value, str) and value.endswith(text)


def _ignoring_case(argument: dict[str, Json]) -> str:
    if list(argument) != ["equals-ignore-case"]:
        raise ExpressionError("must be a text or {equals-ignore-case: text}")
    return _text(argument["equals-ignore-case"]).casefold()


def _equals_ignore_case(argument: Json) -> Accepts:
    text = _text(argument).casefold()
    return lambda value: isinstance(value, str) and value.casefold() == text


def _wildcard(argument: Json) -> Accepts:
    r"""``*`` stands for any text; ``\*`` and ``\\`` for themselves.

    The pieces between the stars are looked for from left to right, so the time is linear whatever
    the text holds; a regular expression would backtrack.
    """
    pieces = _pieces(_text(argument))
    if len(pieces) == 1:
        return _equals(pieces[0])
    first, *middle, last = pieces
    shortest = len(first) + len(last)

    def accepts(value: Json) -> bool:
        if not isinstance(value, str) or len(value) < shortest:
            return False
        if not (value.startswith(first) and value.endswith(last)):
            return False
        at, end = len(first), len(value) - len(last)
        for piece in middle:
            found = value.find(piece, at, end)
            if found < 0:
                return False
            at = found + len(piece)
        return True

    return accepts


def _pieces(text: str) -> list[str]:
    """The texts between the stars, unescaped."""
    pieces, characters = [""], iter(text)
    for character in characters:
        if character == "*":
            pieces.append("")
        elif character == "\\":
            escaped = next(characters, "")
            if escaped not in {"*", "\\"} or not escaped:
                raise ExpressionError(r"a backslash stands before * or \ only, as \* and \\")
            pieces[-1] += escaped
        else:
            pieces[-1] += character
    if "" in pieces[1:-1]:
        raise ExpressionError("two stars in a row mean no more than one; write one")
    return pieces


def _numeric(argument: Json) -> Accepts:
    """``[op, number]``, or a range ``[">", low, "<=", high]``."""
    if not isinstance(argument, list) or len(argument) not in {2, 4}:
        raise ExpressionError('must be a list as [">", 0] or [">=", 0, "<", 100]')
    bounds = [_bound(*argument[i : i + 2]) for i in range(0, len(argument), 2)]
    if len(bounds) == 2:
        _check_range(argument)
    return lambda value: (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and all(compare(value, limit) for compare, limit in bounds)
    )


def _bound(name: Json, limit: Json) -> tuple[Callable[[Any, Any], bool], float]:
    if not isinstance(name, str) or name not in _COMPARISONS:
        raise ExpressionError(f"unknown operator {name!r}; there are {', '.join(_COMPARISONS)}")
    if isinstance(limit, bool) or not isinstance(limit, int | float):
        raise ExpressionError(f"{limit!r} is no number to compare with")
    return _COMPARISONS[name], limit


def _check_range(argument: list[Json]) -> None:
    lower, low, upper, high = argument
    if lower not in _LOWER or upper not in _UPPER:
        raise ExpressionError(
            'a range begins with > or >= and goes on with < or <=: [">=", 0, "<", 100]'
        )
    if low >= high:
        raise ExpressionError(f"nothing lies between {low} and {high}; the lower bound comes first")


def _cidr(argument: Json) -> Accepts:
    try:
        network = ip_network(_text(argument), strict=False)
    except ValueError as bad:
        raise ExpressionError(str(bad)) from None

    def accepts(value: Json) -> bool:
        try:
            return isinstance(value, str) and ip_address(value) in network
        except ValueError:
            return False

    return accepts


def _anything_but(argument: Json) -> Accepts:
    """A value is there and is none of these: values, or one comparison with one or more texts."""
    refused = _comparison(argument, _BUT) if isinstance(argument, dict) else _any(_equals)(argument)
    return lambda value: not refused(value)


def _any(build: Callable[[Json], Accepts]) -> Callable[[Json], Accepts]:
    """The same comparison over one argument or a list of them."""

    def either(argument: Json) -> Accepts:
        arguments = argument if isinstance(argument, list) else [argument]
        if not arguments:
            raise ExpressionError("an empty list excludes nothing; leave it out")
        accepts = [build(one) for one in arguments]
        return lambda value: any(one(value) for one in accepts)

    return either


_BUT: Mapping[str, Callable[[Json], Accepts]] = {
    "prefix": _any(_prefix),
    "suffix": _any(_suffix),
    "wildcard": _any(_wildcard),
    "equals-ignore-case": _any(_equals_ignore_case),
}
_MATCHERS: Mapping[str, Callable[[Json], Accepts]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "wildcard": _wildcard,
    "numeric": _numeric,
    "cidr": _cidr,
    "anything-but": _anything_but,
    "equals-ignore-case": _any(_equals_ignore_case),
}
