"""A compiled state whose expressions note what they come to, for those who look into it.

The way of data through the state stays the engine's own: what is watched is a copy of the state in
which each expression is wrapped.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.asl.flow import Run
from gateway.asl.frame import Frame
from gateway.asl.languages.jsonata import JsonataEntry
from gateway.asl.languages.jsonpath import PathEntry, PathExit
from gateway.asl.languages.language import Entry, Exit, Outcome
from gateway.asl.scope import Json, Scope
from gateway.asl.states.distributed import DistributedMap
from gateway.asl.states.map import Map
from gateway.asl.states.state import State
from gateway.asl.states.task import TokenEntry

Seen: TypeAlias = dict[str, Json]
"""What the expressions came to, by the member of InspectionData that shows it."""
Evaluate: TypeAlias = Callable[[Scope], Json]


def watched(state: State, seen: Seen) -> State:
    """The state, whose expressions write into ``seen``."""
    catch = (
        replace(each, exit=_Watched(each.exit, seen, "catchIndex", index))
        for index, each in enumerate(state.catch)
    )
    way_out = _Watched(_exit(state.exit, seen), seen, "result")
    entry = _entry(state.entry, seen, jsonpath=of_jsonpath(state))
    state = replace(state, entry=entry, exit=way_out, catch=tuple(catch))
    match state:
        case Map():
            items = _noting(seen, "afterItemsPath", state.items)
            count = _noting(seen, "maxConcurrency", state.max_concurrency)
            return replace(state, items=items, max_concurrency=count)
        case DistributedMap():
            items = _noting(seen, "afterItemsPath", state.items)
            limits = {name: _noting(seen, name, limit) for name, limit in state.limits.items()}
            return replace(state, items=items, limits=limits)
        case _:
            return state


def of_jsonpath(state: State) -> bool:
    """Whether the state's query language is JSONPath."""
    return isinstance(state.exit, PathExit)


def _noting(seen: Seen, name: str, evaluate: Evaluate | None) -> Evaluate:
    """Without an expression, the document stays as it is, and is seen all the same."""

    def noting(scope: Scope) -> Json:
        seen[name] = scope.data if evaluate is None else evaluate(scope)
        return seen[name]

    return noting


def _entry(entry: Entry | None, seen: Seen, *, jsonpath: bool) -> Entry | None:
    match entry:
        case TokenEntry(inner):
            return TokenEntry(_entry(inner, seen, jsonpath=jsonpath))
        case JsonataEntry(arguments):
            return JsonataEntry(_noting(seen, "afterArguments", arguments))
        case PathEntry(input_path, parameters):
            pass
        case _ if jsonpath:
            input_path = parameters = None
        case other:
            return other
    return PathEntry(
        _noting(seen, "afterInputPath", input_path), _noting(seen, "afterParameters", parameters)
    )


def _exit(exit_: Exit, seen: Seen) -> Exit:
    if not isinstance(exit_, PathExit):
        return exit_
    output_path = exit_.output_path

    def leaving(scope: Scope) -> Json:
        seen["afterResultPath"] = scope.data
        return scope.data if output_path is None else output_path(scope)

    selector = _noting(seen, "afterResultSelector", exit_.selector)
    return replace(exit_, selector=selector, output_path=leaving)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A way out that notes that it was taken: its value, or what is given here."""

    exit: Exit
    seen: Seen
    name: str
    noted: Json = None

    def outcome(self, run: Run, frame: Frame, value: Json) -> Outcome:
        """See ``Exit``."""
        self.seen[self.name] = value if self.noted is None else self.noted
        return self.exit.outcome(run, frame, value)
