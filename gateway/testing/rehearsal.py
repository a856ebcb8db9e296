"""One execution in memory, driven to its end: tasks are answered, the clock jumps to what is due.

Nothing here knows AWS's API or prints anything; ``outcome`` makes of the records what people read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import orjson

from gateway.asl import stimuli
from gateway.asl.advance import advance
from gateway.asl.errors import StateError
from gateway.asl.execution import Execution
from gateway.asl.frame import Identity, MapRun, Task, Timer
from gateway.asl.map_items import EXCEEDED, MapItems, too_many_failed
from gateway.asl.records import Record
from gateway.asl.scope import Json
from gateway.asl.states.state import StateMachine
from gateway.asl.stimuli import Stimulus
from gateway.testing.mocks import Returned, Thrown

LONGEST_MS: Final = 366 * 86_400_000
"""As long as the daemon lets an execution run."""

Ask: TypeAlias = Callable[[str, Json], Returned | Thrown]
"""What a task answers: asked with the name of its state and its input."""


class Rehearsal:
    """One execution, its clock (milliseconds since the epoch) and the records that it has made."""

    def __init__(
        self, machine: StateMachine, identity: Identity, given: Json, ask: Ask, seed: int = 0
    ) -> None:
        self.machine = machine
        self.identity = identity
        self.given = given
        self.at = identity.start_at
        self.steps: list[tuple[int, list[Record]]] = []
        self.execution = self.newborn()
        self._ask = ask
        self._seed = seed
        self._answers: dict[int, tuple[int, Stimulus]] = {}
        """By task: when its answer comes, and what it is."""

    def newborn(self) -> Execution:
        """The execution before its first record."""
        return Execution(self.identity, self.given)

    def run(self) -> None:
        """Start it and go on to its end. What ``ask`` raises comes through."""
        self._give(stimuli.Start())
        while self.execution.status == "RUNNING":
            self._give(self._next())

    def _give(self, stimulus: Stimulus) -> None:
        """Advance by one stimulus, and on until the execution parks."""
        more = True
        while more:
            self._seed += 1
            seed = self._seed.to_bytes(16, "big")
            step = advance(self.machine, self.execution, stimulus, self.at, seed)
            if step.bug is not None:
                raise step.bug
            self.steps.append((self.at, step.records))
            stimulus, more = stimuli.Continue(), step.more

    def _next(self) -> Stimulus:
        """The hand-out of a task that waits; else what comes first, a task's answer or a timer.

        Whoever is at work on a task sends its heartbeats.
        """
        effects = self.execution.effects.values()
        waiting = next((e for e in effects if isinstance(e, Task) and e.started_at is None), None)
        if waiting is not None:
            self._answers[waiting.number] = self._answer(waiting)
            return stimuli.HandOut(waiting.number, None, None)
        map_run = next((e for e in effects if isinstance(e, MapRun)), None)
        if map_run is not None:
            return self._run_children(map_run)
        open_tasks = [e for e in effects if isinstance(e, Task)]
        coming = [(*self._answers[task.number], task.number) for task in open_tasks]
        coming += [
            (e.due, stimuli.TimerFired(e.number, e.kind, e.due), e.number)
            for e in effects
            if isinstance(e, Timer) and e.kind != "heartbeat"
        ]
        at, stimulus, _ = min(coming, key=lambda each: (each[0], each[2]))
        end = self.identity.start_at + LONGEST_MS
        if at > end:
            at, stimulus = end, stimuli.Expire()
        self.at = max(self.at, at)
        return stimulus

    def _run_children(self, map_run: MapRun) -> Stimulus:
        """What a Distributed Map comes to: its children run one after the other."""
        machine = self.machine.maps[map_run.label]
        seed = self._seed
        maker = MapItems(self.machine, self.execution, map_run, seed.to_bytes(16, "big"))
        outputs, failed, total = [], 0, len(map_run.items)
        try:
            for child in maker.children(map_run.items, 0):
                name = f"{self.identity.name}-{map_run.label}-{child.first}"
                identity = self.identity._replace(name=name, input=child.input, start_at=self.at)
                inner = Rehearsal(
                    machine, identity, orjson.loads(child.input), self._ask, self._seed
                )
                inner.run()
                self.at = inner.at
                if inner.execution.status == "SUCCEEDED":
                    outputs.append(inner.execution.output)
                else:
                    failed += child.items
        except StateError as error:
            return stimuli.Fail(map_run.number, error.error, error.cause)
        limits = map_run.limits
        count, percentage = limits["toleratedFailureCount"], limits["toleratedFailurePercentage"]
        if too_many_failed(failed, total, count or 0, percentage or 0):
            return stimuli.Fail(map_run.number, *EXCEEDED)
        return stimuli.Succeed(map_run.number, outputs)

    def _answer(self, task: Task) -> tuple[int, Stimulus]:
        state = self.execution.frames[task.frame].state or ""
        answer = self._ask(state, task.input)
        at = self.at + round(answer.after_seconds * 1000)
        if isinstance(answer, Thrown):
            return at, stimuli.Fail(task.number, answer.error, answer.cause)
        return at, stimuli.Succeed(task.number, answer.output)
