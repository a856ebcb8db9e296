"""JSON in which each string ``{% … %}`` is a JSONata query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gateway.asl import causes
from gateway.asl.errors import ExpressionError
from gateway.asl.jsonata.errors import JsonataError, UndefinedError
from gateway.asl.scope import Expression, Json, Scope

if TYPE_CHECKING:
    from gateway.asl.jsonata.expression import JsonataExpression

_OPENS: Final = "{%"
_CLOSES: Final = "%}"


def is_query(value: Json) -> bool:
    """Whether it is a string that begins as a query does."""
    return isinstance(value, str) and value.startswith(_OPENS)


def query_text(text: str) -> str:
    """What stands between the marks. ExpressionError: the query does not end."""
    if not text.endswith(_CLOSES) or len(text) < len(_OPENS) + len(_CLOSES):
        raise ExpressionError(f"A JSONata expression ends with '{_CLOSES}'")
    return text[len(_OPENS) : -len(_CLOSES)].strip()


def compile_query(text: str) -> JsonataExpression:
    """What stands between the marks, compiled. ExpressionError: it does not parse."""
    # The first one loads all of JSONata, which a daemon without it is spared.
    from gateway.asl.jsonata.expression import compile_jsonata

    return compile_jsonata(text)


@dataclass(frozen=True, slots=True)
class Field:
    """One query and the field that it stands in."""

    text: str
    location: str
    """As EvaluationFailed shows it: ``Output/total``."""
    expression: JsonataExpression

    def __call__(self, scope: Scope) -> Json:
        """Its value. Raises StateError States.QueryEvaluationError."""
        states = {"input": scope.data, **scope.told}
        if self.expression.states is None or "context" in self.expression.states:
            states["context"] = scope.context
        names = {**scope.variables, "states": states}
        try:
            return self.expression.evaluate(names, random=lambda: scope.random, at=scope.at)
        except UndefinedError:
            raise causes.nothing_found(self.text, self.location) from None
        except JsonataError as error:
            raise causes.evaluation_failed(self.text, self.location, error) from None


def compile_field(text: str, location: str) -> Field:
    """The query of a field. ExpressionError: it is none."""
    inside = query_text(text)
    return Field(inside, location, compile_query(inside))


def compile_jsonata_template(value: Json, location: str) -> Expression:
    """What the template makes of a scope; what has no queries in it is shared, not copied.

    ExpressionError: a query that is none.
    """
    try:
        return _compile(value, location) or _constant(value)
    except RecursionError:
        raise ExpressionError("The template is nested too deeply") from None


def _compile(value: Json, location: str) -> Expression | None:
    """None: there is no query in it."""
    match value:
        case str() if is_query(value):
            return compile_field(value, location)
        case dict():
            members = {k: _compile(v, f"{location}/{k}") for k, v in value.items()}
            if not any(members.values()):
                return None
            parts = {k: member or _constant(value[k]) for k, member in members.items()}
            return lambda scope: {k: part(scope) for k, part in parts.items()}
        case list():
            elements = [_compile(each, f"{location}[{i}]") for i, each in enumerate(value)]
            if not any(elements):
                return None
            built = [each or _constant(raw) for each, raw in zip(elements, value, strict=True)]
            return lambda scope: [part(scope) for part in built]
        case _:
            return None


def _constant(value: Json) -> Expression:
    return lambda _scope: value
