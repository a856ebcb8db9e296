"""Which paths of a definition lead nowhere, whatever it is given: its data is followed along every
way from state to state, as far as it is known.

What is not understood is unknown, and everything may be found there.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.asl import members as known
from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath import Path
from gateway.asl.outline import placed_strings, programs, transitions
from gateway.asl.reference import compile_reference
from gateway.asl.references import expression_paths
from gateway.asl.scope import Json
from gateway.asl.shapes import UNKNOWN, Shape, shape_of
from gateway.asl.template import SUFFIX


class Absence(NamedTuple):
    """A path that leads nowhere."""

    location: str
    path: str
    name: str
    """The first name on it that is never there."""
    where: Shape
    """What does not have it."""


class Stages(NamedTuple):
    """The data of a state on its way through it."""

    given: Shape = UNKNOWN
    """The state's input."""
    chosen: Shape = UNKNOWN
    """After InputPath."""
    inside: Shape = UNKNOWN
    """What a branch or an iteration is given."""
    result: Shape = UNKNOWN
    placed: Shape = UNKNOWN
    """After ResultSelector and ResultPath."""
    output: Shape = UNKNOWN
    """After OutputPath."""


MOST_VISITS: Final = 4
"""How often new data may come to a state before it is no longer followed: in a large knot of loops
that would take long."""
_READ: Final = {
    "InputPath": "given",
    "TimeoutSecondsPath": "given",
    "HeartbeatSecondsPath": "given",
    "Credentials": "given",
    "Parameters": "chosen",
    "ItemSelector": "chosen",
    "ItemsPath": "chosen",
    "MaxConcurrencyPath": "chosen",
    "ToleratedFailureCountPath": "chosen",
    "ToleratedFailurePercentagePath": "chosen",
    "SecondsPath": "chosen",
    "TimestampPath": "chosen",
    "ErrorPath": "chosen",
    "CausePath": "chosen",
    "Choices": "chosen",
    "ResultSelector": "result",
    "Assign": "result",
    "OutputPath": "placed",
}
"""At which stage a member's paths are looked up."""
_UNREAD: Final = {"ItemsPath": "ItemReader"}
"""A member that is passed over beside another."""


def absences(
    program: Json, place: str = "", given: Shape = UNKNOWN, language: Json = None
) -> Iterator[Absence]:
    """Every path of a machine, branch or iteration that leads nowhere, as it is written."""
    states = program.get("States") if isinstance(program, dict) else None
    if not isinstance(states, dict):
        return
    language = language or program.get("QueryLanguage") or "JSONPath"
    found = _followed(states, program.get("StartAt"), given, language)
    for name in states:
        if name in found:
            members, location = states[name], f"{place}/States/{name}"
            if _in_jsonpath(members, language):
                yield from _in_state(members, location, found[name])
            for inner, below in programs(members, location):
                yield from absences(inner, below, found[name].inside, language)


def _in_jsonpath(members: dict[str, Json], language: Json) -> bool:
    return members.get("QueryLanguage", language) == "JSONPath"


# -------------------------------------------------------------------------- the flow of data


def _followed(
    states: dict[str, Json], start: Json, given: Shape, language: Json
) -> dict[str, Stages]:
    """The stages of each state that is reached, over all ways to it."""
    found: dict[str, Stages] = {}
    visits: Counter[str] = Counter()
    coming = deque([(start, given)])
    while coming:
        name, shape = coming.popleft()
        members = states.get(name) if isinstance(name, str) else None
        if not isinstance(members, dict):
            continue
        joined = found[name].given | shape if name in found else shape
        if name not in found or joined != found[name].given:
            visits[name] += 1
            if visits[name] > MOST_VISITS or not _in_jsonpath(members, language):
                found[name] = Stages()
            else:
                found[name] = _stages(members, name, joined)
            coming += _handed_on(members, name, found[name])
    return found


def _handed_on(members: dict[str, Json], name: str, stages: Stages) -> Iterator[tuple[str, Shape]]:
    """To which states a state leads, and with what."""
    for target, holder in transitions(members):
        if "ErrorEquals" not in holder:
            yield target, stages.output
        elif "Output" in holder:
            yield target, UNKNOWN
        else:
            error = shape_of({"Error": "", "Cause": ""}, name, template=False)
            yield target, _placed(holder.get("ResultPath", "$"), name, stages.given, error)


def _stages(members: dict[str, Json], name: str, given: Shape) -> Stages:
    meant = _meant(members)
    chosen = _picked(members, "InputPath", given, name)
    asked = chosen
    if "Parameters" in meant:
        asked = shape_of(meant["Parameters"], name, template=True)
    inside = _item(meant, name) if meant.get("Type") == "Map" else asked
    result = placed = _result(meant, name, asked)
    if "ResultSelector" in meant:
        placed = shape_of(meant["ResultSelector"], name, template=True)
    if "ResultPath" in meant:
        # What is put into itself would grow for ever in a loop.
        value = UNKNOWN if placed is chosen and meant["ResultPath"] != "$" else placed
        placed = _placed(meant["ResultPath"], name, given, value)
    output = _picked(members, "OutputPath", placed, name)
    return Stages(given, chosen, inside, result, placed, output)


def _meant(members: dict[str, Json]) -> dict[str, Json]:
    """The members that are not passed over."""
    allowed = known.of_state(members) or frozenset()
    return {field: value for field, value in members.items() if field in allowed}


def _result(members: dict[str, Json], name: str, asked: Shape) -> Shape:
    """What the state's own work makes."""
    match members.get("Type"):
        case "Pass" if "Result" in members:
            return shape_of(members["Result"], name, template=False)
        case "Parallel" | "Map" if "ResultWriter" not in members:
            return shape_of([], name, template=False)
        case "Pass" | "Choice" | "Wait" | "Succeed":
            return asked
        case _:
            return UNKNOWN


def _item(members: dict[str, Json], name: str) -> Shape:
    """What an iteration of a Map is given."""
    for selector in ("ItemSelector", "Parameters"):
        if selector in members and "ItemBatcher" not in members:
            return shape_of(members[selector], name, template=True)
    return UNKNOWN


def _picked(members: dict[str, Json], field: str, data: Shape, name: str) -> Shape:
    """What InputPath or OutputPath leaves of the data."""
    text = members.get(field, "$")
    if text is None:
        return Shape(makers=frozenset({name}))
    keys = [_keys(path) for path in expression_paths(text)] if isinstance(text, str) else []
    if len(keys) != 1 or keys[0] is None:
        return UNKNOWN
    found, lacking = data.walk(keys[0])
    return found if lacking is None else UNKNOWN


def _placed(path: Json, name: str, given: Shape, value: Shape) -> Shape:
    """What a ResultPath makes of the state's input and its result, or its error."""
    if path is None:
        return given
    try:
        reference = compile_reference(path) if isinstance(path, str) else None
    except ExpressionError:
        reference = None
    return UNKNOWN if reference is None else given.put(reference.keys, value, name)


# ----------------------------------------------------------------------------- the paths


def _in_state(members: dict[str, Json], location: str, stages: Stages) -> Iterator[Absence]:
    meant = _meant(members)
    for field, stage in _READ.items():
        if field in meant and _UNREAD.get(field) not in meant:
            for place, text in _texts(field, meant[field], f"{location}/{field}"):
                for path in expression_paths(text):
                    where, lacking = getattr(stages, stage).walk(_keys(path) or ())
                    if lacking is not None:
                        yield Absence(place, path.text, lacking, where)


def _keys(path: Path) -> tuple[str | int, ...] | None:
    """The names and indices of a path into the state's document; None: it is another path."""
    return None if path.of_context or path.variable is not None else path.keys


def _texts(field: str, value: Json, place: str) -> Iterator[tuple[str, str]]:
    """The paths and intrinsic calls of a member, each with its place."""
    if field == "Choices":
        asked_for = tuple(text for _, text in _compared(value, place, presence=True))
        for where, text in _compared(value, place, presence=False):
            if not text.startswith(asked_for):
                yield where, text
    elif field.endswith("Path"):
        yield from placed_strings(value, place)
    else:
        for where, text in placed_strings(value, place):
            if where.endswith(SUFFIX):
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
