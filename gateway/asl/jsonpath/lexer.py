"""Jayway's words as tokens of jsonpath-ng's grammar.

jsonpath-ng's own lexer knows RFC 9535's words; Jayway takes nearly any character in ``.name`` and
has functions (``.length()``), operators that are words (``in``, ``size``), regular expressions and
lists. The grammar needs no change for them: a function is one NAMED_OPERATOR token, and each
operand of a filter is one ID token. What is about characters lives here, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from jsonpath_ng.lexer import JsonPathLexer

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath.literals import LITERAL_START, read_literal, span
from gateway.asl.jsonpath.segments import Literal, Regex

_NAME = re.compile(r"[^.\[\]()\s]+")
_NUMBER = re.compile(r"-?\d{1,9}")
_REGEX = re.compile(r"/((?:[^/\\]|\\.)+)/([a-zA-Z]*)")
_WORDS = "in|nin|subsetof|anyof|noneof|contains|all|size|empty"
_OPERATOR = re.compile(rf"=~|===?|!==?|<=|>=|<|>|(?:{_WORDS})\b", re.IGNORECASE)
_OPERAND_ENDS = frozenset(" \t\n\r=<>!~&|,)]")
_JUNCTIONS = {"&&": "AND", "||": "OR"}


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
    """A path inside a filter, still to be parsed."""

    text: str


@dataclass(frozen=True, slots=True)
class NegatedText:
    """``!(...)`` without its ``!``: one operand, since the grammar negates nothing but paths."""

    text: str


@dataclass(frozen=True, slots=True)
class CallText:
    """``name(arguments)``, the arguments still text."""

    name: str
    arguments: str


_Tokens: TypeAlias = Generator[Token, None, int]
"""Yields the tokens of one construct and returns where it ends."""


class JaywayLexer(JsonPathLexer):
    """jsonpath-ng's lexer over Jayway's words. ExpressionError: not a word of the language."""

    def __init__(self) -> None:
        super().__init__()
        self._text = ""

    def tokenize(self, string: str) -> Iterator[Any]:
        """The tokens of a path that begins with ``$`` or ``@``."""
        self._text = string
        yield Token(string[0], string[0], 0)
        at = 1
        while at < len(string):
            at = yield from self._segment(at)

    def _segment(self, at: int) -> _Tokens:
        if self._text[at] == "[":
            return (yield from self._bracket(at))
        if self._text.startswith("..", at):
            yield Token("DOUBLEDOT", "..", at)
            at += 2
            return at if self._text.startswith("[", at) else (yield from self._name(at))
        if self._text.startswith(".[", at):
            # Jayway passes over the dot.
            return at + 1
        if self._text[at] == ".":
            yield Token(".", ".", at)
            return (yield from self._name(at + 1))
        raise self._unexpected(at)

    def _name(self, at: int) -> _Tokens:
        found = _NAME.match(self._text, at)
        if found is None:
            raise self._unexpected(at)
        if self._text.startswith("(", found.end()):
            end = span(self._text, found.end() + 1, frozenset(")"))
            arguments = self._text[found.end() + 1 : end]
            yield Token("NAMED_OPERATOR", CallText(found[0], arguments), at)
            return self._expect(end, ")")
        yield Token("*", "*", at) if found[0] == "*" else Token("ID", found[0], at)
        return found.end()

    def _bracket(self, at: int) -> _Tokens:
        yield Token("[", "[", at)
        at = self._skip(at + 1)
        if self._text.startswith("?", at):
            at = yield from self._filter(at)
        else:
            at = yield from self._selectors(at)
        yield Token("]", "]", at)
        return self._expect(at, "]")

    def _selectors(self, at: int) -> _Tokens:
        """``*``, numbers, quoted names, and the ``,`` and ``:`` between them."""
        while not self._text.startswith("]", at):
            char = self._text[at : at + 1]
            number = _NUMBER.match(self._text, at)
            if number is not None:
                yield Token("NUMBER", int(number[0]), at)
                at = number.end()
            elif char and char in "'\"":
                name, end = read_literal(self._text, at)
                yield Token("ID", name, at)
                at = end
            elif char and char in "*,:":
                yield Token(char, char, at)
                at += 1
            else:
                raise self._unexpected(at)
            at = self._skip(at)
        return at

    def _filter(self, at: int) -> _Tokens:
        yield Token("?", "?", at)
        at = self._skip(at + 1)
        if not self._text.startswith("(", at):
            raise self._unexpected(at)
        while not self._text.startswith("]", at):
            at = self._skip((yield from self._filter_word(at)))
        return at

    def _filter_word(self, at: int) -> _Tokens:
        """One word of a filter: a bracket, ``&&``, ``||``, ``!``, an operator or an operand."""
        text = self._text
        if text[at : at + 2] in _JUNCTIONS:
            yield Token(_JUNCTIONS[text[at : at + 2]], text[at : at + 2], at)
            return at + 2
        operator = _OPERATOR.match(text, at)
        if operator is not None:
            yield Token("FILTER_OP", operator[0].lower(), at)
            return operator.end()
        if text.startswith("!", at):
            return (yield from self._negation(at))
        if text[at : at + 1] in ("(", ")"):
            yield Token(text[at], text[at], at)
            return at + 1
        return (yield from self._operand(at))

    def _negation(self, at: int) -> _Tokens:
        start = self._skip(at + 1)
        if not self._text.startswith("(", start):
            yield Token("!", "!", at)
            return start
        end = self._expect(span(self._text, start + 1, frozenset(")")), ")")
        yield Token("ID", NegatedText(self._text[start:end]), at)
        return end

    def _operand(self, at: int) -> _Tokens:
        regex = _REGEX.match(self._text, at)
        if regex is not None:
            yield Token("ID", Regex(regex[1], regex[2]), at)
            return regex.end()
        if self._text[at : at + 1] in ("@", "$"):
            end = span(self._text, at, _OPERAND_ENDS)
            yield Token("ID", QueryText(self._text[at:end]), at)
            return end
        if LITERAL_START.match(self._text, at) is None:
            raise self._unexpected(at)
        value, end = read_literal(self._text, at)
        yield Token("ID", Literal(value), at)
        return end

    def _skip(self, at: int) -> int:
        while self._text[at : at + 1].isspace():
            at += 1
        return at

    def _expect(self, at: int, char: str) -> int:
        if not self._text.startswith(char, at):
            raise self._unexpected(at)
        return at + 1

    def _unexpected(self, at: int) -> ExpressionError:
        if at >= len(self._text):
            return ExpressionError(f"The path '{self._text}' ends too early")
        return ExpressionError(
            f"Unexpected '{self._text[at]}' at character {at + 1} of the path '{self._text}'"
        )
