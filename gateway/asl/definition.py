"""Definition text to StateMachine: one walk that compiles what is right and notes everything that
is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import orjson

from gateway.asl.distributed_fields import (
    check_labels,
    distributed_map,
    is_distributed,
    machines_of_maps,
    only_inline,
)
from gateway.asl.documents import no_json
from gateway.asl.errors import DefinitionError, Diagnostic
from gateway.asl.fields import SCHEMA, Fields
from gateway.asl.languages.jsonata import JSONATA
from gateway.asl.languages.jsonpath import JSONPATH
from gateway.asl.languages.language import QueryLanguage
from gateway.asl.resources import pattern
from gateway.asl.scope import Json
from gateway.asl.states.choice import Choice
from gateway.asl.states.map import Map
from gateway.asl.states.parallel import Parallel
from gateway.asl.states.passing import Fail, Pass, Succeed
from gateway.asl.states.state import Catcher, Program, Retrier, State, StateMachine
from gateway.asl.states.task import Task, TokenEntry
from gateway.asl.states.wait import Wait
from gateway.asl.variables import assigned_names
from gateway.json_text import loads

MAX_BYTES: Final = 1_048_576
LANGUAGES: Final[dict[str, QueryLanguage]] = {each.name: each for each in (JSONPATH, JSONATA)}
Common = dict[str, Json]
ALONE: Final = "StateName"
"""What AWS calls a state whose definition stands alone."""


class Place(NamedTuple):
    """Where in a definition a state stands."""

    language: QueryLanguage
    """The state's own, or that of the whole machine."""
    variables: frozenset[str] = frozenset()
    """What is assigned around the program that the state is in."""


def parse_definition(text: str) -> StateMachine:
    """Compile a definition that was accepted before: see ``gateway.asl.validation``. Raises
    DefinitionError with all that does not compile."""
    machine, diagnostics = compile_document(read_definition(text))
    if diagnostics:
        raise DefinitionError(diagnostics)
    return machine


def read_definition(text: str) -> dict[str, Json]:
    """The definition as it is written. Raises DefinitionError: it is no JSON object, too large or
    too deep."""
    try:
        document = loads(text)
    except orjson.JSONDecodeError as error:
        raise refusal(no_json(error), "INVALID_JSON_DESCRIPTION") from None
    if not isinstance(document, dict):
        raise refusal("Expected value of type Object")
    size = len(text.encode())
    if size > MAX_BYTES:
        raise refusal(f"The definition has {size} bytes of UTF-8; at most {MAX_BYTES} are allowed")
    return document


def compile_document(document: dict[str, Json]) -> tuple[StateMachine, list[Diagnostic]]:
    """The machine, and all that does not compile, where harmless stand-ins are in it. Raises
    DefinitionError: it is nested too deeply."""
    fields = Fields(document, "", [])
    timeout = fields.integer("TimeoutSeconds", 1, 99_999_999)
    place = Place(_language(fields) or JSONPATH)
    with not_too_deep():
        program = _program(fields, place)
        check_labels(fields, program)
        maps = machines_of_maps(program)
    # A member that is read twice is wrong once.
    found = list(dict.fromkeys(fields.diagnostics))
    return StateMachine(program.start_at, program.states, timeout, maps), found


def compile_state(document: dict[str, Json]) -> tuple[State | None, list[Diagnostic]]:
    """A state that stands alone, and all that does not compile; that there is what it leads to is
    not asked. Raises DefinitionError: it is nested too deeply."""
    location = f"/States/{ALONE}"
    fields = Fields(document, location, [], location)
    place = Place(JSONPATH)
    with not_too_deep():
        _assigned(place)(fields)
        state = _state(ALONE, fields, place)
    return state, list(dict.fromkeys(fields.diagnostics))


def find_state(program: Program, name: str) -> State | None:
    """The state of that name, which may be in a branch or an iteration."""
    for state in program.states.values():
        if state.name == name:
            return state
        for inner in state.inner:
            if (found := find_state(inner, name)) is not None:
                return found
    return None


@contextmanager
def not_too_deep() -> Iterator[None]:
    """What recurses into a definition. Raises DefinitionError: it is nested too deeply."""
    try:
        yield
    except RecursionError:
        raise refusal("The states are nested too deeply") from None


def refusal(message: str, code: str = SCHEMA) -> DefinitionError:
    """The whole of a definition is wrong."""
    return DefinitionError([Diagnostic(code, "/", message)])


def _language(fields: Fields) -> QueryLanguage | None:
    return LANGUAGES.get(fields.chosen("QueryLanguage", LANGUAGES) or "")


def _program(fields: Fields, place: Place) -> Program:
    """The states of a machine, branch or iteration, checked as a graph."""
    if not fields.require("States", "StartAt"):
        return Program("", {})
    start_at = fields.string("StartAt") or ""
    states: dict[str, State] = {}
    given = fields.object("States")
    named = {} if given is None else _named(fields, given)
    inner = place._replace(variables=place.variables.union(*map(_assigned(place), named.values())))
    for name, members in named.items():
        if not 1 <= len(name) <= 80:
            fields.error("State names must have 1 to 80 characters", f"States/{name}")
        state = _state(name, members, inner)
        if state is not None:
            states[name] = state
    if given is not None:
        _check_graph(fields, start_at, states, set(given.members))
    return Program(start_at, states)


def _named(fields: Fields, given: Fields) -> dict[str, Fields]:
    """The members of each state."""
    named = {}
    for name, members in given.members.items():
        if isinstance(members, dict):
            location = f"{given.location}/{name}"
            named[name] = Fields(members, location, fields.diagnostics, location)
        else:
            fields.error("Expected value of type Object", f"States/{name}")
    return named


def _assigned(place: Place) -> Callable[[Fields], set[str]]:
    """The variables that a state assigns; none may have the name of one around its program."""

    def names(state: Fields) -> set[str]:
        found = set(assigned_names(state))
        for name in sorted(found & place.variables):
            state.error(f"The variable '{name}' is assigned outside of this state, too", "Assign")
        return found

    return names


def targets(state: State) -> list[tuple[str, str]]:
    """Where a state may lead, each with the member that says so."""
    found = [] if state.next is None else [("Next", state.next)]
    found += [(f"Catch[{i}]/Next", catcher.next) for i, catcher in enumerate(state.catch)]
    if isinstance(state, Choice):
        found += [(f"Choices[{i}]/Next", rule.next) for i, rule in enumerate(state.rules)]
        found += [] if state.default is None else [("Default", state.default)]
    return found


def _check_graph(fields: Fields, start_at: str, states: dict[str, State], names: set[str]) -> None:
    if start_at not in names:
        fields.error(
            f"Missing 'StartAt' target: {start_at}", "StartAt", "MISSING_TRANSITION_TARGET"
        )
    named = {start_at}
    for name, state in states.items():
        for member, target in targets(state):
            named.add(target)
            if target not in names:
                message = f"Missing '{member.rpartition('/')[2]}' target: {target}"
                code = "MISSING_TRANSITION_TARGET"
                fields.error(message, f"States/{name}/{member}", code)
    if len(states) == len(names):
        for name in sorted(names - named):
            message = f'State "{name}" is not reachable.'
            fields.error(message, f"States/{name}", "MISSING_TRANSITION_TARGET")


# --------------------------------------------------------------------------- states


def _state(name: str, fields: Fields, place: Place) -> State | None:
    if not fields.require("Type"):
        return None
    kind = fields.chosen("Type", _TYPES)
    if kind is None:
        return None
    before = len(fields.diagnostics)
    language = _state_language(fields, place.language)
    language.refuse_foreign(fields)
    common = {
        "name": name,
        "entry": language.entry(fields, kind),
        "exit": language.exit(fields, kind),
    }
    # The programs inside have the machine's language again.
    state = _TYPES[kind](fields, common, language, place)
    return state if len(fields.diagnostics) == before else None


def _state_language(fields: Fields, machine: QueryLanguage) -> QueryLanguage:
    language = _language(fields) or machine
    if language is not machine and machine is not JSONPATH:
        fields.error(
            f"'QueryLanguage' can not be '{language.name}' if set to '{machine.name}' for whole "
            "state machine"
        )
    return language


def _leading(fields: Fields, common: Common) -> Common:
    """Next or End: every type that goes on."""
    if fields.one_of("Next", "End", required=True) == "End" and not fields.boolean("End"):
        fields.error("'End' must be true", "End")
    return {**common, "next": fields.string("Next")}


def _failing(fields: Fields, common: Common, language: QueryLanguage) -> Common:
    """Retry and Catch: the types that can fail."""
    return {
        **_leading(fields, common),
        "retry": tuple(_retrier(each) for each in fields.objects("Retry")),
        "catch": tuple(_catcher(each, language) for each in fields.objects("Catch")),
    }


def _error_names(fields: Fields) -> tuple[str, ...]:
    fields.require("ErrorEquals")
    names = fields.listed("ErrorEquals")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            fields.error("Expected value of type String", f"ErrorEquals[{index}]")
    if "States.ALL" in names and len(names) > 1:
        fields.error("States.ALL must appear alone", "ErrorEquals")
    return tuple(map(str, names))


def _retrier(fields: Fields) -> Retrier:
    errors = _error_names(fields)
    interval = fields.integer("IntervalSeconds", 1, 99_999_999)
    attempts = fields.integer("MaxAttempts", 0, 99_999_999)
    rate = fields.number("BackoffRate", 1)
    delay = fields.integer("MaxDelaySeconds", 1, 31_622_400)
    jitter = fields.chosen("JitterStrategy", ("FULL", "NONE"))
    return Retrier(
        errors,
        1 if interval is None else interval,
        3 if attempts is None else attempts,
        2.0 if rate is None else float(rate),
        delay,
        jitter == "FULL",
    )


def _catcher(fields: Fields, language: QueryLanguage) -> Catcher:
    fields.require("Next")
    language.refuse_foreign(fields)
    errors = _error_names(fields)
    return Catcher(errors, fields.string("Next") or "", language.catcher(fields))


def _pass(fields: Fields, common: Common, _language: QueryLanguage, _place: Place) -> State:
    return Pass(
        **_leading(fields, common),
        result=fields.members.get("Result"),
        has_result="Result" in fields,
    )


def _succeed(_fields: Fields, common: Common, _language: QueryLanguage, _place: Place) -> State:
    return Succeed(**common)


def _fail(fields: Fields, common: Common, language: QueryLanguage, _place: Place) -> State:
    return Fail(
        **common, error=language.text(fields, "Error"), cause=language.text(fields, "Cause")
    )


def _choice(fields: Fields, common: Common, language: QueryLanguage, _place: Place) -> State:
    fields.require("Choices")
    fields.listed("Choices")
    return Choice(**common, rules=language.rules(fields), default=fields.string("Default"))


def _wait(fields: Fields, common: Common, language: QueryLanguage, _place: Place) -> State:
    return Wait(**_leading(fields, common), until=language.until(fields))


def _task(fields: Fields, common: Common, language: QueryLanguage, _place: Place) -> State:
    fields.require("Resource")
    resource = fields.string("Resource") or ""
    if pattern(resource):
        common = {**common, "entry": TokenEntry(common["entry"])}
    return Task(
        **_failing(fields, common, language),
        resource=resource,
        timeout=language.seconds(fields, "TimeoutSeconds"),
        heartbeat=language.seconds(fields, "HeartbeatSeconds"),
        credentials=language.template(fields, "Credentials"),
    )


def _parallel(fields: Fields, common: Common, language: QueryLanguage, place: Place) -> State:
    fields.require("Branches")
    fields.listed("Branches")
    branches = tuple(_program(each, place) for each in fields.objects("Branches"))
    return Parallel(**_failing(fields, common, language), programs=branches)


def _map(fields: Fields, common: Common, language: QueryLanguage, place: Place) -> State:
    # Iterator is the name that ItemProcessor had before.
    inner = fields.one_of("ItemProcessor", "Iterator", required=True)
    processor = fields.object(inner) if inner else None
    distributed = processor is not None and is_distributed(processor)
    # What a child is given is all that it sees.
    inside = Place(place.language) if distributed else place
    program = Program("", {}) if processor is None else _program(processor, inside)
    members = {
        **_failing(fields, common, language),
        "items": language.items(fields),
        "item_selector": language.item_selector(fields),
    }
    if distributed and processor is not None:
        return distributed_map(fields, processor, program, members, language)
    only_inline(fields, language)
    count = language.count(fields, "MaxConcurrency")
    return Map(**members, programs=(program,), max_concurrency=count)


_Build = Callable[[Fields, Common, QueryLanguage, Place], State]
_TYPES: Final[dict[str, _Build]] = {
    "Task": _task,
    "Wait": _wait,
    "Pass": _pass,
    "Succeed": _succeed,
    "Fail": _fail,
    "Choice": _choice,
    "Parallel": _parallel,
    "Map": _map,
}
