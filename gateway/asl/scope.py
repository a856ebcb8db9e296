"""What an expression may look at while it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from random import Random
from types import MappingProxyType
from typing import Any, Final, TypeAlias

Json: TypeAlias = Any
"""A JSON document: dict, list, str, int, float, bool or None."""
NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})


class Scope:
    """One evaluation: ``$`` is ``data``, ``$$`` is ``context``, ``$name`` one of ``variables``;
    clock and dice are the stimulus's."""

    def __init__(
        self,
        data: Json,
        make_context: Callable[[], dict[str, Json]],
        make_random: Callable[[], Random],
        variables: Mapping[str, Json] = NOTHING,
        at: int = 0,
    ) -> None:
        self.data = data
        self.variables = variables
        self.at = at
        """Milliseconds since the epoch."""
        self.told: Mapping[str, Json] = NOTHING
        """What ``$states`` has beside input and context: result or errorOutput."""
        self._make_context = make_context
        self._make_random = make_random

    @cached_property
    def context(self) -> dict[str, Json]:
        """The Context Object, built only when an expression asks for it."""
        return self._make_context()

    @cached_property
    def random(self) -> Random:
        """The dice; to seed them costs more than most expressions."""
        return self._make_random()


Expression: TypeAlias = Callable[[Scope], Json]
"""A compiled expression. Raises StateError."""
