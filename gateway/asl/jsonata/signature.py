"""Signatures of functions, ``<s-n?:s>``: which arguments fit, and what stands in for one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.asl.jsonata.errors import failure
from gateway.asl.jsonata.values import UNDEFINED, Value, symbol

_CLASSES: Final = {"a": "asnblfom", "x": "asnblfom", "j": "asnblom", "f": "f"}
"""Letters of what a parameter takes, ``m`` for nothing; a function must be there."""
_PARAMETER: Final = re.compile(r"(\([a-z]+\)|[a-z])(?:<([^<>]*)>)?([-+?]*)")
_ARRAYS: Final = {
    "a": "arrays",
    "b": "booleans",
    "f": "functions",
    "n": "numbers",
    "o": "objects",
    "s": "strings",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter: ``pattern`` matches the type letters of what it takes."""

    kind: str
    subtype: str | None
    pattern: str
    context: re.Pattern[str] | None
    """Of what the context value must be, where it may stand in for the argument."""


class Signature:
    """A parsed signature."""

    def __init__(self, text: str) -> None:
        before, colon, after = text.removeprefix("<").removesuffix(">").rpartition(":")
        written = before if colon else after
        self.parameters = [_parameter(found) for found in _PARAMETER.finditer(written)]
        self._pattern = re.compile("".join(f"({each.pattern})" for each in self.parameters))

    def validated(self, arguments: Sequence[Value], context: Value, function: str) -> list[Value]:
        """The arguments, one for each parameter. T0410, T0411, T0412: they do not fit."""
        supplied = "".join(map(symbol, arguments))
        found = self._pattern.fullmatch(supplied)
        if found is None:
            raise failure("T0410", self._first_wrong(supplied), function)
        result: list[Value] = []
        at = 0
        for parameter, matched in zip(self.parameters, found.groups(), strict=True):
            if not matched:
                given = arguments[at] if at < len(arguments) else UNDEFINED
                result.append(_stand_in(parameter, given, context, at, function))
                at += parameter.context is None and at < len(arguments)
            for letter in matched:
                result.append(_fitting(parameter, letter, arguments[at], at, function))
                at += 1
        return result

    def _first_wrong(self, supplied: str) -> int:
        pattern, good = "", 0
        for each in self.parameters:
            pattern += each.pattern
            found = re.match(pattern, supplied)
            if found is None:
                break
            good = found.end()
        return good + 1


def text_of(signature: Any) -> str:
    """The signature of a written function, which the library has already taken apart."""
    text = ""
    for parameter in signature._params:  # noqa: SLF001 - it keeps the text nowhere
        marks = parameter.regex[-1:] if parameter.regex[-1:] in "?+" else ""
        subtype = f"<{parameter.subtype}>" if parameter.subtype else ""
        text += parameter.type + subtype + ("-" if parameter.context else marks)
    return f"<{text}>"


def _parameter(found: re.Match[str]) -> Parameter:
    kind, subtype, marks = found.groups()
    pattern = f"[{_CLASSES.get(kind, kind.strip('()') + 'm')}]"
    context = re.compile(pattern) if "-" in marks else None
    pattern += marks.replace("-", "?")
    return Parameter(kind, subtype, pattern, context)


def _stand_in(parameter: Parameter, given: Value, context: Value, at: int, function: str) -> Value:
    if parameter.context is None:
        return given
    if parameter.context.match(symbol(context)) is None:
        raise failure("T0411", at + 1, function)
    return context


def _fitting(parameter: Parameter, letter: str, value: Value, at: int, function: str) -> Value:
    """A single value where an array is wanted becomes one; the elements must be of the subtype."""
    if parameter.kind != "a" or letter == "m":
        return value
    array = value if letter == "a" else [value]
    wanted = (parameter.subtype or "")[:1]
    if wanted and any(symbol(each) != wanted for each in array):
        raise failure("T0412", at + 1, function, _ARRAYS[wanted])
    return array
