"""The parts of a parsed path. Data alone: what they mean is in ``selectors`` and ``filters``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gateway.asl.scope import Json


@dataclass(frozen=True, slots=True)
class Names:
    """``.a``, ``['a']`` or ``['a','b']``."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Indices:
    """``[0]``, ``[-1]`` or ``[0,1]``."""

    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """``[1:5]``; either side may be missing."""

    start: int | None
    stop: int | None


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``.*`` or ``[*]``."""


@dataclass(frozen=True, slots=True)
class Filter:
    """``[?(...)]``."""

    test: Test


@dataclass(frozen=True, slots=True)
class Descend:
    """``..`` and what stands behind it."""

    to: Names | Indices | Slice | Wildcard | Filter


@dataclass(frozen=True, slots=True)
class Call:
    """``.length()``: a function over what the path found so far."""

    name: str
    arguments: tuple[Literal | Query, ...] = ()


Segment: TypeAlias = Names | Indices | Slice | Wildcard | Filter | Descend | Call


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant in a filter or among a function's arguments."""

    value: Json


@dataclass(frozen=True, slots=True)
class Regex:
    """``/pattern/flags``: the right side of ``=~``."""

    pattern: str
    flags: str


@dataclass(frozen=True, slots=True)
class Query:
    """A path in a filter: from the element (``@``) or from the document (``$``)."""

    relative: bool
    segments: tuple[Segment, ...]


Operand: TypeAlias = Literal | Regex | Query


@dataclass(frozen=True, slots=True)
class Exists:
    """``@.a`` alone: the path finds something."""

    query: Query


@dataclass(frozen=True, slots=True)
class Compare:
    """``left operator right``."""

    left: Operand
    operator: str
    right: Operand


@dataclass(frozen=True, slots=True)
class AllOf:
    """``&&``."""

    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """``||``."""

    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``!``."""

    test: Test


Test: TypeAlias = Exists | Compare | AllOf | AnyOf | Not
