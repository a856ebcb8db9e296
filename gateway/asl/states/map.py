"""Map, inline: the same states for each item of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from gateway.asl import flow
from gateway.asl import records as r
from gateway.asl.records import SAME
from gateway.asl.scope import Expression, Json
from gateway.asl.states.state import State

if TYPE_CHECKING:
    from gateway.asl.flow import Run
    from gateway.asl.frame import Frame
    from gateway.asl.states.distributed import DistributedMap

INLINE_CONCURRENCY: Final = 40
"""AWS runs at most this many iterations of an inline Map at a time."""
_WHAT: Final = "Map state has a document"


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(State):
    """Its one program runs for each item; its result is the list of their outputs."""

    type: ClassVar[str] = "Map"
    items: Expression
    item_selector: Expression | None = None
    max_concurrency: Expression
    """0 means no limit of its own."""

    def start(self, run: Run, frame: Frame, input: Json) -> None:  # noqa: A002
        """Find the items; ``joined`` begins the iterations."""
        scope = run.scope(frame, input)
        wanted = self.max_concurrency(scope)
        items = self.items(scope)
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
            flow.leave(run, frame, self, results)
        else:
            given = selected(run, frame, self, join.started, join.items[join.started])
            run.emit(r.MapIterationStarted(frame.id, run.number(), join.started, given))


def selected(run: Run, frame: Frame, state: Map | DistributedMap, index: int, value: Json) -> Json:
    """What ItemSelector makes of the item; SAME where there is none. Raises StateError."""
    selector = state.item_selector
    if selector is None:
        return SAME
    item = {"Index": index, "Value": value}
    data = flow.effective_input(run, frame, state)
    return run.checked(selector(run.scope(frame, data, item)), _WHAT)
