"""The patterns of filters, ``[?(@.name =~ /.../)]``."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import regex

from gateway.asl.errors import ExpressionError, StateError
from gateway.asl.jsonpath.reading import PATTERN_SECONDS, Reading
from gateway.asl.jsonpath.segments import Regex
from gateway.asl.scope import Json

if TYPE_CHECKING:
    from gateway.asl.jsonpath.filters import Predicate, Reader

_FLAGS = {
    "i": regex.I,
    "m": regex.M,
    "s": regex.S,
    "x": regex.X,
    "u": regex.U,
    "d": 0,
    "U": regex.U,
}

_WORDS = re.compile(
    r"\\[pPx]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|.", re.DOTALL
)
"""What a pattern is made of: a brace alone is no word of Java's, to regex it means: roughly."""


def matching(read: Reader, pattern: Regex) -> Predicate:
    """Jayway matches the whole value."""
    flags = 0
    for letter in pattern.flags:
        if letter not in _FLAGS:
            raise ExpressionError(
                f"'{letter}' is no flag of a pattern; those are {''.join(_FLAGS)}"
            )
        flags |= _FLAGS[letter]
    if "{" in _WORDS.findall(pattern.pattern):
        raise ExpressionError(f"The pattern /{pattern.pattern}/ has a '{{' that counts nothing")
    try:
        compiled = regex.compile(pattern.pattern.replace("\\/", "/"), flags)
    except regex.error as error:
        raise ExpressionError(f"The pattern /{pattern.pattern}/ is wrong: {error}") from None

    def predicate(element: Json, reading: Reading) -> bool:
        text = _text(read(element, reading))
        began = time.thread_time()
        try:
            # It holds up every other execution: what one element took the others do not have.
            return compiled.fullmatch(text, timeout=max(reading.pattern_seconds, 0)) is not None
        except TimeoutError:
            cause = f"The pattern /{pattern.pattern}/ took more than {PATTERN_SECONDS} seconds"
            raise StateError("States.Runtime", cause, located=True) from None
        finally:
            reading.pattern_seconds -= time.thread_time() - began

    return predicate


def _text(value: Json) -> str:
    """What Jayway matches: a number and a truth value as they are written, of the rest nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""
