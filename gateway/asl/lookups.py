"""What the members of a state look up, in either query language, found in the definition as it is
written: paths into its data and variables, each with where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.asl import members as known
from gateway.asl.outline import placed_strings
from gateway.asl.references import PROGRAMS, expression_paths, query_references
from gateway.asl.scope import Json
from gateway.asl.template import SUFFIX


class Lookup(NamedTuple):
    """One path or variable."""

    location: str
    text: str
    stage: str
    """Of ``dataflow.Stages``: which data the path is looked up in."""
    variable: str | None
    """Instead of the data, the variable that the path begins with."""
    keys: tuple[str | int, ...]
    """Names and indices; none for a path that has anything else."""


_STAGES: Final = {
    "InputPath": "given",
    "TimeoutSecondsPath": "given",
    "HeartbeatSecondsPath": "given",
    "Credentials": "given",
    "Parameters": "chosen",
    "ItemSelector": "chosen",
    "ItemsPath": "chosen",
    "ItemReader": "chosen",
    "ItemBatcher": "chosen",
    "ResultWriter": "chosen",
    "MaxConcurrencyPath": "chosen",
    "ToleratedFailureCountPath": "chosen",
    "ToleratedFailurePercentagePath": "chosen",
    "SecondsPath": "chosen",
    "TimestampPath": "chosen",
    "ErrorPath": "chosen",
    "CausePath": "chosen",
    "Choices": "chosen",
    "Catch": "error",
    "ResultSelector": "result",
    "Assign": "result",
    "OutputPath": "placed",
}
"""At which stage the paths of a JSONPath member are looked up."""
_UNREAD: Final = {"ItemsPath": "ItemReader"}
"""A member that is passed over beside another."""


def meant(members: dict[str, Json]) -> dict[str, Json]:
    """The members that are not passed over."""
    allowed = known.of_state(members) or frozenset()
    return {field: value for field, value in members.items() if field in allowed}


def in_jsonpath(members: dict[str, Json], location: str) -> Iterator[Lookup]:
    """The lookups of a state in JSONPath."""
    members = meant(members)
    for field, stage in _STAGES.items():
        if field in members and _UNREAD.get(field) not in members:
            for place, text in _texts(field, members[field], f"{location}/{field}"):
                for path in expression_paths(text):
                    if not path.of_context:
                        yield Lookup(place, path.text, stage, path.variable, path.keys or ())


def in_jsonata(members: dict[str, Json], location: str) -> Iterator[Lookup]:
    """The variables that a state in JSONata reads; a query that asks whether there is one, or that
    binds the name itself somewhere, means no other."""
    for field, value in meant(members).items():
        if field not in PROGRAMS:
            for place, text in placed_strings(value, f"{location}/{field}"):
                for name in sorted(set(query_references(text))):
                    if not re.search(rf"\$exists\(\s*\${name}\b|\${name}\s*:=", text):
                        yield Lookup(place, f"${name}", "", name, ())


def _texts(field: str, value: Json, place: str) -> Iterator[tuple[str, str]]:
    """The paths and intrinsic calls of a member, each with its place."""
    if field.endswith("Path"):
        yield from placed_strings(value, place)
        return
    if field == "Choices":
        asked_for = tuple(text for _, text in _compared(value, place, presence=True))
        for where, text in _compared(value, place, presence=False):
            if not text.startswith(asked_for):
                yield where, text
    for where, text in placed_strings(value, place):
        if where.endswith((SUFFIX, *_LIMITS)):
            yield where, text


def _compared(rules: Json, place: str, *, presence: bool) -> Iterator[tuple[str, str]]:
    """The operands of a Choice's comparisons: of those that ask whether a path leads anywhere, or
    of the others, which fail if it does not."""
    if isinstance(rules, list):
        for index, rule in enumerate(rules):
            yield from _compared(rule, f"{place}[{index}]", presence=presence)
    elif isinstance(rules, dict):
        for name, below in rules.items():
            if name in _JUNCTIONS:
                yield from _compared(below, f"{place}/{name}", presence=presence)
            elif ("IsPresent" in rules) is presence and name.endswith(_OPERANDS):
                yield from placed_strings(below, f"{place}/{name}")


_JUNCTIONS: Final = frozenset({"And", "Not", "Or"})
_OPERANDS: Final = ("Variable", "Path")
_LIMITS: Final = ("/MaxItemsPath", "/MaxItemsPerBatchPath", "/MaxInputBytesPerBatchPath")
"""Paths in ItemReader and ItemBatcher."""
