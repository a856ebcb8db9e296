"""Regular expressions: ``/a+/i`` is a function from a text to its first match."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import regex

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.functions import Callee, call
from gateway.asl.jsonata.run import PATTERN_SECONDS, Run
from gateway.asl.jsonata.values import UNDEFINED, Value
from gateway.asl.scope import Json


class Pattern(Callee):
    """A compiled regular expression, under the time that an evaluation has for all of them."""

    def __init__(self, text: str, *, ignore_case: bool, multiline: bool) -> None:
        flags = regex.ASCII | (regex.I if ignore_case else 0)
        self._compiled = regex.compile(_translated(text, multiline=multiline), flags)
        self.text = text

    def find(self, run: Run, text: str, start: int) -> Json | None:
        """The first match from ``start`` on. JsonataError: the time is over."""
        if run.pattern_seconds <= 0:
            raise self._too_slow()
        began = time.thread_time()
        try:
            found = self._compiled.search(text, start, timeout=run.pattern_seconds)
        except TimeoutError:
            raise self._too_slow() from None
        finally:
            run.pattern_seconds -= time.thread_time() - began
        run.spend_text((len(text) if found is None else found.end()) - start)
        if found is None:
            return None
        start, end = found.span()
        return {"match": found[0], "start": start, "end": end, "groups": list(found.groups())}

    def _too_slow(self) -> JsonataError:
        return JsonataError(
            f"The regular expression /{self.text}/ takes more than {PATTERN_SECONDS} seconds"
        )

    def invoke(self, run: Run, arguments: Sequence[Value], context: Value) -> Value:
        """The first match of a text, with ``next``, the function that gives the next one."""
        text = arguments[0] if arguments else UNDEFINED
        return self._linked(run, text, 0) if isinstance(text, str) else UNDEFINED

    def _linked(self, run: Run, text: str, start: int) -> Value:
        found = self.find(run, text, start)
        if found is None or (start and not found["match"]):
            return UNDEFINED
        return {**found, "next": _Next(self, text, found["end"])}


class _Next(Callee):
    def __init__(self, pattern: Pattern, text: str, start: int) -> None:
        self._pattern = pattern
        self._text = text
        self._start = start

    def invoke(self, run: Run, arguments: Sequence[Value], context: Value) -> Value:
        if self._start >= len(self._text):
            return UNDEFINED
        return self._pattern._linked(run, self._text, self._start)  # noqa: SLF001 - of this file


def matches(run: Run, matcher: Value, text: str) -> Iterator[dict[str, Any]]:
    """Each match of a pattern, or of a function that behaves like one.

    D1004: an empty match after another one, where JSONata would not get any further.
    """
    if not isinstance(matcher, Pattern):
        yield from _matches_of_function(run, matcher, text)
        return
    start = 0
    while (found := matcher.find(run, text, start)) is not None:
        if start and not found["match"]:
            raise failure("D1004")
        yield found
        if found["end"] >= len(text):
            return
        if not found["match"]:
            raise failure("D1004")
        start = found["end"]


def _matches_of_function(run: Run, matcher: Value, text: str) -> Iterator[dict[str, Any]]:
    found = call(run, matcher, [text])
    while found is not UNDEFINED:
        run.spend(1)
        if not isinstance(found, dict) or not {"match", "start", "end", "groups"} <= found.keys():
            raise failure("T1010", "matcher")
        yield found
        found = call(run, found.get("next", UNDEFINED), [])


def _translated(text: str, *, multiline: bool) -> str:
    """JavaScript's pattern as this library has it.

    ``$`` is the very end, which Python's also stands before a last newline; lines end in other
    ways, too; a brace that counts nothing is itself, where this library would match roughly; and
    ``\\k<name>`` is a reference.
    """
    pieces, at, in_class = [], 0, False
    while at < len(text):
        char = text[at]
        found = None if in_class else _OTHERWISE.match(text, at)
        if found is not None:
            pieces.append(f"(?P={found[1]})" if found[1] else found[0])
            at = found.end()
        elif char == "\\":
            pieces.append(text[at : at + 2])
            at += 2
        else:
            pieces.append(char if in_class else _here(char, multiline=multiline))
            in_class = (in_class or char == "[") and char != "]"
            at += 1
    return "".join(pieces)


def _here(char: str, *, multiline: bool) -> str:
    """What a character outside of a class means."""
    match char:
        case ".":
            return f"[^{_ENDS}]"
        case "{":
            return r"\{"
        case "$":
            return rf"(?=[{_ENDS}]|\Z)" if multiline else r"\Z"
        case "^" if multiline:
            return f"(?<![^{_ENDS}])"
        case _:
            return char


_OTHERWISE: Final = re.compile(r"\\k<(\w+)>|\{\d+(?:,\d*)?\}")
"""A reference by its name, and braces that count."""
_ENDS: Final = "\\n\\r\\u2028\\u2029"
"""What ends a line."""
