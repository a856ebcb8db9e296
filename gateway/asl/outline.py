"""The states of a definition as JSON, compiled or not: what tools look at that do not run it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import orjson

from gateway.asl.scope import Json

_ITERATIONS = ("ItemProcessor", "Iterator")


class Outlined(NamedTuple):
    """One state: where it stands and what is written there."""

    location: str
    """As diagnostics write it: ``/States/P/Branches[0]/States/A``."""
    name: str
    members: dict[str, Json]


def outline(program: Json, location: str = "") -> Iterator[Outlined]:
    """Every state of a machine, branch or iteration and of what is in it, from outside inwards."""
    states = program.get("States") if isinstance(program, dict) else None
    for name, members in (states if isinstance(states, dict) else {}).items():
        if isinstance(members, dict):
            place = f"{location}/States/{name}"
            yield Outlined(place, name, members)
            for inner, below in programs(members, place):
                yield from outline(inner, below)


def programs(members: dict[str, Json], location: str) -> Iterator[tuple[Json, str]]:
    """The branches or the iteration that a state has, each with where it stands. What another type
    has under their names means nothing."""
    kind, branches = members.get("Type"), members.get("Branches")
    if kind == "Parallel" and isinstance(branches, list):
        for index, branch in enumerate(branches):
            yield branch, f"{location}/Branches[{index}]"
    elif kind == "Map":
        for name in _ITERATIONS:
            if name in members:
                yield members[name], f"{location}/{name}"


def transitions(members: Json) -> Iterator[tuple[str, dict[str, Json]]]:
    """The names of the states to which a state may lead, each with the object that says so: the
    state itself, a rule of Choices or an entry of Catch."""
    if not isinstance(members, dict):
        return
    holders = [members]
    for name in ("Catch", "Choices"):
        entries = members.get(name)
        holders += [e for e in entries if isinstance(e, dict)] if isinstance(entries, list) else []
    for holder in holders:
        for name in ("Next", "Default"):
            if isinstance(holder.get(name), str):
                yield holder[name], holder


def placed_strings(value: Json, place: str) -> Iterator[tuple[str, str]]:
    """Every text in a value, each with where it stands."""
    match value:
        case str():
            yield place, value
        case dict():
            for name, below in value.items():
                yield from placed_strings(below, f"{place}/{name}")
        case list():
            for index, below in enumerate(value):
                yield from placed_strings(below, f"{place}[{index}]")
        case _:
            pass


def state_names(text: str) -> set[str]:
    """The names of all states of a definition, which is valid."""
    return {state.name for state in outline(orjson.loads(text))}
