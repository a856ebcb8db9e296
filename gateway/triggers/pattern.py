"""EventBridge patterns over a message document, compiled once to closures. Pure.

OR within a leaf's list, AND between keys, ``$or`` between patterns. Where the event has an array,
one element that matches is enough; of an array of objects, one object has to match the whole
pattern below it. As at AWS ``exists`` looks at leaves: an object or an empty array is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from gateway.asl.errors import ExpressionError
from gateway.errors import ConfigError, Problem
from gateway.triggers.accept import Accepts, accepting

Json: TypeAlias = Any
Matches: TypeAlias = Callable[[Json], bool]
"""Whether a document (a JSON object) is one that the pattern describes. Total: it never raises."""


def compile_pattern(pattern: Json, path: str = "") -> Matches:
    """Compile an event pattern, or raise ConfigError with all problems; ``path`` is its place."""
    problems: list[Problem] = []
    matches = _object(pattern, path, problems)
    if problems:
        raise ConfigError(problems)
    return matches


def _object(pattern: Json, path: str, problems: list[Problem]) -> Matches:
    if not isinstance(pattern, dict) or not pattern:
        message = "must be a mapping from members of the event to lists of accepted values"
        problems.append(Problem(path, message))
        return _always
    parts = [_part(key, below, _join(path, key), problems) for key, below in pattern.items()]

    def matches(document: Json) -> bool:
        members = document if isinstance(document, dict) else {}
        return all(part(members) for part in parts)

    return matches


def _part(key: str, below: Json, path: str, problems: list[Problem]) -> Matches:
    if key == "$or":
        return _either(below, path, problems)
    if isinstance(below, dict):
        return _nested(key, _object(below, path, problems))
    return _leaf(key, below, path, problems)


def _either(patterns: Json, path: str, problems: list[Problem]) -> Matches:
    if not isinstance(patterns, list) or not patterns:
        problems.append(Problem(path, "must be a list of patterns, one of which has to match"))
        return _always
    choices = [_object(one, f"{path}[{i}]", problems) for i, one in enumerate(patterns)]
    return lambda members: any(matches(members) for matches in choices)


def _nested(key: str, matches: Matches) -> Matches:
    def nested(members: Json) -> bool:
        below = members.get(key)
        if not isinstance(below, list):
            return matches(below)
        # An empty array has no members; absence below it still counts.
        return any(map(matches, list(_flat(below)) or [None]))

    return nested


def _leaf(key: str, rules: Json, path: str, problems: list[Problem]) -> Matches:
    if not isinstance(rules, list) or not rules:
        problems.append(Problem(path, f"must be a list of accepted values, as [{_shown(rules)}]"))
        return _always
    accepts: list[Accepts] = []
    absence = False
    for i, rule in enumerate(rules):
        try:
            presence = _presence(rule)
            absence = absence or presence is False
            if presence is None:
                accepts.append(accepting(rule))
            elif presence:
                accepts.append(_always)
        except ExpressionError as bad:
            name = next(iter(rule)) if isinstance(rule, dict) and len(rule) == 1 else ""
            problems.append(Problem(_join(f"{path}[{i}]", str(name)), str(bad)))

    def leaf(members: Json) -> bool:
        values = [value for value in _flat(members.get(key, [])) if not isinstance(value, dict)]
        if not values:
            return absence
        return any(accept(value) for value in values for accept in accepts)

    return leaf


def _presence(rule: Json) -> bool | None:
    """What ``{exists: …}`` asks for; None for every other rule."""
    if not isinstance(rule, dict) or list(rule) != ["exists"]:
        return None
    if not isinstance(rule["exists"], bool):
        raise ExpressionError("must be true or false")
    return rule["exists"]


def _flat(value: Json) -> Iterator[Json]:
    """The value itself, or the elements of an array and of the arrays in it."""
    if isinstance(value, list):
        for element in value:
            yield from _flat(element)
    else:
        yield value


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path and key else path or key


def _shown(rules: Json) -> str:
    return str(rules) if isinstance(rules, str | int | float) else "value, …"


def _always(_: Json) -> bool:
    return True
