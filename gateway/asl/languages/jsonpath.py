"""JSONPath: InputPath → Parameters → (the state's idea) → ResultSelector → ResultPath → OutputPath,
with Assign beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.asl import causes
from gateway.asl.choice import ChoiceRule, compile_rule
from gateway.asl.errors import DefinitionError, ExpressionError
from gateway.asl.expression import compile_expression, compile_field_path
from gateway.asl.fields import within_tolerance
from gateway.asl.languages.language import Entry, Exit, Moment, Outcome, QueryLanguage, refuse
from gateway.asl.reference import ReferencePath, compile_reference
from gateway.asl.scope import Expression, Json, Scope
from gateway.asl.template import compile_template
from gateway.asl.timestamp import timestamp_milliseconds

if TYPE_CHECKING:
    from gateway.asl.fields import Fields
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame

_FOREIGN: Final = ("Arguments", "Output", "Items", "Condition")
_PAYLOADS: Final = frozenset({"Pass", "Task", "Parallel"})
"""Types with Parameters; those of a Map are its item selector."""
_RESULTS: Final = frozenset({"Pass", "Task", "Parallel", "Map"})
_SELECTORS: Final = frozenset({"Task", "Parallel", "Map"})


@dataclass(frozen=True, slots=True)
class PathEntry:
    """InputPath, then Parameters."""

    input_path: Expression | None
    parameters: Expression | None

    def __call__(self, run: Run, frame: Frame) -> Json:
        """The effective input."""
        data = frame.data
        if self.input_path is not None:
            data = self.input_path(run.scope(frame, data))
        if self.parameters is not None:
            data = self.parameters(run.scope(frame, data))
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class PathExit:
    """ResultSelector, ResultPath and OutputPath in turn; ``$`` in Assign is the value itself."""

    assign: Expression | None = None
    selector: Expression | None = None
    result_path: ReferencePath | None = None
    keeps_result: bool = True
    """False for ``"ResultPath": null``."""
    output_path: Expression | None = None

    def outcome(self, run: Run, frame: Frame, value: Json) -> Outcome:
        """See ``Exit``."""
        assigned = None if self.assign is None else self.assign(run.scope(frame, value))
        if self.selector is not None:
            value = self.selector(run.scope(frame, value))
        if not self.keeps_result:
            value = frame.data
        elif self.result_path is not None:
            value = self.result_path.put(frame.data, value)
        if self.output_path is not None:
            value = self.output_path(run.scope(frame, value))
        return Outcome(value, assigned)


class JsonPath:
    """The query language that a definition has unless it says otherwise."""

    name: Final = "JSONPath"

    def refuse_foreign(self, fields: Fields) -> None:
        """The members of JSONata."""
        refuse(fields, self.name, _FOREIGN)

    def entry(self, fields: Fields, kind: str) -> Entry | None:
        """InputPath and Parameters."""
        input_path = _path(fields, "InputPath")
        parameters = _template(fields, "Parameters") if kind in _PAYLOADS else None
        if input_path is None and parameters is None:
            return None
        return PathEntry(input_path, parameters)

    def exit(self, fields: Fields, kind: str) -> Exit:
        """ResultSelector, ResultPath, OutputPath and Assign."""
        result_path, keeps = _reference(fields) if kind in _RESULTS else (None, True)
        return PathExit(
            assign=_template(fields, "Assign"),
            selector=_template(fields, "ResultSelector") if kind in _SELECTORS else None,
            result_path=result_path,
            keeps_result=keeps,
            output_path=_path(fields, "OutputPath"),
        )

    def catcher(self, fields: Fields) -> Exit:
        """ResultPath and Assign."""
        result_path, keeps = _reference(fields)
        assign = _template(fields, "Assign")
        return PathExit(assign=assign, result_path=result_path, keeps_result=keeps)

    def rules(self, fields: Fields) -> tuple[ChoiceRule, ...]:
        """Operators on a Variable, each rule with its own Assign."""
        output_path = _path(fields, "OutputPath")
        rules = []
        for each in fields.objects("Choices"):
            self.refuse_foreign(each)
            exit_ = PathExit(assign=_template(each, "Assign"), output_path=output_path)
            try:
                target, condition = compile_rule(each.members, each.location)
                rules.append(ChoiceRule(target, condition, exit_))
            except DefinitionError as error:
                fields.diagnostics.extend(error.diagnostics)
            except ExpressionError as error:
                each.error(str(error))
        return tuple(rules)

    def text(self, fields: Fields, name: str) -> Expression | None:
        """A string, or ``<name>Path`` as a path or an intrinsic function that gives one."""
        field = f"{name}Path"
        if fields.one_of(name, field) == field:
            return _valued(_expression(fields, field), partial(_string, field=field))
        text = fields.string(name)
        return None if text is None else _constant(text)

    def seconds(self, fields: Fields, name: str) -> Expression:
        """A constant, or ``<name>Path`` as a path to one."""
        field = f"{name}Path"
        if fields.one_of(name, field) != field:
            return _constant(fields.integer(name, 1, 99_999_999))
        return _valued(_value_path(fields, field), partial(_positive, field=field))

    def count(self, fields: Fields, name: str) -> Expression:
        """A constant, or ``<name>Path`` as a path to one."""
        field = f"{name}Path"
        if fields.one_of(name, field) != field:
            return _constant(fields.integer(name, 0, 2**31 - 1) or 0)
        read = partial(_count, field=field, path=fields.members[field])
        return _valued(_value_path(fields, field), read)

    def tolerated(self, fields: Fields, name: str, kind: type[int] | type[float]) -> Expression:
        """A constant, or ``<name>Path`` as a path to one; a text that is such a number is one."""
        field = f"{name}Path"
        if fields.one_of(name, field) != field:
            return _constant(fields.tolerated(name, kind))
        read = partial(_tolerated, name=name, kind=kind, path=fields.members[field])
        return _valued(_value_path(fields, field), read)

    def payload(self, fields: Fields) -> Expression | None:
        """Parameters."""
        return _template(fields, "Parameters")

    def template(self, fields: Fields, name: str) -> Expression | None:
        """A payload template."""
        return _template(fields, name)

    def until(self, fields: Fields) -> Moment:
        """Seconds or Timestamp, or a path to one of them."""
        forms = ("Seconds", "Timestamp", "SecondsPath", "TimestampPath")
        match fields.one_of(*forms, required=True):
            case "Seconds":
                seconds = fields.integer("Seconds", 0, 99_999_999) or 0
                return lambda _scope, at: at + seconds * 1000
            case "Timestamp":
                moment = fields.timestamp("Timestamp")
                return lambda _scope, _at: moment
            case "SecondsPath":
                wait = _valued(_wait_path(fields, "SecondsPath"), _wait_seconds)
                return lambda scope, at: at + wait(scope) * 1000
            case _:
                until = _valued(_wait_path(fields, "TimestampPath"), _wait_moment)
                return lambda scope, _at: until(scope)

    def items(self, fields: Fields) -> Expression:
        """What ItemsPath finds in the effective input, or all of it."""
        read = partial(_list, path=fields.members.get("ItemsPath", "$"))
        return _valued(_value_path(fields, "ItemsPath"), read)

    def item_selector(self, fields: Fields) -> Expression | None:
        """ItemSelector, or Parameters as it was called before."""
        name = fields.one_of("ItemSelector", "Parameters")
        return _template(fields, name) if name else None


JSONPATH: Final[QueryLanguage] = JsonPath()


# ------------------------------------------------------------------------- members


def _path(fields: Fields, name: str) -> Expression | None:
    """InputPath or OutputPath: ``$`` and a missing one change nothing, null gives ``{}``."""
    if name not in fields or fields.members[name] == "$":
        return None
    return _constant({}) if fields.members[name] is None else _value_path(fields, name)


def _value_path(fields: Fields, name: str) -> Expression | None:
    """A path that is looked up when the state runs."""
    return fields.compiled(name, compile_field_path, fields.string(name))


def _wait_path(fields: Fields, name: str) -> Expression | None:
    """The same of a Wait, where AWS has words of its own for a path that leads nowhere."""
    compiler = partial(compile_field_path, missing=partial(causes.no_input_value, name))
    return fields.compiled(name, compiler, fields.string(name))


def _expression(fields: Fields, name: str) -> Expression | None:
    """A path or an intrinsic function."""
    return fields.compiled(name, partial(compile_expression, field=name), fields.string(name))


def _template(fields: Fields, name: str) -> Expression | None:
    """A payload template."""
    if name not in fields:
        return None
    return fields.compiled(name, compile_template, fields.members[name])


def _reference(fields: Fields) -> tuple[ReferencePath | None, bool]:
    """ResultPath, and whether there is a result at all (False for null)."""
    if "ResultPath" not in fields or fields.members["ResultPath"] == "$":
        return None, True
    if fields.members["ResultPath"] is None:
        return None, False
    return fields.compiled("ResultPath", compile_reference, fields.string("ResultPath")), True


# -------------------------------------------------------------------------- values


def _constant(value: Json) -> Expression:
    return lambda _scope: value


def _whole(scope: Scope) -> Json:
    return scope.data


def _valued(path: Expression | None, read: Callable[[Json], Json]) -> Expression:
    """What ``read`` makes of what the path finds, or of the whole document without a path."""
    found = path or _whole
    return lambda scope: read(found(scope))


def _integer(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _string(value: Json, field: str) -> str:
    if isinstance(value, str):
        return value
    raise causes.not_a_string(field)


def _positive(value: Json, field: str) -> int:
    if _integer(value) and 0 < value <= 99_999_999:
        return int(value)
    raise causes.not_an_integer(field, value)


def _count(value: Json, field: str, path: str) -> int:
    if isinstance(value, str) and value.isdecimal():
        # AWS takes the digits of a string for a number here.
        return int(value)
    if _integer(value) and value >= 0:
        return int(value)
    raise causes.not_a_count(field, value, path)


def _tolerated(value: Json, name: str, kind: type[int] | type[float], path: str) -> Json:
    try:
        if type(value) not in {str, int, kind}:
            raise ValueError(value)
        number = kind(value)
    except ValueError:
        raise causes.not_a_number(f"{name}Path", value, path, kind) from None
    if not within_tolerance(number, kind):
        raise causes.beyond_tolerance(name, kind)
    return number


def _wait_seconds(value: Json) -> int:
    whole = isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)
    if whole and 0 <= value <= 99_999_999:
        return int(value)
    raise causes.not_seconds(value)


def _wait_moment(value: Json) -> int:
    moment = timestamp_milliseconds(value)
    if moment is None:
        raise causes.not_a_timestamp(value)
    return moment


def _list(value: Json, path: str) -> list[Json]:
    if isinstance(value, list):
        return value
    raise causes.not_a_list(value, path)
