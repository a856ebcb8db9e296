"""Reference paths: where ResultPath puts a value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from gateway.asl import causes
from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath import compile_path
from gateway.asl.scope import Json

MOST_CACHED = 1024
"""Compiled reference paths kept."""


@dataclass(frozen=True, slots=True)
class ReferencePath:
    """A path that names exactly one place: ``$``, ``$.a.b``, ``$['a'][0]``."""

    text: str
    keys: tuple[str | int, ...]

    def put(self, document: Json, value: Json) -> Json:
        """``document`` with ``value`` in this place: a new one that shares what did not change.

        Members that are missing on the way are made; a list's element must be there already.
        StateError States.ResultPathMatchFailure: the document has another shape.
        """
        on_the_way: list[Json] = []
        here = document
        for number, key in enumerate(self.keys):
            if not _fits(here, key):
                raise causes.result_path_mismatch(self.text, document)
            on_the_way.append(here)
            if number < len(self.keys) - 1:
                here = here.get(key, {}) if isinstance(here, dict) else here[key]
        for key, container in zip(reversed(self.keys), reversed(on_the_way), strict=True):
            value = _with(container, key, value)
        return value


@lru_cache(maxsize=MOST_CACHED)
def compile_reference(text: str) -> ReferencePath:
    """The reference path that ``text`` is. ExpressionError: no path, or of several places."""
    path = compile_path(text)
    if path.of_context or path.variable is not None:
        raise ExpressionError(f"'{text}' is not in the state's document: nothing can be put there")
    if path.keys is None or any(isinstance(key, int) and key < 0 for key in path.keys):
        raise ExpressionError(
            f"'{text}' is not a reference path: it may have names and indices from 0 only"
        )
    return ReferencePath(text, path.keys)


def _fits(container: Json, key: str | int) -> bool:
    if isinstance(key, str):
        return isinstance(container, dict)
    return isinstance(container, list) and key < len(container)


def _with(container: Json, key: str | int, value: Json) -> Json:
    if isinstance(key, str):
        return {**container, key: value}
    return [*container[:key], value, *container[key + 1 :]]
