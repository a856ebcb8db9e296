"""What the children of a map run are given: its items after ItemSelector, one by one or in batches.

The parent does not change while it waits, so its state as it stands in the history says what every
item becomes, also after a restart. Pure; the dice are the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import orjson

from gateway.asl.errors import StateError
from gateway.asl.execution import Execution
from gateway.asl.flow import MAX_DOCUMENT_BYTES, Run
from gateway.asl.frame import MapRun
from gateway.asl.records import SAME
from gateway.asl.scope import Json
from gateway.asl.states.distributed import DistributedMap
from gateway.asl.states.map import selected
from gateway.asl.states.state import StateMachine

EXCEEDED: Final = (
    "States.ExceedToleratedFailureThreshold",
    "The specified tolerated failure threshold was exceeded",
)
"""Error and cause of a map run of which too many items have failed."""


class Child(NamedTuple):
    """One execution that a map run wants."""

    first: int
    """Index of its first item."""
    items: int
    """How many items it has."""
    input: str
    """JSON text."""


def too_many_failed(failed: int, total: int | None, count: int, percentage: float) -> bool:
    """Whether so many failed items of ``total`` (None: not known yet) are over a threshold; where
    none is given (0 both), one is too many."""
    if not count and not percentage:
        return failed > 0
    over = bool(percentage and total and failed * 100 > percentage * total)
    return over or bool(count and failed > count)


class MapItems:
    """Makes children's inputs from items."""

    def __init__(
        self, machine: StateMachine, parent: Execution, map_run: MapRun, seed: bytes
    ) -> None:
        self._run = Run(machine, parent, map_run.started_at, seed)
        self._frame = parent.frames[map_run.frame]
        state = self._run.state(self._frame)
        assert isinstance(state, DistributedMap), "only such a state has a map run"
        self._state = state
        self._batcher: dict[str, Json] | None = map_run.options.get("batcher")

    def children(self, items: Iterable[Json], first: int) -> Iterator[Child]:
        """The children for the items from number ``first`` on. Raises StateError."""
        selected_items = (self._select(first + n, item) for n, item in enumerate(items))
        if self._batcher is not None:
            yield from batches(self._batcher, selected_items, first)
            return
        for number, item in enumerate(selected_items, first):
            yield Child(number, 1, _text(item).decode())

    def _select(self, index: int, value: Json) -> Json:
        given = selected(self._run, self._frame, self._state, index, value)
        return value if given is SAME else given


def batches(batcher: dict[str, Json], items: Iterable[Json], first: int) -> Iterator[Child]:
    """The children where ItemBatcher gives each of them several items. Raises StateError."""
    most = batcher.get("MaxItemsPerBatch") or 2**31
    most_bytes = batcher.get("MaxInputBytesPerBatch") or MAX_DOCUMENT_BYTES
    before = b"{"
    if "BatchInput" in batcher:
        before += b'"BatchInput":' + orjson.dumps(batcher["BatchInput"]) + b","
    room = min(most_bytes, MAX_DOCUMENT_BYTES) - len(before) - len(b'"Items":[]}')
    batch: list[bytes] = []
    size = 0
    for item in items:
        text = _text(item)
        if batch and (len(batch) == most or size + len(text) + 1 > room):
            yield _batch(first, before, batch)
            first += len(batch)
            batch, size = [], 0
        batch.append(text)
        size += len(text) + 1
    if batch:
        yield _batch(first, before, batch)


def _batch(first: int, before: bytes, items: list[bytes]) -> Child:
    text = before + b'"Items":[' + b",".join(items) + b"]}"
    return Child(first, len(items), text.decode())


def _text(item: Json) -> bytes:
    try:
        text = orjson.dumps(item)
    except TypeError as error:
        raise StateError("States.Runtime", str(error)) from None
    if len(text) > MAX_DOCUMENT_BYTES:
        cause = "An item of the map run has more bytes than the input of an execution may have."
        raise StateError("States.DataLimitExceeded", cause)
    return text
