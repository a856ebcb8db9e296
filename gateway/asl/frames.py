"""What an execution's state is made of, and the moves that its records are made of: frames that
park, wake, come and go, and effects that are wanted or no longer.

What each record does with them stands in ``gateway.asl.execution``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import orjson

from gateway.asl.frame import Frame, Identity, MapRun, Task, Timer
from gateway.asl.scope import Json

Status: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]


Effect: TypeAlias = Timer | Task | MapRun
EffectKey: TypeAlias = tuple[int, str]
"""(number, kind): the kind of a timer, "task" or "map_run"."""


_WAITS: Final = ("wait", "retry", "task", "timeout", "heartbeat", "map_run")


def effect_key(effect: Effect) -> EffectKey:
    """Under what the effect is known."""
    if isinstance(effect, Timer):
        return effect.number, effect.kind
    if isinstance(effect, MapRun):
        return effect.wait, "map_run"
    return effect.number, "task"


class Frames:
    """The state of one execution."""

    def __init__(self, identity: Identity, input: Json) -> None:  # noqa: A002
        self.identity = identity
        self.input = input
        self.status: Status = "RUNNING"
        self.stop_at: int | None = None
        self.error: str | None = None
        self.cause: str | None = None
        self.event_id = 0
        """Id of the last event of AWS's history."""
        self.previous_event_id = 0
        """What that event shows as its predecessor."""
        self.sequence = 0
        """How many records there are, internal ones included."""
        self.next_number = 1
        """Numbers for frames, timers and tasks: one count, none used twice."""
        self.next_document = 0
        """Number for the next document row."""
        self.frames: dict[int, Frame] = {}
        self.ready: dict[int, None] = {}
        """Frames that can go on without the outside world, in order."""
        self.effects: dict[EffectKey, Effect] = {}
        """What is outstanding."""
        self.ended_iteration: dict[str, Json] = {}
        """Name of the Map and index of the iteration that ended last, as its event shows them."""
        self.redrives: tuple[tuple[str, int], ...] = ()
        """The clientTokens with which it was redriven last, and when each was, oldest first."""
        self.touched: dict[EffectKey, tuple[Effect | None, Effect]] = {}
        """Effects that changed since ``take_changes``: what stood before, and what stood last."""

    # ------------------------------------------------------------------ reading
    @property
    def output(self) -> Json:
        """The document in hand of the execution itself; its output once it has succeeded."""
        return self.frames[0].data

    def text(self, document: Json) -> str:
        """The document as JSON text; the execution's input as its caller wrote it, as in AWS."""
        if document is self.input:
            return self.identity.input
        return orjson.dumps(document).decode()

    def task(self, number: int) -> Task | None:
        """The open task of that number."""
        task = self.effects.get((number, "task"))
        return task if isinstance(task, Task) else None

    def map_run(self, wait: int) -> MapRun | None:
        """The map run that is waited for under that number."""
        run = self.effects.get((wait, "map_run"))
        return run if isinstance(run, MapRun) else None

    def take_changes(self) -> Iterator[tuple[Effect | None, Effect | None]]:
        """The effects that changed since the last call: what stood before (None: nothing) and what
        it is now (None: no longer wanted). A map run that has come and gone meanwhile is told as
        both: the history names it, so it is there to be read and redriven."""
        touched, self.touched = self.touched, {}
        for key, (former, last) in touched.items():
            effect = self.effects.get(key)
            if effect is not None or former is not None:
                yield former, effect
            elif isinstance(last, MapRun):
                yield None, last
                yield last, None

    def dump(self) -> dict[str, Json]:
        """Everything that the fold must reproduce, for comparison."""
        members = {k: v for k, v in vars(self).items() if k not in {"touched", "next_document"}}
        members["frames"] = {k: f.dump() for k, f in self.frames.items()}
        members["ready"] = set(self.ready)
        return members

    # ----------------------------------------------------------------- changing
    def _event(self, frame: Frame) -> None:
        """The current event follows the frame's last one."""
        self.previous_event_id = frame.last_event
        frame.last_event = self.event_id

    def _number(self, number: int) -> None:
        self.next_number = max(self.next_number, number + 1)

    def _put(self, effect: Effect) -> None:
        key = effect_key(effect)
        self._touch(key, self.effects.get(key), effect)
        self.effects[key] = effect

    def _drop(self, number: int, *kinds: str) -> None:
        for kind in kinds:
            effect = self.effects.pop((number, kind), None)
            if effect is not None:
                self._touch((number, kind), effect, effect)

    def _touch(self, key: EffectKey, former: Effect | None, last: Effect) -> None:
        known = self.touched.get(key)
        self.touched[key] = (former if known is None else known[0], last)

    def _park(self, frame: Frame, number: int) -> None:
        self._number(number)
        frame.wait = number
        self.ready.pop(frame.id, None)

    def _wake(self, frame: Frame) -> None:
        if frame.wait is not None:
            self._drop(frame.wait, *_WAITS)
            frame.wait = None
        self.ready[frame.id] = None

    def _add_frame(self, frame: Frame) -> None:
        self._number(frame.id)
        self.frames[frame.id] = frame
        self.ready[frame.id] = None

    def _remove_frame(self, number: int) -> Frame:
        """Forget a frame, what it waits for and the frames below it."""
        frame = self.frames.pop(number)
        self.ready.pop(number, None)
        if frame.wait is not None:
            self._drop(frame.wait, *_WAITS)
        self._remove_children(frame)
        return frame

    def _remove_children(self, frame: Frame) -> None:
        if frame.join is not None:
            for child in sorted(frame.join.children):
                self._remove_frame(child)
            frame.join = None

    def _settle(self, frame: Frame) -> None:
        """A frame that joins can go on when it is complete or has room for another iteration."""
        if frame.join is not None and (frame.join.complete or frame.join.has_room):
            self.ready[frame.id] = None
        else:
            self.ready.pop(frame.id, None)

    def _stop_below(self, frame: Frame) -> None:
        """Nothing below the frame goes on, unless the execution is redriven: a state that takes the
        failure leaves, and that removes what is below."""
        self.ready.pop(frame.id, None)
        if frame.join is None:
            return
        frame.join.over = True
        for number in sorted(frame.join.children):
            self._stop(self.frames[number])

    def _stop(self, frame: Frame) -> None:
        """Neither the frame nor anything below it goes on, unless the execution is redriven."""
        if frame.wait is not None:
            self._drop(frame.wait, *_WAITS)
            frame.wait = None
        self._stop_below(frame)

    def _revive(self, frame: Frame) -> None:
        """The frame and those below it can go on. One that is in a state that joins nothing is to
        do that again, and one with a map run is to go on with that; ``advance`` sees to it."""
        frame.last_event, frame.wait, frame.retries = self.event_id, None, {}
        if frame.distributed and frame.map_run is None:
            frame.join = None
        if frame.join is not None:
            frame.join.over = False
            for number in sorted(frame.join.children):
                self._revive(self.frames[number])
            self._settle(frame)
        elif frame.state is None:
            self.ready[frame.id] = None
