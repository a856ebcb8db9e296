"""A compiled path and how to get one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.jsonpath.filters import Reader
from gateway.asl.jsonpath.reading import Reading
from gateway.asl.jsonpath.segments import Indices, Names, Segment
from gateway.asl.jsonpath.selectors import PathNotFound, compile_segments
from gateway.asl.scope import Json, Scope

__all__ = ["MOST_CACHED", "Path", "PathNotFound", "compile_path"]

MOST_CACHED = 4096
"""Compiled paths kept; a path is some hundred bytes."""

_DOTTED = re.compile(r"\$(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")
_VARIABLE = re.compile(r"\$([^\W\d]\w*)")


@dataclass(frozen=True, slots=True)
class Path:
    """A path over the state's document (``$…``), the Context Object (``$$…``) or a variable
    (``$name…``)."""

    text: str
    """As written."""
    of_context: bool
    """It begins with ``$$``."""
    variable: str | None
    """The name that it begins with, ``$name``."""
    keys: tuple[str | int, ...] | None
    """Member names and array indices from the root, where the path has nothing else."""
    definite: bool
    """It finds one value or fails; an indefinite one finds a list."""
    read: Callable[[Json], Json] = field(compare=False)
    """What the path finds in a document, shared with it, not copied. Raises PathNotFound, and
    StateError where a filter's pattern or the number of results is out of bounds."""

    @property
    def simple(self) -> bool:
        """Only names and indices: what ASL calls a reference path."""
        return self.keys is not None

    def read_from(self, scope: Scope) -> Json:
        """What the path finds in the scope's document, context or variable. Raises
        PathNotFound."""
        if self.variable is None:
            return self.read(scope.context if self.of_context else scope.data)
        if self.variable not in scope.variables:
            raise PathNotFound(f"No variable has the name '{self.variable}'")
        return self.read(scope.variables[self.variable])


@lru_cache(maxsize=MOST_CACHED)
def compile_path(text: str) -> Path:
    """The path that ``text`` is. ExpressionError says what is wrong with it and where."""
    of_context = text.startswith("$$")
    named = _VARIABLE.match(text)
    own = (
        text[1:] if of_context else text if named is None else "$" + text[named.end() :]
    ).rstrip()
    segments = _parse(own)
    read, definite = compile_segments(segments)
    keys = _keys(segments)
    return Path(
        text=text,
        of_context=of_context,
        variable=None if named is None else named[1],
        keys=keys,
        definite=definite,
        read=_over(read) if keys is None else _walk(keys, _over(read)),
    )


def _parse(text: str) -> tuple[Segment, ...]:
    """Nearly every path is dotted names, which need no parser (and no import of one)."""
    if _DOTTED.fullmatch(text):
        return tuple(Names((name,)) for name in text.split(".")[1:])
    if not text.startswith("$"):
        raise ExpressionError(f"A path begins with '$', this one does not: '{text}'")
    # Importing jsonpath-ng takes 40 ms, which a start without such a path is spared.
    from gateway.asl.jsonpath.parser import parse

    return parse(text)


def _keys(segments: tuple[Segment, ...]) -> tuple[str | int, ...] | None:
    keys: list[str | int] = []
    for segment in segments:
        match segment:
            case Names((key,)) | Indices((key,)):
                keys.append(key)
            case _:
                return None
    return tuple(keys)


def _over(read: Reader) -> Callable[[Json], Json]:
    def found(document: Json) -> Json:
        try:
            return read(document, Reading(document))
        except RecursionError:
            cause = "A JSONPath compares values that are nested too deeply"
            raise StateError("States.Runtime", cause, located=True) from None

    return found


def _walk(keys: tuple[str | int, ...], explain: Callable[[Json], Json]) -> Callable[[Json], Json]:
    """The fast way along names and indices; ``explain`` goes it again to say what is missing."""

    def read(document: Json) -> Json:
        value = document
        try:
            for key in keys:
                if key.__class__ is int and value.__class__ is not list:
                    return explain(document)
                value = value[key]
        except (KeyError, TypeError, IndexError):
            return explain(document)
        return value

    return read
