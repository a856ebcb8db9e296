"""Jayway's words as tokens of jsonpath-ng's grammar.

jsonpath-ng's own lexer knows RFC 9535's words; Jayway takes nearly any character in ``.name``, has
functions (``.length()``), operators that are words (``in``, ``size``), regular expressions and lists. The
grammar needs no change for them: a function is one NAMED_OPERATOR token, and each operand of a filter
is one ID token. Whatever is only about characters lives here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath.literals import literal

WORD_OPERATORS = frozenset(
    "in nin subsetof anyof noneof all contains size empty type".split()
)
"""Operators of a filter that are words."""

_NAME = re.compile(r"[^.\[\]()\s]+")
_NUMBER = re.compile(r"\s*(-?\d+)\s*")
_QUOTED = re.compile(r"\s*('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")\s*", re.DOTALL)
_OPERATOR = re.compile(r"=~|===?|!==?|<=|>=|<|>|(?:[A-Za-z]+)")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/([a-zA-Z]*)")
_OPERAND_ENDS = frozenset(" \t\n\r=<>!~&|,)]")
_PAIRS = {"(": ")", "[": "]", "{": "}"}


@dataclass
class Token:
    """What jsonpath-ng's parser asks of a token."""

    type: str
    value: Any
    lexpos: int
    lineno: int = 1
    quoted: bool = True

    @property
    def col(self) -> int:
        """0-based place in the path, for messages."""
        return self.lexpos


@dataclass(frozen=True, slots=True)
class QueryText:
    """A path inside a path, still to be parsed."""

    text: str


@dataclass(frozen=True, slots=True)
class NegatedText:
    """``!(...)``: jsonpath-ng's grammar negates paths only, so a negated group is one operand."""

    text: str


@dataclass(frozen=True, slots=True)
class CallText:
    """``name(arguments)``, the arguments still text."""

    name: str
    arguments: tuple[str, ...]


def span(text: str, start: int, ends: frozenset[str]) -> int:
    """Where the piece of ``text`` that begins at ``start`` ends.

    It ends before the first of ``ends`` outside quotes and brackets, or with the text. ExpressionError:
    a quote or bracket is left open.
    """
    open_brackets: list[str] = []
    at = start
    while at < len(text):
        char = text[at]
        if open_brackets and char == open_brackets[-1]:
            open_brackets.pop()
        elif not open_brackets and char in ends:
            return at
        elif char in "'\"" and open_brackets:
            at = _quoted(text, at).end() - 1
        elif char in _PAIRS:
            open_brackets.append(_PAIRS[char])
        at += 1
    if open_brackets:
        raise ExpressionError(f"'{open_brackets[-1]}' is missing in '{text}'")
    return at


def pieces(text: str) -> tuple[str, ...]:
    """The comma-separated pieces of an argument list; none for blank text."""
    found: list[str] = []
    at = 0
    while at < len(text):
        end = span(f"[{text[at:]}", 1, frozenset()) if False else _piece_end(text, at)
        found.append(text[at:end].strip())
        at = end + 1
    return tuple(found)
