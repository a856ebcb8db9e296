"""JSONata: Arguments → (the state's idea) → Output, with Assign beside it. A query is a string
``{% … %}``, wherever a field takes values; it sees ``$states`` and the variables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.asl import causes
from gateway.asl.choice import ChoiceRule
from gateway.asl.fields import within_tolerance
from gateway.asl.languages.jsonata_template import (
    Field,
    compile_field,
    compile_jsonata_template,
    is_query,
)
from gateway.asl.languages.language import Entry, Exit, Moment, Outcome, QueryLanguage, refuse
from gateway.asl.scope import Expression, Json, Scope
from gateway.asl.timestamp import timestamp_milliseconds

if TYPE_CHECKING:
    from gateway.asl.fields import Fields
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame

_ARGUMENTS: Final = frozenset({"Task", "Parallel"})
_RESULTS: Final = frozenset({"Task", "Parallel", "Map"})
"""Types with ``$states.result``."""
_FOREIGN: Final = (
    "InputPath",
    "Parameters",
    "Result",
    "ResultSelector",
    "ResultPath",
    "OutputPath",
    "Variable",
    "SecondsPath",
    "TimestampPath",
    "TimeoutSecondsPath",
    "HeartbeatSecondsPath",
    "ItemsPath",
    "MaxConcurrencyPath",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentagePath",
    "ErrorPath",
    "CausePath",
)


@dataclass(frozen=True, slots=True)
class JsonataEntry:
    """Arguments."""

    arguments: Expression

    def __call__(self, run: Run, frame: Frame) -> Json:
        """What the task or the branches are given."""
        return self.arguments(run.scope(frame, frame.data))


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonataExit:
    """Output and Assign; without an Output, the value itself goes on."""

    told_as: str | None = None
    """The member of ``$states`` that the value is: result or errorOutput."""
    output: Expression | None = None
    assign: Expression | None = None

    def outcome(self, run: Run, frame: Frame, value: Json) -> Outcome:
        """See ``Exit``."""
        if self.output is None and self.assign is None:
            return Outcome(value, None)
        scope = run.scope(frame, frame.data)
        if self.told_as is not None:
            scope.told = {self.told_as: value}
        assigned = None if self.assign is None else self.assign(scope)
        return Outcome(value if self.output is None else self.output(scope), assigned)


class Jsonata:
    """The newer query language, of the whole machine or of single states."""

    name: Final = "JSONata"

    def refuse_foreign(self, fields: Fields) -> None:
        """The members of JSONPath."""
        refuse(fields, self.name, _FOREIGN)
        if "Arguments" in fields and fields.members.get("Type") not in _ARGUMENTS:
            fields.error("Only Task and Parallel states have Arguments", "Arguments")

    def entry(self, fields: Fields, kind: str) -> Entry | None:
        """Arguments."""
        arguments = _template(fields, "Arguments") if kind in _ARGUMENTS else None
        return None if arguments is None else JsonataEntry(arguments)

    def exit(self, fields: Fields, kind: str) -> Exit:
        """Output and Assign, with the result where there is one."""
        return _exit(fields, "result" if kind in _RESULTS else None)

    def catcher(self, fields: Fields) -> Exit:
        """Output and Assign, with the error output."""
        return _exit(fields, "errorOutput")

    def rules(self, fields: Fields) -> tuple[ChoiceRule, ...]:
        """A Condition for each rule, and its own Output and Assign."""
        rules = []
        for each in fields.objects("Choices"):
            self.refuse_foreign(each)
            each.require("Condition", "Next")
            condition = _value(each, "Condition", "boolean", bool)
            target = each.string("Next") or ""
            if condition is None and "Condition" in each:
                condition = _constant(each.boolean("Condition"))
            rules.append(ChoiceRule(target, condition or _constant(False), _exit(each, None)))
        return tuple(rules)

    def text(self, fields: Fields, name: str) -> Expression | None:
        """A string or a query that gives one."""
        found = _value(fields, name, "string", str)
        if found is not None:
            return found
        text = fields.string(name)
        return None if text is None else _constant(text)

    def seconds(self, fields: Fields, name: str) -> Expression:
        """A constant or a query."""
        found = _number(fields, name, 1, 99_999_999)
        return found or _constant(fields.integer(name, 1, 99_999_999))

    def count(self, fields: Fields, name: str) -> Expression:
        """A constant or a query."""
        found = _number(fields, name, 0, 2**31 - 1)
        return found or _constant(fields.integer(name, 0, 2**31 - 1) or 0)

    def tolerated(self, fields: Fields, name: str, kind: type[int] | type[float]) -> Expression:
        """A constant or a query."""

        def read(value: Json, field: Field) -> Json:
            if kind(value) != value or not within_tolerance(value, kind):
                wanted = "a number of failures" if kind is int else "a percentage"
                raise causes.unexpected_value(field.text, field.location, wanted, value)
            return kind(value)

        found = _value(fields, name, "number", (int, float), read)
        return found or _constant(fields.tolerated(name, kind))

    def payload(self, fields: Fields) -> Expression | None:
        """Arguments."""
        return _template(fields, "Arguments")

    def template(self, fields: Fields, name: str) -> Expression | None:
        """JSON in which strings may be queries."""
        return _template(fields, name)

    def until(self, fields: Fields) -> Moment:
        """Seconds or Timestamp, each a constant or a query."""
        if fields.one_of("Seconds", "Timestamp", required=True) == "Timestamp":
            found = _value(fields, "Timestamp", "string", str, _moment)
            until = found or _constant(fields.timestamp("Timestamp"))
            return lambda scope, _at: until(scope)
        wait = _number(fields, "Seconds", 0, 99_999_999) or _constant(
            fields.integer("Seconds", 0, 99_999_999) or 0
        )
        return lambda scope, at: at + wait(scope) * 1000

    def items(self, fields: Fields) -> Expression:
        """A query, a list that may hold queries, or without Items the input."""
        if "Items" not in fields:
            return _input_list
        found = _value(fields, "Items", "array", list)
        if found is not None:
            return found
        if fields.typed("Items", list, "Array") is None:
            return _input_list
        return _template(fields, "Items") or _input_list

    def item_selector(self, fields: Fields) -> Expression | None:
        """A template in which ``$states.context.Map.Item`` is the item."""
        return _template(fields, "ItemSelector")


JSONATA: Final[QueryLanguage] = Jsonata()


def _constant(value: Json) -> Expression:
    return lambda _scope: value


def _template(fields: Fields, name: str) -> Expression | None:
    if name not in fields:
        return None
    place = fields.place(name)
    compiler = partial(compile_jsonata_template, location=place)
    if fields.members[name] is None:
        return _constant(None)
    return fields.compiled(name, compiler, fields.members[name])


def _exit(fields: Fields, told_as: str | None) -> Exit:
    output, assign = _template(fields, "Output"), _template(fields, "Assign")
    return JsonataExit(told_as=told_as, output=output, assign=assign)


def _value(
    fields: Fields,
    name: str,
    wanted: str,
    kind: type | tuple[type, ...],
    read: Callable[[Json, Field], Json] | None = None,
) -> Expression | None:
    """The query that a field holds, of whose value one type is demanded; None: it holds none."""
    text = fields.members.get(name)
    if not is_query(text):
        return None
    field = fields.compiled(name, partial(compile_field, location=fields.place(name)), text)
    if field is None:
        return _constant(None)

    def evaluate(scope: Scope) -> Json:
        value = field(scope)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise causes.unexpected_type(field.text, field.location, wanted, value)
        return value if read is None else read(value, field)

    return evaluate


def _number(fields: Fields, name: str, low: int, high: int) -> Expression | None:
    def read(value: Json, field: Field) -> int:
        if value != int(value) or not low <= value <= high:
            raise causes.unexpected_value(
                field.text, field.location, f"an integer from {low} to {high}", value
            )
        return int(value)

    return _value(fields, name, "number", (int, float), read)


def _moment(value: Json, field: Field) -> int:
    moment = timestamp_milliseconds(value)
    if moment is None:
        wanted = "an ISO-8601 extended offset date-time format string"
        raise causes.unexpected_value(field.text, field.location, wanted, value)
    return moment


def _input_list(scope: Scope) -> Json:
    if not isinstance(scope.data, list):
        raise causes.input_is_no_list(scope.data)
    return scope.data
