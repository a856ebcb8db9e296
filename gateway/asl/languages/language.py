"""What a query language is: it compiles the fields of a state that hold queries, and knows the
way of data through a state.

A state holds what its language made (an ``Entry`` and an ``Exit``) and never asks which one it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from gateway.asl.scope import Expression, Json, Scope

if TYPE_CHECKING:
    from gateway.asl.choice import ChoiceRule
    from gateway.asl.fields import Fields
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame

Entry: TypeAlias = "Callable[[Run, Frame], Json]"
"""From the document in hand to what the state works on. Raises StateError."""
Moment: TypeAlias = Callable[[Scope, int], int]
"""From when a wait began to when it is over; milliseconds since the epoch. Raises StateError."""


class Outcome(NamedTuple):
    """What a state is left with."""

    output: Json
    assigned: dict[str, Json] | None
    """Variables and their new values; None where nothing is assigned."""


class Exit(Protocol):
    """A way out of a state: the state's own, a choice rule's or a catcher's."""

    def outcome(self, run: Run, frame: Frame, value: Json) -> Outcome:
        """What ``value`` (the result, the error output or, of a state without either, what it
        worked on) becomes. Everything in it sees the variables as they were. Raises StateError."""
        ...


class QueryLanguage(Protocol):
    """Compiles the members of states; each method notes what is wrong and returns a stand-in.

    ``kind`` is the type of the state: which members count depends on it.
    """

    @property
    def name(self) -> str:
        """As QueryLanguage says it."""
        ...

    def refuse_foreign(self, fields: Fields) -> None:
        """Note the members that belong to another query language."""
        ...

    def entry(self, fields: Fields, kind: str) -> Entry | None:
        """The way in; None where it leaves the document as it is."""
        ...

    def exit(self, fields: Fields, kind: str) -> Exit:
        """The way out after success."""
        ...

    def catcher(self, fields: Fields) -> Exit:
        """The way out after an error that one entry of Catch takes."""
        ...

    def rules(self, fields: Fields) -> tuple[ChoiceRule, ...]:
        """The Choices of a Choice state."""
        ...

    def text(self, fields: Fields, name: str) -> Expression | None:
        """Error or Cause: a string."""
        ...

    def seconds(self, fields: Fields, name: str) -> Expression:
        """TimeoutSeconds or HeartbeatSeconds: a positive integer, or None without the member."""
        ...

    def count(self, fields: Fields, name: str) -> Expression:
        """MaxConcurrency or its like: an integer from 0 on, 0 without the member."""
        ...

    def tolerated(self, fields: Fields, name: str, kind: type[int] | type[float]) -> Expression:
        """ToleratedFailureCount (an int) or …Percentage (a float), or None without the member."""
        ...

    def payload(self, fields: Fields) -> Expression | None:
        """What a reader or writer of a Distributed Map is called with."""
        ...

    def template(self, fields: Fields, name: str) -> Expression | None:
        """A document with queries in it; None without the member."""
        ...

    def until(self, fields: Fields) -> Moment:
        """When a Wait is over."""
        ...

    def items(self, fields: Fields) -> Expression:
        """The list that a Map works through."""
        ...

    def item_selector(self, fields: Fields) -> Expression | None:
        """What a Map makes of each item."""
        ...


def refuse(fields: Fields, language: str, names: tuple[str, ...]) -> None:
    """Note the members of these names: the language has no use for them."""
    for name in names:
        if name in fields:
            fields.error(f"The field '{name}' is not allowed with QueryLanguage '{language}'", name)
