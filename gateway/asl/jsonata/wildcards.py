"""``*`` and ``**``, and ``| |``, which changes a copy at the places that they or any path find."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence as Arguments

from gateway.asl.jsonata.collections import clone
from gateway.asl.jsonata.errors import failure
from gateway.asl.jsonata.functions import Callee, Node
from gateway.asl.jsonata.run import Frame, Run
from gateway.asl.jsonata.signature import Signature
from gateway.asl.jsonata.values import UNDEFINED, Sequence, Value, plain
from gateway.asl.scope import Json

_TRANSFORM = Signature("<(oa):o>")


def wildcard(value: Value, frame: Frame) -> Value:
    """``*``: the values of an object, lists among them flattened."""
    found: list[Json] = Sequence()
    for each in _children(value):
        frame.run.spend(1)
        if isinstance(each, list):
            # A plain list from here on: alone, its value stays in it.
            found = [*found, *_flat(each, frame.run)]
        else:
            found.append(each)
    return found


def _children(value: Value) -> Iterator[Json]:
    if isinstance(value, dict):
        return iter(value.values())
    return iter(value if isinstance(value, list) else ())


def _flat(values: list[Json], run: Run) -> Iterator[Json]:
    run.spend(len(values))
    for each in values:
        if isinstance(each, list):
            yield from _flat(each, run)
        else:
            yield each


def descendants(value: Value, frame: Frame) -> Value:
    """``**``: the value and what it holds at any depth, but for the lists themselves."""
    found = Sequence()
    waiting = [] if value is UNDEFINED else [value]
    while waiting:
        frame.run.spend(1)
        each = waiting.pop()
        if not isinstance(each, list):
            found.append(each)
        waiting.extend(reversed(list(_children(each))))
    return found


class Transform(Callee):
    """``|pattern|update, delete|``: a function from a value to its changed copy."""

    def __init__(self, pattern: Node, update: Node, delete: Node | None, cost: int) -> None:
        self._pattern = pattern
        self._update = update
        self._delete = delete
        self._cost = cost
        self._frame: Frame | None = None

    def within(self, _value: Value, frame: Frame) -> Value:
        """The function as it is made where it stands."""
        made = Transform(self._pattern, self._update, self._delete, self._cost)
        made._frame = frame
        return made

    def invoke(self, run: Run, arguments: Arguments[Value], context: Value) -> Value:
        """The changed copy."""
        (value,) = _TRANSFORM.validated(arguments, context, "transform")
        if value is UNDEFINED or self._frame is None:
            return UNDEFINED
        result = clone(run, value)
        matches = self._pattern(result, self._frame)
        if matches is UNDEFINED:
            return result
        for match in [matches] if not isinstance(matches, list) else matches:
            run.spend(self._cost)
            self._change(match, self._frame)
        return result

    def _change(self, match: Value, frame: Frame) -> None:
        update = self._update(match, frame)
        if update is not UNDEFINED and not isinstance(update, dict):
            raise failure("T2011", update)
        if update is not UNDEFINED and isinstance(match, dict):
            match.update((key, plain(value)) for key, value in update.items())
        names = UNDEFINED if self._delete is None else self._delete(match, frame)
        if names is UNDEFINED:
            return
        each = names if isinstance(names, list) else [names]
        if not all(isinstance(name, str) for name in each):
            raise failure("T2012", names)
        for name in each if isinstance(match, dict) else ():
            match.pop(name, None)
