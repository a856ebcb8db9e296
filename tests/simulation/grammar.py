"""The grammar of AWS's histories: which event may follow which within a line of control.

A line of control is the execution itself, a branch of a Parallel, or an iteration of a Map. Each
event but the first and the last belongs to one, and its previousEventId says to which: it is the
line's last event. (AWS's own exceptions: the first state follows nothing; what ends an execution
from outside follows nothing; a line that joins goes on from the last event inside; the success of a
join stands beside its exit, not before it.) Which state may come next is the definition's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from gateway.asl.resources import pattern

Json = Any

OUTSIDE = {"ExecutionAborted": "ABORTED", "ExecutionTimedOut": "TIMED_OUT"}
FINAL = {"ExecutionSucceeded": "SUCCEEDED", "ExecutionFailed": "FAILED", **OUTSIDE}

FAMILIES = ("Activity", "LambdaFunction", "Task")
"""What the events of a task begin with; its Resource says which."""
_OPEN = {"Started", "Submitted"}
_OF_TASKS = {
    "Scheduled": {"Entered", "Failed", "TimedOut", "Succeeded"},
    "Started": {"Scheduled"},
    "Submitted": {"Started"},
    "Succeeded": _OPEN,
    "Failed": _OPEN,
    "TimedOut": _OPEN,
}
PHASES: dict[str, dict[str, set[str]]] = {
    # An event of a state: in which phases of which type it may come.
    **{f"{f}{word}": {"Task": phases} for f in FAMILIES for word, phases in _OF_TASKS.items()},
    "ParallelStateStarted": {"Parallel": {"Entered", "Started", "Succeeded"}},
    "ParallelStateSucceeded": {"Parallel": {"Started"}},
    "ParallelStateFailed": {"Parallel": {"Started"}},
    "MapStateStarted": {"Map": {"Entered", "Started", "Succeeded"}},
    "MapIterationStarted": {"Map": {"Started"}},
    "MapStateSucceeded": {"Map": {"Started"}},
    "MapStateFailed": {"Map": {"Started"}},
}
EXITS = {
    "Pass": {"Entered"},
    "Choice": {"Entered"},
    "Succeed": {"Entered"},
    "Wait": {"Entered"},
    "Task": {"Succeeded", "Failed", "TimedOut"},
    "Parallel": {"Succeeded", "Failed"},
    "Map": {"Succeeded", "Failed"},
}
CAUGHT = {"Failed", "TimedOut"}
TASK_FAILURES = {*CAUGHT, "Succeeded"}
"""A result that does not fit into the document fails a task, or a join, after its success."""
ABORTS = {
    "Wait": {"Entered"},
    "Task": {"Scheduled", "Started", "Submitted", *TASK_FAILURES},
    "Parallel": {"Started", "Succeeded"},
    "Map": {"Started", "Succeeded"},
}


class Ungrammatical(AssertionError):
    """The event cannot stand where it stands."""


@dataclass(eq=False, slots=True)
class Line:
    """One line of control, as far as it has been read."""

    program: Json
    last: int
    index: int = 0
    parent: Line | None = None
    targets: set[str] = field(default_factory=set)
    """States that may be entered next."""
    state: str | None = None
    phase: str = ""
    over: str = ""
    """done | aborted | failed"""
    children: list[Line] = field(default_factory=list)
    length: int = 0
    begun: int = 0
    iteration: int = 0
    """The event that said that its last iteration succeeded."""

    def __post_init__(self) -> None:
        self.targets = {self.program["StartAt"]}

    @property
    def definition(self) -> Json:
        """The state that it is in."""
        return self.program["States"][self.state]

    @property
    def failed(self) -> bool:
        """Whether it may have failed just now, so that the line around it goes on from it."""
        if self.over == "aborted":
            return self.phase in TASK_FAILURES and self.definition["Type"] == "Task"
        if self.over or self.state is None:
            return self.over == "failed"
        kind = self.definition["Type"]
        if kind in {"Parallel", "Map"}:
            return self.phase in {"Failed", "Succeeded"}
        return self.phase == "Entered" and kind in {"Fail", "Choice", "Pass"}

    def lasts(self) -> set[int]:
        """The events that its next one may follow."""
        inside = {child.last for child in self.children if child.failed}
        joins = self.state is not None and self.definition["Type"] == "Parallel"
        return {self.last, *inside} if joins else {self.last}

    def is_open(self) -> bool:
        """Whether it still waits for something."""
        return self.state is not None and not self.over and not self.failed

    def lines(self) -> Iterator[Line]:
        """It and those inside it."""
        yield self
        for child in self.children:
            yield from child.lines()


def check_history(definition: Json, events: Iterable[Json], status: str) -> None:
    """The history obeys the grammar and ends as the status says (RUNNING: it has not ended)."""
    reader = _Reader(definition)
    seen: list[str] = []
    for event in events:
        seen.append(f"{event['previousEventId']:4} <- {event['id']:4}  {_words(event)}")
        try:
            reader.read(event)
        except Ungrammatical as breach:
            raise Ungrammatical("\n".join([str(breach), *seen])) from None
    if reader.ended != status:
        raise Ungrammatical(f"the history ends with {reader.ended}, the execution is {status}")


def _words(event: Json) -> str:
    details = [value for key, value in event.items() if key.endswith("EventDetails")]
    shown = {"name", "index", "length", "error"}
    return event["type"] + "".join(
        f" {key}={value}" for each in details for key, value in each.items() if key in shown
    )


def _nexts(state: Json) -> set[str]:
    """Where a state may lead that has not failed, or whose result does not fit."""
    nexts = [state.get("Next"), state.get("Default")]
    nexts += [each["Next"] for each in (*state.get("Choices", ()), *state.get("Catch", ()))]
    return {target for target in nexts if target}


def _inside(state: Json) -> Json:
    """What a Map does with each item; older definitions have another word for it."""
    return state["ItemProcessor"] if "ItemProcessor" in state else state["Iterator"]


def _at_a_time(state: Json) -> int:
    """Iterations of a Map that may be begun and not over; 40 where only the run itself knows."""
    most = state.get("MaxConcurrency")
    return most if isinstance(most, int) and most else 40


class _Reader:
    def __init__(self, definition: Json) -> None:
        self.root = Line(definition, 0)
        self.ended = "RUNNING"
        self._id = 0

    def read(self, event: Json) -> None:
        """The next event."""
        self._id += 1
        kind, previous = event["type"], event["previousEventId"]
        self._must(event["id"] == self._id, event, "has a gap before it")
        self._must(self.ended == "RUNNING", event, "comes after the end")
        self._must(previous < self._id, event, "points forwards")
        self._must((kind == "ExecutionStarted") == (self._id == 1), event, "starts it, only")
        if kind in FINAL:
            self._end(kind, previous, event)
        elif kind.startswith("MapIteration") and kind != "MapIterationStarted":
            self._end_iteration(kind.removeprefix("MapIteration"), event)
        elif self._id > 1:
            self._go_on(kind, event)

    def _must(self, holds: bool, event: Json, what: str) -> None:
        if not holds:
            raise Ungrammatical(f"{event['type']} #{event['id']} {what}: {event}")

    def _end(self, kind: str, previous: int, event: Json) -> None:
        if kind in OUTSIDE:
            fits = previous == 0
        elif kind == "ExecutionSucceeded":
            fits = self.root.over == "done" and previous == self.root.last
        elif event["executionFailedEventDetails"].get("error") == "States.Runtime":
            fits = previous > 0 and any(previous in line.lasts() for line in self.root.lines())
        else:
            fits = self._has_failed(self.root) and previous == self.root.last
        self._must(fits, event, "does not follow")
        self.ended = FINAL[kind]

    def _has_failed(self, line: Line) -> bool:
        if line.state is not None and line.definition["Type"] == "Task":
            return line.phase in TASK_FAILURES
        return line.failed

    def _end_iteration(self, word: str, event: Json) -> None:
        over = {"Succeeded": "done", "Failed": "failed", "Aborted": "aborted"}[word]
        details = event[f"mapIteration{word}EventDetails"]
        for line in self.root.lines():
            around = line.parent
            if (
                around is None
                or around.definition["Type"] != "Map"
                or event["previousEventId"] != line.last
            ):
                continue
            names = {"name": around.state, "index": line.index}
            ends = line.failed and line.over != over if over == "failed" else line.over == over
            if details == names and ends:
                self._close(line, over, around)
                return
        self._must(False, event, "ends no iteration")

    def _close(self, line: Line, over: str, around: Line) -> None:
        if over == "failed":
            line.over = over
        else:
            around.children.remove(line)
        if over != "aborted":
            around.last, around.iteration = line.last, self._id

    def _go_on(self, kind: str, event: Json) -> None:
        previous = event["previousEventId"]
        for line in self.root.lines():
            if kind == "MapStateSucceeded" and line.iteration:
                # AWS: it follows the end of the last iteration, and so does the exit.
                if previous == line.iteration and self._take(line, kind, event):
                    line.last = previous
                    return
            elif previous in line.lasts() and self._take(line, kind, event):
                return
        self._must(False, event, "follows nothing that it may follow")

    def _take(self, line: Line, kind: str, event: Json) -> bool:
        """Whether the line may go on with the event; if so, it has."""
        word = next((word for word in _OF_STATES if kind.endswith(f"State{word}")), "")
        if line.over or (line.state is None and word != "Entered"):
            return False
        if word:
            take = {"Entered": self._enter, "Exited": self._exit, "Aborted": self._abort}[word]
            return take(line, kind.removesuffix(f"State{word}"), event)
        if line.phase not in PHASES[kind].get(line.definition["Type"], ()):
            return False
        if kind in _OF_JOINS:
            return _OF_JOINS[kind](self, line, event)
        line.phase = next(phase for phase in _OF_TASKS if kind.endswith(phase))
        line.last = self._id
        return line.phase != "Submitted" or pattern(line.definition["Resource"]) != ""

    def _complete(self, line: Line, _event: Json) -> bool:
        if line.children or line.begun != line.length:
            return False
        line.phase = "Succeeded"
        return True

    def _fail_join(self, line: Line, _event: Json) -> bool:
        if not self._gave_up(line):
            return False
        line.children.clear()
        line.phase, line.last = "Failed", self._id
        return True

    def _enter(self, line: Line, type_: str, event: Json) -> bool:
        name = event["stateEnteredEventDetails"]["name"]
        if line.state is not None or line.over or name not in line.targets:
            return False
        line.state, line.phase, line.last = name, "Entered", self._id
        return bool(line.definition["Type"] == type_)

    def _exit(self, line: Line, type_: str, event: Json) -> bool:
        state = line.definition
        named = event["stateExitedEventDetails"]["name"] == line.state and state["Type"] == type_
        if not named or line.phase not in EXITS.get(type_, ()):
            return False
        ends = False
        if line.phase in CAUGHT:
            line.targets = {catcher["Next"] for catcher in state.get("Catch", ())}
        else:
            ends = bool(state.get("End")) or type_ == "Succeed"
            line.targets = _nexts(state)
        line.state, line.last, line.over = None, self._id, "done" if ends else ""
        if line.over and line.parent is not None and line.parent.definition["Type"] == "Parallel":
            self._close(line, "done", line.parent)
        return ends or bool(line.targets)

    def _abort(self, line: Line, type_: str, event: Json) -> bool:
        allowed = line.phase in ABORTS.get(type_, ()) and line.definition["Type"] == type_
        self._must(line.parent is not None, event, "gives up the execution's own line")
        if not allowed or any(child.is_open() for child in line.children):
            return False
        line.children.clear()
        line.over, line.last = "aborted", self._id
        return True

    def _gave_up(self, line: Line) -> bool:
        """One inside has failed, and none of the others is still waiting."""
        inside = line.children
        return any(child.failed for child in inside) and not any(map(Line.is_open, inside))

    def _begin_join(self, line: Line, event: Json) -> bool:
        if line.phase == "Started" and not self._gave_up(line):
            return False
        state = line.definition
        line.phase, line.last, line.iteration = "Started", self._id, 0
        line.children, line.begun = [], 0
        if state["Type"] == "Map":
            line.length = event["mapStateStartedEventDetails"]["length"]
        else:
            line.length = line.begun = len(state["Branches"])
            line.children = [
                Line(branch, self._id, place, line)
                for place, branch in enumerate(state["Branches"])
            ]
        return True

    def _begin_iteration(self, line: Line, event: Json) -> bool:
        state = line.definition
        names = {"name": line.state, "index": line.begun}
        room = len(line.children) < _at_a_time(state)
        if event["mapIterationStartedEventDetails"] != names or not room:
            return False
        line.children.append(Line(_inside(state), self._id, line.begun, line))
        line.begun, line.last = line.begun + 1, self._id
        return True


_OF_STATES = ("Entered", "Exited", "Aborted")
_OF_JOINS: dict[str, Callable[[_Reader, Line, Json], bool]] = {
    "ParallelStateStarted": _Reader._begin_join,
    "MapStateStarted": _Reader._begin_join,
    "MapIterationStarted": _Reader._begin_iteration,
    "ParallelStateSucceeded": _Reader._complete,
    "MapStateSucceeded": _Reader._complete,
    "ParallelStateFailed": _Reader._fail_join,
    "MapStateFailed": _Reader._fail_join,
}
