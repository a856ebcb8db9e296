"""Constants inside a path, and where a piece of a path ends: quotes, brackets, escapes."""

from __future__ import annotations

import re

import orjson

from gateway.asl.errors import ExpressionError
from gateway.asl.scope import Json

LITERAL_START = re.compile(r"['\"\[\-\d]|(?:true|false|null)\b")
"""What a constant begins with."""

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"(?:true|false|null)\b")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}
_CLOSES = {"(": ")", "[": "]", "{": "}"}


def span(text: str, start: int, ends: frozenset[str]) -> int:
    """Where the piece of ``text`` that begins at ``start`` ends.

    That is before the first of ``ends`` that stands outside quotes and brackets, or with the text.
    ExpressionError: a quote or a bracket is left open.
    """
    awaited: list[str] = []
    at = start
    while at < len(text):
        char = text[at]
        if awaited and char == awaited[-1]:
            awaited.pop()
        elif not awaited and char in ends:
            return at
        elif char in "'\"":
            at = _quoted(text, at).end() - 1
        elif char in _CLOSES:
            awaited.append(_CLOSES[char])
        at += 1
    if awaited:
        raise ExpressionError(f"'{awaited[-1]}' is missing at the end of '{text}'")
    return at


def read_literal(text: str, at: int) -> tuple[Json, int]:
    """The constant at ``at`` and where it ends: a string, number, true, false, null or a list."""
    char = text[at : at + 1]
    if char == "[":
        return _read_list(text, at)
    if char and char in "'\"":
        found = _quoted(text, at)
        return _unescaped(found[0]), found.end()
    return read_scalar(text, at)


def read_scalar(text: str, at: int) -> tuple[Json, int]:
    """The number, true, false or null at ``at`` and where it ends."""
    word = _WORD.match(text, at)
    if word is not None:
        return _WORDS[word[0]], word.end()
    number = _NUMBER.match(text, at)
    if number is None:
        raise ExpressionError(f"No constant at character {at + 1} of '{text}'")
    return _number(number[0]), number.end()


def read_literals(text: str) -> list[Json]:
    """The comma-separated constants that make up ``text``; none for blank text."""
    found: list[Json] = []
    at = _skip(text, 0)
    while at < len(text):
        value, at = read_literal(text, at)
        found.append(value)
        at = _skip(text, at)
        if at < len(text) and text[at] != ",":
            raise ExpressionError(f"',' is missing at character {at + 1} of '{text}'")
        at = _skip(text, at + 1)
    return found


def _read_list(text: str, at: int) -> tuple[list[Json], int]:
    end = span(text, at + 1, frozenset("]"))
    if end >= len(text):
        raise ExpressionError(f"']' is missing at the end of '{text}'")
    return read_literals(text[at + 1 : end]), end + 1


def _quoted(text: str, at: int) -> re.Match[str]:
    found = _QUOTED.match(text, at)
    if found is None:
        raise ExpressionError(f"The quote at character {at + 1} of '{text}' is never closed")
    return found


def _unescaped(quoted: str) -> str:
    """The text between the quotes. Only the quote itself and ``\\`` can be escaped.

    AWS finds the key ``a\\"b`` under ``$['a\\"b']``, so any other backslash is a backslash.
    """
    quote = quoted[0]
    return re.sub(rf"\\([\\{quote}])", r"\1", quoted[1:-1])


def _number(text: str) -> Json:
    """As in a document: whole numbers over 64 bits are floats, others must be finite."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ExpressionError(f"'{text[:40]}' is not a number") from None


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at
