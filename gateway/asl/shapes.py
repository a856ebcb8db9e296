"""What is known of a value before anything has run: the members that it can have.

A shape says too much rather than too little, so what is in none is never there. That a member is
missing in one of several values says nothing: the value of two ways has the members of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from typing import Final

from gateway.asl.scope import Json
from gateway.asl.template import SUFFIX

MOST_DEEP: Final = 16
"""Levels of a constant that are looked at."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The members that a value can have; a text, a number or a list has none."""

    members: Mapping[str, Shape] = field(default_factory=dict)
    others: bool = False
    """It may have others, too, and elements."""
    makers: frozenset[str] = frozenset()
    """The states that the value comes from."""

    def walk(self, keys: Sequence[str | int]) -> tuple[Shape, str | None]:
        """What is under the keys; or the last that is there, and the name that it cannot have."""
        here = self
        for key in keys:
            if isinstance(key, int):
                return UNKNOWN, None
            below = here._below(key)
            if below is None:
                return here, key
            here = below
        return here, None

    def put(self, keys: Sequence[str | int], value: Shape, maker: str) -> Shape:
        """The shape after ``ReferencePath.put``; a new element changes no names."""
        if not keys:
            return value
        if isinstance(keys[0], int):
            return self
        makers = frozenset({maker})
        below = self._below(keys[0]) or Shape(makers=makers)
        members = {**self.members, keys[0]: below.put(keys[1:], value, maker)}
        return replace(self, members=members, makers=self.makers | makers)

    def __or__(self, other: Shape) -> Shape:
        """That of a value which is one or the other."""
        if self is other or UNKNOWN in (self, other):
            return self if self is other else UNKNOWN
        members = {}
        for name in {**self.members, **other.members}:
            both = (self._below(name), other._below(name))
            members[name] = reduce(or_, (shape for shape in both if shape is not None))
        return Shape(members, self.others or other.others, self.makers | other.makers)

    def _below(self, name: str) -> Shape | None:
        return self.members.get(name, UNKNOWN if self.others else None)


UNKNOWN: Final = Shape(others=True)
NONE: Final = Shape()


def shape_of(value: Json, maker: str, *, template: bool, deep: int = MOST_DEEP) -> Shape:
    """The shape of a constant, or of what a payload template makes."""
    if deep == 0:
        return UNKNOWN
    makers = frozenset({maker})
    members = {}
    for name, below in value.items() if isinstance(value, dict) else ():
        if template and name.endswith(SUFFIX):
            members[name.removesuffix(SUFFIX)] = UNKNOWN
        else:
            members[name] = shape_of(below, maker, template=template, deep=deep - 1)
    return Shape(members, makers=makers)
