"""Which paths and variables of a definition lead nowhere, whatever it is given: its data and what
is assigned are followed along every way from state to state, as far as they are known.

What is not understood is unknown, and everything may be found there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.asl.distributed_fields import DISTRIBUTED
from gateway.asl.errors import ExpressionError
from gateway.asl.lookups import in_jsonata, in_jsonpath, meant
from gateway.asl.outline import programs, transitions
from gateway.asl.reference import compile_reference
from gateway.asl.references import expression_paths
from gateway.asl.scope import Json
from gateway.asl.shapes import NONE, UNKNOWN, Shape, shape_of


class Absence(NamedTuple):
    """A path or a variable that leads nowhere."""

    location: str
    path: str
    name: str
    """The first name on it that is never there."""
    where: Shape
    """What does not have it."""
    unassigned: bool = False
    """That is the variables: it names one that no state on any way assigns."""


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
    error: Shape = UNKNOWN
    """The error output that a catcher is given."""
    variables: Shape = UNKNOWN
    """As they were when the state began."""


class Known(NamedTuple):
    """What is known where a state begins."""

    given: Shape
    variables: Shape

    def __or__(self, other: Known) -> Known:
        return Known(self.given | other.given, self.variables | other.variables)


MOST_VISITS: Final = 4
"""How often new data may come to a state before it is no longer followed: in a large knot of loops
that would take long."""


def absences(
    program: Json,
    place: str = "",
    given: Shape = UNKNOWN,
    language: Json = None,
    variables: Shape = NONE,
) -> Iterator[Absence]:
    """Every path of a machine, branch or iteration that leads nowhere, as it is written."""
    states = program.get("States") if isinstance(program, dict) else None
    if not isinstance(states, dict):
        return
    language = language or program.get("QueryLanguage") or "JSONPath"
    found = _followed(states, program.get("StartAt"), Known(given, variables), language)
    for name in states:
        if name in found:
            members, location = states[name], f"{place}/States/{name}"
            yield from _in_state(members, location, found[name], language)
            for inner, below in programs(members, location):
                around = NONE if _distributed(inner) else found[name].variables
                yield from absences(inner, below, found[name].inside, language, around)


def _in_state(
    members: dict[str, Json], location: str, stages: Stages, language: Json
) -> Iterator[Absence]:
    lookups = in_jsonpath if _in_jsonpath(members, language) else in_jsonata
    for each in lookups(members, location):
        if each.variable is None:
            where, lacking = getattr(stages, each.stage).walk(each.keys)
        else:
            where, lacking = stages.variables.walk((each.variable, *each.keys))
        if lacking is not None:
            yield Absence(each.location, each.text, lacking, where, where is stages.variables)


def _in_jsonpath(members: dict[str, Json], language: Json) -> bool:
    return members.get("QueryLanguage", language) == "JSONPath"


def _distributed(program: Json) -> bool:
    """Whether each iteration is an execution of its own, which sees no variables from outside."""
    config = program.get("ProcessorConfig") if isinstance(program, dict) else None
    return isinstance(config, dict) and config.get("Mode") == DISTRIBUTED


# -------------------------------------------------------------------------- the flow of data


def _followed(
    states: dict[str, Json], start: Json, given: Known, language: Json
) -> dict[str, Stages]:
    """The stages of each state that is reached, over all ways to it."""
    found: dict[str, Stages] = {}
    visits: Counter[str] = Counter()
    coming = {start: given} if isinstance(start, str) else {}
    while coming:
        # All that has come to a state by now goes on from it together.
        name = next(iter(coming))
        shapes = coming.pop(name)
        members = states.get(name)
        if not isinstance(members, dict):
            continue
        before = Known(found[name].given, found[name].variables) if name in found else shapes
        joined = shapes | before
        if name not in found or joined != before:
            visits[name] += 1
            if visits[name] > MOST_VISITS:
                found[name] = Stages()
            elif _in_jsonpath(members, language):
                found[name] = _stages(members, name, joined)
            else:
                found[name] = Stages(variables=joined.variables)
            for target, handed in _handed_on(members, name, found[name], language):
                coming[target] = handed | coming.get(target, handed)
    return found


def _handed_on(
    members: dict[str, Json], name: str, stages: Stages, language: Json
) -> Iterator[tuple[str, Known]]:
    """To which states a state leads, and with what."""
    in_jsonpath = _in_jsonpath(members, language)
    for target, holder in transitions(members):
        variables = _assigned(holder.get("Assign"), name, stages.variables, in_jsonpath=in_jsonpath)
        if "ErrorEquals" not in holder:
            yield target, Known(stages.output, variables)
        elif "Output" in holder:
            yield target, Known(UNKNOWN, variables)
        else:
            data = _placed(holder.get("ResultPath", "$"), name, stages.given, stages.error)
            yield target, Known(data, variables)


def _assigned(assign: Json, name: str, variables: Shape, *, in_jsonpath: bool) -> Shape:
    """The variables after a state has assigned some."""
    if not isinstance(assign, dict):
        return variables
    made = shape_of(assign, name, template=True)
    for variable, value in made.members.items():
        variables = variables.put((variable,), value if in_jsonpath else UNKNOWN, name)
    return variables


def _stages(members: dict[str, Json], name: str, known: Known) -> Stages:
    members, given = meant(members), known.given
    chosen = _picked(members, "InputPath", given, name)
    asked = chosen
    if "Parameters" in members:
        asked = shape_of(members["Parameters"], name, template=True)
    inside = _item(members, name) if members.get("Type") == "Map" else asked
    result = placed = _result(members, name, asked)
    if "ResultSelector" in members:
        placed = shape_of(members["ResultSelector"], name, template=True)
    if "ResultPath" in members:
        # What is put into itself would grow for ever in a loop.
        value = UNKNOWN if placed is chosen and members["ResultPath"] != "$" else placed
        placed = _placed(members["ResultPath"], name, given, value)
    output = _picked(members, "OutputPath", placed, name)
    error = shape_of({"Error": "", "Cause": ""}, name, template=False)
    return Stages(given, chosen, inside, result, placed, output, error, known.variables)


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
    paths = list(expression_paths(text)) if isinstance(text, str) else []
    if len(paths) != 1 or paths[0].of_context or paths[0].variable or paths[0].keys is None:
        return UNKNOWN
    found, lacking = data.walk(paths[0].keys)
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
