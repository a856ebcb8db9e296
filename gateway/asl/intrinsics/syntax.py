"""The grammar of intrinsic calls: text to a tree, every mistake with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonpath import Path, compile_path
from gateway.asl.jsonpath.literals import read_scalar, span
from gateway.asl.scope import Json

MOST_NESTED = 10
"""AWS's limit of calls inside calls."""

_NAME = re.compile(r"States\.([A-Za-z0-9]+)\s*\(")
_TEXT = re.compile(r"(?:[^'\\]|\\[\\'{}])*")
_ESCAPE = re.compile(r"\\(.)")
_TEMPLATE_PIECE = re.compile(r"\\(.)|(\{\})", re.DOTALL)
_PATH_ENDS = frozenset(",)")


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, true, false or null."""

    value: Json


@dataclass(frozen=True, slots=True)
class Text:
    """A literal in quotes; ``\\'``, ``\\\\``, ``\\{`` and ``\\}`` are its only escapes."""

    raw: str
    """As written between the quotes."""

    @property
    def value(self) -> str:
        """What it stands for."""
        return _ESCAPE.sub(r"\1", self.raw)

    @property
    def pieces(self) -> tuple[str, ...]:
        """What stands between the places ``{}`` of a template for States.Format."""
        found = [""]
        at = 0
        for mark in _TEMPLATE_PIECE.finditer(self.raw):
            found[-1] += self.raw[at : mark.start()] + (mark[1] or "")
            if mark[2]:
                found.append("")
            at = mark.end()
        found[-1] += self.raw[at:]
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Call:
    """``States.<name>(<arguments>)``."""

    name: str
    arguments: tuple[Argument, ...]
    text: str
    """As written."""


Argument: TypeAlias = Constant | Text | Path | Call


def parse_call(text: str) -> Call:
    """The call that ``text`` is, whole. ExpressionError: it is none; what is wrong and where."""
    call, end = _call(text, 0, 1)
    if text[end:].strip():
        raise _unexpected(text, end)
    return call


def _call(text: str, start: int, depth: int) -> tuple[Call, int]:
    if depth > MOST_NESTED:
        raise ExpressionError(f"Intrinsic functions are nested more than {MOST_NESTED} deep")
    found = _NAME.match(text, start)
    if found is None:
        raise ExpressionError(f"Not a call such as States.Format('{{}}', $.a): {text}")
    arguments: list[Argument] = []
    at = _skip(text, found.end())
    while not text.startswith(")", at):
        if arguments:
            at = _skip(text, _expect(text, at, ","))
        argument, at = _argument(text, at, depth)
        arguments.append(argument)
        at = _skip(text, at)
    return Call(found[1], tuple(arguments), text[start : at + 1]), at + 1


def _argument(text: str, at: int, depth: int) -> tuple[Argument, int]:
    if text.startswith("States.", at):
        return _call(text, at, depth + 1)
    if text.startswith("$", at):
        end = span(text, at, _PATH_ENDS)
        return compile_path(text[at:end].rstrip()), end
    if text.startswith("'", at):
        return _text(text, at)
    value, end = read_scalar(text, at)
    return Constant(value), end


def _text(text: str, at: int) -> tuple[Text, int]:
    found = _TEXT.match(text, at + 1)
    end = found.end() if found else at + 1
    if text.startswith("\\", end):
        raise ExpressionError(
            f"Illegal escape at character {end + 1} of {text}: "
            "only \\', \\\\, \\{ and \\} are known"
        )
    return Text(text[at + 1 : end]), _expect(text, end, "'")


def _skip(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _expect(text: str, at: int, char: str) -> int:
    if not text.startswith(char, at):
        raise _unexpected(text, at)
    return at + 1


def _unexpected(text: str, at: int) -> ExpressionError:
    if at >= len(text):
        return ExpressionError(f"The call ends too early: {text}")
    return ExpressionError(f"Unexpected '{text[at]}' at character {at + 1} of {text}")
