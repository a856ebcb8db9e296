"""Definition text to StateMachine: one walk that compiles what is right and notes everything that
is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson

from gateway.asl.choice import compile_rule
from gateway.asl.errors import DefinitionError, Diagnostic, ExpressionError
from gateway.asl.fields import SCHEMA, Fields
from gateway.asl.scope import Expression, Json, Scope
from gateway.asl.states.choice import Choice
from gateway.asl.states.map import Map
from gateway.asl.states.parallel import Parallel
from gateway.asl.states.passing import Fail, Pass, Succeed
from gateway.asl.states.state import Catcher, Program, Retrier, State, StateMachine
from gateway.asl.states.task import Task
from gateway.asl.states.wait import Wait, moment_of, parse_timestamp, seconds_after
from gateway.asl.unsupported import only_supported, only_supported_processor

MAX_BYTES: Final = 1_048_576
Common = dict[str, Json]


def parse_definition(text: str) -> StateMachine:
    """Compile a definition. Raises DefinitionError with every diagnostic."""
    fields = Fields(_document(text), "", [])
    only_supported(fields)
    timeout = fields.integer("TimeoutSeconds", 1, 99_999_999)
    try:
        program = _program(fields)
    except RecursionError:
        raise _refusal("The states are nested too deeply") from None
    if fields.diagnostics:
        raise DefinitionError(fields.diagnostics)
    return StateMachine(program.start_at, program.states, timeout)


def _document(text: str) -> dict[str, Json]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _refusal(str(error), "INVALID_JSON_DESCRIPTION") from None
    if not isinstance(document, dict):
        raise _refusal("Expected value of type Object")
    size = len(text.encode())
    if size > MAX_BYTES:
        raise _refusal(f"The definition has {size} bytes of UTF-8; at most {MAX_BYTES} are allowed")
    return document


def _refusal(message: str, code: str = SCHEMA) -> DefinitionError:
    return DefinitionError([Diagnostic(code, "/", message)])


def _program(fields: Fields) -> Program:
    """The states of a machine, branch or iteration, checked as a graph."""
    if not fields.require("States", "StartAt"):
        return Program("", {})
    start_at = fields.string("StartAt") or ""
    states: dict[str, State] = {}
    given = fields.object("States")
    for name, members in (given.members if given else {}).items():
        location = f"{fields.location}/States/{name}"
        if not isinstance(members, dict):
            fields.error("Expected value of type Object", f"States/{name}")
            continue
        if not 1 <= len(name) <= 80:
            fields.error("State names must have 1 to 80 characters", f"States/{name}")
        state = _state(name, Fields(members, location, fields.diagnostics))
        if state is not None:
            states[name] = state
    if given is not None:
        _check_graph(fields, start_at, states, set(given.members))
    return Program(start_at, states)


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


def _state(name: str, fields: Fields) -> State | None:
    if not fields.require("Type"):
        return None
    build = _TYPES.get(str(fields.members["Type"]))
    if build is None:
        types = ", ".join(_TYPES)
        fields.error(f"Unknown state type; expected one of [{types}]", "Type")
        return None
    only_supported(fields)
    before = len(fields.diagnostics)
    state = build(fields, {"name": name})
    return state if len(fields.diagnostics) == before else None


def _flowing(fields: Fields, common: Common) -> Common:
    """InputPath and OutputPath: every type but Fail."""
    return {
        **common,
        "input_path": fields.path("InputPath"),
        "output_path": fields.path("OutputPath"),
    }


def _leading(fields: Fields, common: Common) -> Common:
    """Next or End: every type that goes on."""
    if fields.one_of("Next", "End", required=True) == "End" and not fields.boolean("End"):
        fields.error("'End' must be true", "End")
    return {**_flowing(fields, common), "next": fields.string("Next")}


def _shaping(fields: Fields, common: Common) -> Common:
    """ResultPath: the types that have a result."""
    path, keeps = fields.reference("ResultPath")
    return {**_leading(fields, common), "result_path": path, "keeps_result": keeps}


def _failing(fields: Fields, common: Common) -> Common:
    """ResultSelector, Retry and Catch: the types that can fail."""
    return {
        **_shaping(fields, common),
        "result_selector": fields.template("ResultSelector"),
        "retry": tuple(_retrier(each) for each in fields.objects("Retry")),
        "catch": tuple(_catcher(each) for each in fields.objects("Catch")),
    }


def _error_names(fields: Fields) -> tuple[str, ...]:
    names = fields.typed("ErrorEquals", list, "Array")
    if not fields.require("ErrorEquals") or names is None:
        return ()
    if not names or not all(isinstance(name, str) for name in names):
        fields.error("Expected a non-empty array of error names", "ErrorEquals")
    if "States.ALL" in names and len(names) > 1:
        fields.error("States.ALL must appear alone", "ErrorEquals")
    return tuple(map(str, names))


def _retrier(fields: Fields) -> Retrier:
    errors = _error_names(fields)
    interval = fields.integer("IntervalSeconds", 1, 99_999_999)
    attempts = fields.integer("MaxAttempts", 0, 99_999_999)
    rate = fields.number("BackoffRate", 1)
    delay = fields.integer("MaxDelaySeconds", 1, 31_622_400)
    jitter = fields.string("JitterStrategy")
    if jitter not in (None, "FULL", "NONE"):
        fields.error("Expected one of [FULL, NONE]", "JitterStrategy")
    return Retrier(
        errors,
        1 if interval is None else interval,
        3 if attempts is None else attempts,
        2.0 if rate is None else float(rate),
        delay,
        jitter == "FULL",
    )


def _catcher(fields: Fields) -> Catcher:
    fields.require("Next")
    path, keeps = fields.reference("ResultPath")
    return Catcher(_error_names(fields), fields.string("Next") or "", path, keeps)


def _pass(fields: Fields, common: Common) -> State:
    return Pass(
        **_shaping(fields, common),
        parameters=fields.template("Parameters"),
        result=fields.members.get("Result"),
        has_result="Result" in fields,
    )


def _succeed(fields: Fields, common: Common) -> State:
    return Succeed(**_flowing(fields, common))


def _fail(fields: Fields, common: Common) -> State:
    return Fail(**common, error=_text_of(fields, "Error"), cause=_text_of(fields, "Cause"))


def _text_of(fields: Fields, name: str) -> Expression | None:
    if fields.one_of(name, f"{name}Path") == f"{name}Path":
        return fields.expression(f"{name}Path")
    text = fields.string(name)
    return None if text is None else lambda _scope: text


def _choice(fields: Fields, common: Common) -> State | None:
    rules = []
    if fields.require("Choices") and not fields.typed("Choices", list, "Array"):
        fields.error("Expected a non-empty array of rules", "Choices")
    for each in fields.objects("Choices"):
        try:
            rules.append(compile_rule(each.members, each.location))
        except DefinitionError as error:
            fields.diagnostics.extend(error.diagnostics)
        except ExpressionError as error:
            each.error(str(error))
    return Choice(**_flowing(fields, common), rules=tuple(rules), default=fields.string("Default"))


def _wait(fields: Fields, common: Common) -> State:
    until = _until(fields)
    return Wait(**_leading(fields, common), until=until)


def _until(fields: Fields) -> Callable[[Scope, int], int]:
    forms = ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")
    match fields.one_of(*forms, required=True):
        case "Seconds":
            seconds = fields.integer("Seconds", 0, 99_999_999) or 0
            return lambda _scope, at: at + seconds * 1000
        case "Timestamp":
            moment = parse_timestamp(fields.string("Timestamp"))
            if moment is None:
                fields.error("Expected an RFC 3339 timestamp as 2016-03-14T01:59:00Z", "Timestamp")
            return lambda _scope, _at: moment or 0
        case "SecondsPath":
            path = fields.value_path("SecondsPath")
            return lambda scope, at: seconds_after(path(scope) if path else 0, "SecondsPath", at)
        case _:
            path = fields.value_path("TimestampPath")
            return lambda scope, _at: moment_of(path(scope) if path else "", "TimestampPath")


def _task(fields: Fields, common: Common) -> State:
    fields.require("Resource")
    return Task(
        **_failing(fields, common),
        parameters=fields.template("Parameters"),
        resource=fields.string("Resource") or "",
        timeout=fields.seconds("TimeoutSeconds"),
        heartbeat=fields.seconds("HeartbeatSeconds"),
    )


def _parallel(fields: Fields, common: Common) -> State:
    fields.require("Branches")
    branches = tuple(_program(each) for each in fields.objects("Branches"))
    if "Branches" in fields and not branches:
        fields.error("Expected a non-empty array of branches", "Branches")
    parameters = fields.template("Parameters")
    return Parallel(**_failing(fields, common), parameters=parameters, programs=branches)


def _map(fields: Fields, common: Common) -> State:
    # Iterator and Parameters are the names that ItemProcessor and ItemSelector had before.
    inner = fields.one_of("ItemProcessor", "Iterator", required=True)
    selector = fields.one_of("ItemSelector", "Parameters")
    processor = fields.object(inner) if inner else None
    if processor is not None:
        only_supported_processor(processor)
    return Map(
        **_failing(fields, common),
        programs=() if processor is None else (_program(processor),),
        items_path=fields.value_path("ItemsPath"),
        item_selector=fields.template(selector) if selector else None,
        max_concurrency=fields.count("MaxConcurrency"),
    )


_TYPES: Final[dict[str, Callable[[Fields, Common], State | None]]] = {
    "Pass": _pass,
    "Task": _task,
    "Choice": _choice,
    "Wait": _wait,
    "Succeed": _succeed,
    "Fail": _fail,
    "Parallel": _parallel,
    "Map": _map,
}
