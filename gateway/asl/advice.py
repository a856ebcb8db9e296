"""What is likely to be a mistake in a definition that AWS accepts: found by ``stategate check``.

Advice is always a warning; it refuses nothing. One function for each rule, over the definition as
it is written, so that it speaks beside the diagnostics of a definition that does not compile, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Final, NamedTuple, TypeAlias

from gateway.asl import members as known
from gateway.asl.dataflow import Absence, absences
from gateway.asl.outline import Outlined, outline, placed_strings, programs, transitions
from gateway.asl.resources import ACTIVITY, CALLBACK, family, pattern
from gateway.asl.scope import Json


class Advice(NamedTuple):
    """One warning: where (as a diagnostic says it), and what is wrong with the remedy."""

    location: str
    message: str


Rule: TypeAlias = Callable[[Outlined], Iterator[Advice]]


def advise(document: Json) -> Iterator[Advice]:
    """Every warning about a definition."""
    if not isinstance(document, dict):
        return
    yield from _unknown(document, known.MACHINE, "", "a state machine")
    yield from unreachable(document, "")
    for state in outline(document):
        for rule in _RULES:
            yield from rule(state)
    yield from map(_absent, absences(document))


# ------------------------------------------------------------------------------ members


def unknown_members(state: Outlined) -> Iterator[Advice]:
    """A member that means nothing here is passed over, whatever its author meant by it."""
    allowed = known.of_state(state.members)
    if allowed is not None:
        kind = f"a {state.members['Type']} state"
        yield from _unknown(state.members, allowed, state.location, kind)
    for name, of_entry in (("Retry", known.RETRIER), ("Catch", known.CATCHER)):
        for place, entry in _entries(state, name):
            yield from _unknown(entry, of_entry, place, f"an entry of {name}")
    for program, place in programs(state.members, state.location):
        if isinstance(program, dict):
            yield from _unknown(program, known.PROGRAM, place, "a branch or an iteration")


def _unknown(
    members: dict[str, Json], allowed: frozenset[str], place: str, what: str
) -> Iterator[Advice]:
    for name in members:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=1)
            remedy = f'did you mean "{near[0]}"?' if near else 'take it out, or use "Comment"'
            yield Advice(f"{place}/{name}", f"{what} has no such field: it is ignored; {remedy}")


def _entries(state: Outlined, name: str) -> Iterator[tuple[str, dict[str, Json]]]:
    entries = state.members.get(name)
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield f"{state.location}/{name}[{index}]", entry


# -------------------------------------------------------------------------------- graph


def unreachable_inside(state: Outlined) -> Iterator[Advice]:
    """The same of every branch and iteration."""
    for program, place in programs(state.members, state.location):
        yield from unreachable(program, place)


def unreachable(program: Json, place: str) -> Iterator[Advice]:
    """A state that is named, but only from states that no way leads to."""
    states = program.get("States") if isinstance(program, dict) else None
    start = program.get("StartAt") if isinstance(program, dict) else None
    if not isinstance(states, dict) or not isinstance(start, str) or start not in states:
        return
    reached: set[str] = set()
    coming = [start]
    while coming:
        name = coming.pop()
        if name in states and name not in reached:
            reached.add(name)
            coming += (target for target, _ in transitions(states[name]))
    named = {target for members in states.values() for target, _ in transitions(members)}
    for name in states:
        if name in named - reached:
            message = (
                "no way leads here: it is named only by states that are not reachable "
                "themselves; lead to one of them, or take them out"
            )
            yield Advice(f"{place}/States/{name}", message)


# -------------------------------------------------------------------------------- tasks


def endless_tasks(state: Outlined) -> Iterator[Advice]:
    """A task that waits for a worker or a callback, and for ever if it never comes."""
    resource = state.members.get("Resource")
    if state.members.get("Type") != "Task" or not isinstance(resource, str):
        return
    callback = pattern(resource) == CALLBACK
    if (callback or family(resource) == ACTIVITY) and not _TIMEOUTS & state.members.keys():
        whom = "its callback never comes" if callback else "its worker dies"
        message = (
            f"if {whom}, the task waits until its execution is a year old: "
            "give it TimeoutSeconds or HeartbeatSeconds"
        )
        yield Advice(state.location, message)


_TIMEOUTS: Final = frozenset(
    {"TimeoutSeconds", "TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath"}
)


def lost_tokens(state: Outlined) -> Iterator[Advice]:
    """A callback whose token is not handed on can be answered by nobody."""
    resource = state.members.get("Resource")
    if isinstance(resource, str) and pattern(resource) == CALLBACK:
        given = [state.members.get(name) for name in ("Parameters", "Arguments")]
        if not any("Task.Token" in text for value in given for text in _strings(value)):
            message = "the task token is handed to nobody: put $$.Task.Token into Parameters"
            yield Advice(state.location, message)


def shadowed_catchers(state: Outlined) -> Iterator[Advice]:
    """What stands behind a States.ALL is never asked."""
    for name in ("Retry", "Catch"):
        entries = list(_entries(state, name))
        for place, entry in entries[:-1]:
            if entry.get("ErrorEquals") == ["States.ALL"]:
                message = "States.ALL takes every error: the entries behind it are never used"
                yield Advice(f"{place}/ErrorEquals", message)


# -------------------------------------------------------------------------------- paths


def forgotten_suffixes(state: Outlined) -> Iterator[Advice]:
    """A text in a payload template that looks like a path and is handed on as it is."""
    for name in ("Parameters", "ResultSelector"):
        for place, text in placed_strings(state.members.get(name), f"{state.location}/{name}"):
            if _LIKE_A_PATH.match(text) and not place.endswith(".$"):
                key = place.rpartition("/")[2]
                message = f'the text {text!r} is handed on as it is: did you mean "{key}.$"?'
                yield Advice(place, message)


_LIKE_A_PATH: Final = re.compile(r"\$\$?[.\[]|States\.[A-Z]\w+\(")


def impossible_paths(state: Outlined) -> Iterator[Advice]:
    """A path into the Context Object that nothing is ever found under."""
    for place, text in placed_strings(_own_members(state), state.location):
        found = _CONTEXT.match(text)
        if found and found[1] not in _CONTEXT_MEMBERS:
            near = get_close_matches(found[1], _CONTEXT_MEMBERS, n=1)
            there = f'did you mean "$$.{near[0]}"?' if near else f"there are {_CONTEXT_NAMES}"
            yield Advice(place, f"the Context Object has no {found[1]!r}: it fails here; {there}")


_CONTEXT: Final = re.compile(r"\$\$\.(\w+)")
_CONTEXT_MEMBERS: Final = ("Execution", "Map", "State", "StateMachine", "Task")
_CONTEXT_NAMES: Final = ", ".join(_CONTEXT_MEMBERS)


def _absent(absence: Absence) -> Advice:
    """A path into the state's data or a variable that leads nowhere on any way to the state."""
    makers = " and ".join(map(repr, sorted(absence.where.makers)))
    there = sorted(absence.where.members)
    near = get_close_matches(absence.name, there, n=1)
    if absence.unassigned:
        found = f"those assigned are {', '.join(map(repr, there))}" if there else "none is assigned"
        remedy = f"did you mean {near[0]!r}?" if near else found
        fault = f"no state on any way here assigns the variable {absence.name!r}"
        return Advice(absence.location, f"{absence.path!r} leads nowhere: {fault}; {remedy}")
    found = f"there are {', '.join(map(repr, there))}" if there else "it has no members"
    remedy = f"did you mean {near[0]!r}?" if near else found
    fault = f"what {makers} made has no {absence.name!r}"
    return Advice(absence.location, f"{absence.path!r} leads nowhere: {fault}; {remedy}")


def _own_members(state: Outlined) -> dict[str, Json]:
    """The members that may hold paths; the states inside have theirs."""
    other = {"Branches", "Comment", "ItemProcessor", "Iterator", "Result"}
    return {name: value for name, value in state.members.items() if name not in other}


def _strings(value: Json) -> Iterator[str]:
    return (text for _, text in placed_strings(value, ""))


_RULES: Final[tuple[Rule, ...]] = (
    unknown_members,
    unreachable_inside,
    endless_tasks,
    lost_tokens,
    shadowed_catchers,
    forgotten_suffixes,
    impossible_paths,
)
