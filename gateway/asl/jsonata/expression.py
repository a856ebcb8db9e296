"""A JSONata expression, compiled once, evaluated any number of times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from sys import getrecursionlimit, modules, setrecursionlimit
from threading import Lock
from typing import Any, Final

import orjson
import regex

from gateway.asl.errors import ExpressionError
from gateway.asl.jsonata.compiler import Compiler
from gateway.asl.jsonata.errors import JsonataError, UndefinedError, failure
from gateway.asl.jsonata.functions import Callee
from gateway.asl.jsonata.patterns import Pattern
from gateway.asl.jsonata.run import Frame, Run
from gateway.asl.jsonata.values import UNDEFINED, plain
from gateway.asl.scope import Json

FRAMES: Final = 10_000
"""Python's frames during an evaluation, enough for ``MOST_DEEP`` nodes wherever it is called."""


class _Depth:
    """Python's limit of frames, which is the whole process's: raised as long as anything is
    evaluated, in whatever thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._limit = 0

    def take(self) -> None:
        """An evaluation begins."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limit = getrecursionlimit()
                setrecursionlimit(max(self._limit, FRAMES))

    def give_back(self) -> None:
        """It has ended."""
        with self._lock:
            self._users -= 1
            if not self._users:
                setrecursionlimit(self._limit)


_DEPTH: Final = _Depth()


def compile_jsonata(text: str) -> JsonataExpression:
    """The expression that stands between ``{%`` and ``%}``. ExpressionError: it does not parse."""
    tree = _parse(text)
    compiler = Compiler()
    try:
        node = compiler.compile(tree)
    except RecursionError:
        raise ExpressionError("The expression is nested too deeply") from None
    return JsonataExpression(text, node, compiler)


class JsonataExpression:
    """A compiled expression. It holds nothing of its evaluations."""

    def __init__(self, text: str, node: Any, compiler: Compiler) -> None:
        self.text = text
        self.variables = frozenset(compiler.free)
        """Names, without ``$``, that it takes from outside: ``states`` and the workflow's."""
        self.states = None if compiler.told is None else frozenset(compiler.told)
        """The members of ``$states`` that it reads; None: it may read any of them."""
        self._node = node
        self._cost = compiler.cost
        self._height = compiler.height

    def evaluate(self, names: Mapping[str, Json], *, random: Callable[[], Random], at: int) -> Json:
        """The value, plain JSON that may share parts with ``names``; ``names`` never changes.

        ``at`` is now, in milliseconds since the epoch; ``random`` makes the dice if they are asked
        for. UndefinedError: there is no value. JsonataError: it failed, was no JSON, or exceeded
        the bounds of ``run``.
        """
        run = Run(random, at)
        _DEPTH.take()
        try:
            run.spend(self._cost)
            run.enter(self._height)
            value = plain(self._node(UNDEFINED, Frame(dict(names), run)))
            if value is UNDEFINED:
                raise UndefinedError
            _only_json(value)
        except RecursionError:
            raise failure("D1011") from None
        finally:
            _DEPTH.give_back()
        return value


def _only_json(value: Json) -> None:
    """JsonataError: a function, a lone surrogate or too many levels; nobody could write it down."""
    if isinstance(value, Callee):
        raise JsonataError("The expression returned a function")
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise JsonataError(f"The expression returned what is no JSON: {error}") from None


def _parse(text: str) -> Any:
    """The library's tree. Importing it takes time, which a start without JSONata is spared."""
    limit, new = getrecursionlimit(), "jsonata.parser" not in modules
    from jsonata.jexception import JException
    from jsonata.parser import Parser

    if new:
        # The library raises it for the whole process when it is imported. Later on it is left
        # alone: this may be a thread, and another one may be evaluating.
        setrecursionlimit(limit)
    try:
        return Parser().parse(text, _pattern)
    except JException as error:
        place = f" at character {error.location + 1}" if error.location >= 0 else ""
        found = failure(error.error, error.current, error.expected)
        raise ExpressionError(f"{found}{place}") from None
    except RecursionError:
        raise ExpressionError("The expression is nested too deeply") from None
    except regex.error as error:
        raise ExpressionError(f"A regular expression is wrong: {error}") from None
    except (IndexError, AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        # The library's tokenizer and parser run over the end of some texts.
        raise ExpressionError("S0207: Unexpected end of expression") from None


def _pattern(text: str, flags: Any) -> Pattern:
    return Pattern(text, ignore_case=flags.case_insensitive, multiline=flags.multiline)
