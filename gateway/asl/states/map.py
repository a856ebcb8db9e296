"""Map, inline: the same states for each item of a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import orjson

from gateway.asl import flow
from gateway.asl import records as r
from gateway.asl.context import context_object
from gateway.asl.errors import StateError
from gateway.asl.records import SAME
from gateway.asl.scope import Expression, Json, Scope
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame

INLINE_CONCURRENCY: Final = 40
"""AWS runs at most this many iterations of an inline Map at a time."""
_WHAT: Final = "Map state has a document"


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(State):
    """Its one program runs for each item; its result is the list of their outputs."""

    type: ClassVar[str] = "Map"
    items_path: Expression | None = None
    item_selector: Expression | None = None
    max_concurrency: Callable[[Scope], int]
    """0 means no limit of its own."""

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Find the items; ``joined`` begins the iterations."""
        scope = run.scope(frame, input)
        wanted = self.max_concurrency(scope)
        items = input if self.items_path is None else self.items_path(scope)
        if not isinstance(items, list):
            raise StateError("States.Runtime", _not_a_list(items), located=True)
        concurrency = min(wanted or INLINE_CONCURRENCY, INLINE_CONCURRENCY)
        given = SAME if items is frame.data else run.checked(items, _WHAT)
        run.emit(r.MapStarted(frame.id, given, len(items), concurrency))

    def joined(self, run: Run, frame: Frame) -> None:
        """All iterations have ended, or there is room for another."""
        join = frame.join
        assert join is not None, "only a frame that joins is joined"
        if join.complete:
            results = join.results
            run.emit(r.MapSucceeded(frame.id))
            flow.succeed(run, frame, self, results)
        else:
            given = self._select(run, frame, join.started, join.items[join.started])
            run.emit(r.MapIterationStarted(frame.id, run.number(), join.started, given))

    def _select(self, run: Run, frame: Frame, index: int, value: Json) -> Json:
        """What the iteration is given: the item, or what ItemSelector makes of it."""
        if self.item_selector is None:
            return SAME
        item = {"Index": index, "Value": value}
        data = flow.effective_input(run, frame, self)
        scope = Scope(data, lambda: context_object(run.execution, frame, item), lambda: run.random)
        return run.checked(self.item_selector(scope), _WHAT)


def _not_a_list(value: Json) -> str:
    return f'Reference path "$" must point to array. Actual value: {orjson.dumps(value).decode()}'
