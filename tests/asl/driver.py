"""Runs a definition to its end in memory: a virtual clock, answers for tasks, the fold checked."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from gateway.asl import stimuli
from gateway.asl.advance import advance
from gateway.asl.codec import FORMAT, decode, encode
from gateway.asl.definition import parse_definition
from gateway.asl.events import history
from gateway.asl.execution import Execution
from gateway.asl.frame import Identity, Task, Timer
from gateway.asl.records import Record
from gateway.asl.stimuli import Stimulus

MACHINE_ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:machine"
EXECUTION_ARN = "arn:aws:states:us-east-1:123456789012:execution:machine:run"
START = 1_700_000_000_000
Answer = Callable[[Task], Stimulus | None]


class Driver:
    """One execution. Every step is encoded and decoded before it counts."""

    def __init__(self, definition: dict, given: object = None, text: str | None = None) -> None:
        self.machine = parse_definition(orjson.dumps(definition).decode())
        self.text = orjson.dumps(given).decode() if text is None else text
        self.at = START
        self.seed = 0
        self.steps: list[tuple[int, list[Record]]] = []
        self.execution = self.newborn()

    def newborn(self) -> Execution:
        """The execution before its first record."""
        role = "arn:aws:iam::123456789012:role/role"
        identity = Identity(EXECUTION_ARN, "run", MACHINE_ARN, role, START, self.text)
        return Execution(identity, orjson.loads(self.text))

    def give(self, stimulus: Stimulus, budget: int = 200) -> list[Record]:
        """Advance by one stimulus, and on until the execution parks."""
        given: list[Record] = []
        while True:
            self.seed += 1
            seed = self.seed.to_bytes(16, "big")
            step = advance(self.machine, self.execution, stimulus, self.at, seed, budget)
            if step.bug is not None:
                raise step.bug
            encoded = encode(step.records, 0, step.dumps)
            self.steps.append((self.at, decode(encoded.records, FORMAT, dict(encoded.documents))))
            given += step.records
            stimulus = stimuli.Continue()
            if not step.more:
                return given

    def run(self, answer: Answer | None = None) -> Execution:
        """Start and go on to the end: hand out and answer tasks, else let the next timer fire."""
        self.give(stimuli.Start())
        return self.go_on(answer)

    def go_on(self, answer: Answer | None = None) -> Execution:
        """On to the end."""
        while self.execution.status == "RUNNING":
            self.give(self.next_stimulus(answer))
        return self.execution

    def next_stimulus(self, answer: Answer | None) -> Stimulus:
        """The answer to the first open task, or the earliest timer."""
        for effect in self.execution.effects.values():
            if isinstance(effect, Task):
                if effect.started_at is None:
                    return stimuli.HandOut(effect.number, "worker", "00")
                told = answer and answer(effect)
                if told is not None:
                    return told
        timers = [e for e in self.execution.effects.values() if isinstance(e, Timer)]
        timer = min(timers, key=lambda each: (each.due, each.number))
        self.at = max(self.at, timer.due)
        return stimuli.TimerFired(timer.number, timer.kind, timer.due)

    def folded(self) -> Execution:
        """The execution as its history says."""
        fresh = self.newborn()
        for at, step in self.steps:
            for record in step:
                fresh.apply(record, at)
        return fresh

    def events(self) -> list[dict]:
        """AWS's history."""
        return list(history(self.newborn(), self.steps))
