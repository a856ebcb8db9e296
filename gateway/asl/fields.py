"""Reading the members of a definition: each accessor checks, compiles, and notes what is wrong.

An accessor never raises: it returns what was found or a harmless stand-in, and the finding stands
in ``diagnostics``; so one walk finds every problem.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Final, TypeVar

from gateway.asl import causes
from gateway.asl.errors import Diagnostic, ExpressionError
from gateway.asl.scope import Json
from gateway.asl.timestamp import timestamp_milliseconds

Compiled = TypeVar("Compiled")
SCHEMA: Final = "SCHEMA_VALIDATION_FAILED"


class Fields:
    """The members of one object of a definition; ``location`` is its JSON pointer, ``state`` that
    of the state that it belongs to."""

    def __init__(
        self,
        members: dict[str, Json],
        location: str,
        diagnostics: list[Diagnostic],
        state: str = "",
    ) -> None:
        self.members = members
        self.state = state
        self.location = location
        self.diagnostics = diagnostics

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def place(self, name: str) -> str:
        """A member as an event of its state names it: ``Output``, ``Catch[0]/Output``."""
        return f"{self.location}/{name}".removeprefix(f"{self.state}/")

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
            number = "Exactly one" if required else "At most one"
            self.error(f"{number} of these fields must be present: [{', '.join(names)}]")
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

    def chosen(self, name: str, allowed: Collection[str]) -> str | None:
        """A string that is one of those allowed, else None."""
        value = self.members.get(name)
        if name not in self.members or (isinstance(value, str) and value in allowed):
            return value
        values = ", ".join(allowed)
        self.error(f"The field '{name}' should have one of these values: [{values}]", name)
        return None

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

    def tolerated(self, name: str, kind: type[int] | type[float]) -> float | None:
        """ToleratedFailureCount (an int) or …Percentage (a float)."""
        kinds, word = (int, "Integer") if kind is int else ((int, float), "Number")
        value: float | None = self.typed(name, kinds, word)
        if value is not None and not within_tolerance(value, kind):
            self.error(str(causes.beyond_tolerance(name, kind).cause), name)
        return value

    def listed(self, name: str) -> list[Json]:
        """A list that is not empty."""
        value: list[Json] | None = self.typed(name, list, "Array")
        if value == []:
            self.error("Value cannot be empty", name)
        return value or []

    def objects(self, name: str) -> list[Fields]:
        """A list of objects, each as its own Fields."""
        value = self.typed(name, list, "Array") or []
        found = []
        for index, member in enumerate(value):
            location = f"{self.location}/{name}[{index}]"
            if isinstance(member, dict):
                found.append(Fields(member, location, self.diagnostics, self.state))
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
        return Fields(value, f"{self.location}/{name}", self.diagnostics, self.state)

    def timestamp(self, name: str) -> int:
        """A constant timestamp, in milliseconds since the epoch."""
        text = self.string(name)
        moment = timestamp_milliseconds(text)
        if text is not None and moment is None:
            self.error("String does not match RFC3339 timestamp", name)
        return moment or 0

    def compiled(
        self, name: str, compiler: Callable[[Any], Compiled], value: Json
    ) -> Compiled | None:
        """What the compiler makes of the member's value; None where it is missing or wrong."""
        if value is None:
            return None
        try:
            return compiler(value)
        except ExpressionError as error:
            self.error(str(error), name)
            return None


def within_tolerance(number: float, kind: type[int] | type[float]) -> bool:
    """Whether a tolerated failure count (an int) or percentage (a float) may be this."""
    return number >= 0 and (kind is int or number <= 100)
