"""Reading the members of a definition: each accessor checks, compiles, and notes what is wrong.

An accessor never raises: it returns what was found or a harmless stand-in, and the finding stands
in ``diagnostics``; so one walk finds every problem.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson

from gateway.asl.errors import Diagnostic, ExpressionError, StateError
from gateway.asl.expression import compile_expression, compile_field_path
from gateway.asl.reference import ReferencePath, compile_reference
from gateway.asl.scope import Expression, Json, Scope
from gateway.asl.template import compile_template

SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"


class Fields:
    """The members of one object of a definition; ``location`` is its JSON pointer."""

    def __init__(
        self, members: dict[str, Json], location: str, diagnostics: list[Diagnostic]
    ) -> None:
        self.members = members
        self.location = location
        self.diagnostics = diagnostics

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def error(self, message: str, field: str = "", code: str = SCHEMA) -> None:
        """Note a problem with the object, or with its member ``field``."""
        location = f"{self.location}/{field}" if field else self.location or "/"
        self.diagnostics.append(Diagnostic(code, location, message))

    def require(self, *names: str) -> bool:
        """Whether all of the members are there."""
        missing = [name for name in names if name not in self.members]
        if missing:
            self.error(f"These fields are required: [{', '.join(missing)}]")
        return not missing

    def one_of(self, *names: str, required: bool = False) -> str | None:
        """Which one of several members that exclude each other is there."""
        present = [name for name in names if name in self.members]
        if len(present) > 1 or (required and not present):
            self.error(f"Exactly one of these fields must be present: [{', '.join(names)}]")
        return present[0] if present else None

    # ------------------------------------------------------------- plain values
    def typed(self, name: str, kind: type | tuple[type, ...], what: str) -> Any:
        """The member if it is of the kind, else None; a boolean is no number."""
        value = self.members.get(name)
        wrong = not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)
        if name in self.members and wrong:
            self.error(f"Expected value of type {what}", name)
            return None
        return value

    def string(self, name: str) -> str | None:
        """A string."""
        value: str | None = self.typed(name, str, "String")
        return value

    def boolean(self, name: str) -> bool:
        """A boolean, False where it is missing."""
        return bool(self.typed(name, bool, "Boolean"))

    def integer(self, name: str, low: int, high: int) -> int | None:
        """An integer between the bounds."""
        value: int | None = self.typed(name, int, "Integer")
        if value is not None and not low <= value <= high:
            self.error(f"Value must be between {low} and {high}", name)
        return value

    def number(self, name: str, low: float) -> float | None:
        """A number not under the bound."""
        value: float | None = self.typed(name, (int, float), "Number")
        if value is not None and value < low:
            self.error(f"Value must be greater than or equal to {low:g}", name)
        return value

    def objects(self, name: str) -> list[Fields]:
        """A list of objects, each as its own Fields."""
        value = self.typed(name, list, "Array") or []
        found = []
        for index, member in enumerate(value):
            location = f"{self.location}/{name}[{index}]"
            if isinstance(member, dict):
                found.append(Fields(member, location, self.diagnostics))
            else:
                self.diagnostics.append(
                    Diagnostic(SCHEMA, location, "Expected value of type Object")
                )
        return found

    def object(self, name: str) -> Fields | None:
        """One object."""
        value = self.typed(name, dict, "Object")
        if value is None:
            return None
        return Fields(value, f"{self.location}/{name}", self.diagnostics)

    # ------------------------------------------------------------- expressions
    def _compiled(self, name: str, compiler: Callable[[Any], Any], value: Json) -> Any:
        try:
            return compiler(value)
        except ExpressionError as error:
            self.error(str(error), name)
            return None

    def path(self, name: str) -> Expression | None:
        """InputPath or OutputPath: ``$`` and a missing one change nothing, null gives ``{}``."""
        if name not in self.members or self.members[name] == "$":
            return None
        if self.members[name] is None:
            return lambda _scope: {}
        return self.value_path(name)

    def value_path(self, name: str) -> Expression | None:
        """A path that is looked up when the state runs."""
        text = self.string(name)
        if text is None:
            return None
        found: Expression | None = self._compiled(name, compile_field_path, text)
        return found

    def expression(self, name: str) -> Expression | None:
        """A path or an intrinsic function."""
        text = self.string(name)
        if text is None:
            return None
        found: Expression | None = self._compiled(
            name, lambda value: compile_expression(value, field=name), text
        )
        return found

    def template(self, name: str) -> Expression | None:
        """A payload template."""
        if name not in self.members:
            return None
        found: Expression | None = self._compiled(name, compile_template, self.members[name])
        return found

    def reference(self, name: str) -> tuple[ReferencePath | None, bool]:
        """ResultPath, and whether there is a result at all (False for null)."""
        if name not in self.members or self.members[name] == "$":
            return None, True
        if self.members[name] is None:
            return None, False
        text = self.string(name)
        return (None if text is None else self._compiled(name, compile_reference, text)), True

    def seconds(self, name: str) -> Callable[[Scope], int | None]:
        """``<name>`` as a constant or ``<name>Path`` as a path to one; None where neither is
        there."""
        if self.one_of(name, f"{name}Path") != f"{name}Path":
            constant = self.integer(name, 1, 99_999_999)
            return lambda _scope: constant
        path = self.value_path(f"{name}Path")
        return lambda scope: path and _positive(path(scope), f"{name}Path")

    def count(self, name: str) -> Callable[[Scope], int]:
        """``<name>`` as a constant or ``<name>Path`` as a path to one; 0 where neither is there."""
        if self.one_of(name, f"{name}Path") != f"{name}Path":
            constant = self.integer(name, 0, 2**31 - 1) or 0
            return lambda _scope: constant
        text, path = self.members[f"{name}Path"], self.value_path(f"{name}Path")
        return lambda scope: _count(path(scope) if path else 0, f"{name}Path", text)


def _positive(value: Json, field: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 99_999_999:
        return value
    raise StateError(
        "States.Runtime",
        f"The {field} parameter does not reference a valid integer: {field} == {value}",
        located=True,
    )


def _count(value: Json, field: str, path: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise StateError(
        "States.Runtime",
        f'The {field} field refers to value "{_shown(value)}" which is not a valid integer: {path}',
        located=True,
    )


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
