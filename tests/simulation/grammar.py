"""The grammar of AWS's histories: which event may follow which within a line of control.

A line of control is the execution itself, a branch of a Parallel, or an iteration of a Map. Each
event but the first and the last belongs to one, and its previousEventId says to which: it is the
line's last event. (AWS's own exceptions: the first state follows nothing; what ends an execution
from outside follows nothing; a line that joins goes on from the last event inside; the success of a
join stands beside its exit, not before it.) Which state may come next is the definition's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NoReturn

from gateway.asl.resources import family, pattern

Json = Any

OUTSIDE = {"ExecutionAborted": "ABORTED", "ExecutionTimedOut": "TIMED_OUT"}
FINAL = {"ExecutionSucceeded": "SUCCEEDED", "ExecutionFailed": "FAILED", **OUTSIDE}

FAMILIES = ("Activity", "LambdaFunction", "Task")
"""What the events of a task begin with, by its Resource."""
AGAIN = {"Entered", "Failed", "TimedOut", "Succeeded", "Evaluation"}
"""Phases in which a task may be scheduled: the first time, and by Retry."""
CALLED = {"Started", "Submitted"}
OF_TASKS = {
    "Scheduled": AGAIN,
    "Started": {"Scheduled"},
    "Submitted": {"Started"},
    "Succeeded": CALLED,
    "Failed": CALLED,
    "TimedOut": CALLED,
}
PHASES: dict[str, dict[str, set[str]]] = {
    # An event of a state: in which phases of which type it may come.
    **{f"{who}{what}": {"Task": phases} for who in FAMILIES for what, phases in OF_TASKS.items()},
    "ParallelStateStarted": {"Parallel": {"Entered", "Started", "Succeeded", "Evaluation"}},
    "ParallelStateSucceeded": {"Parallel": {"Started"}},
    "ParallelStateFailed": {"Parallel": {"Started", "Evaluation"}},
    "MapStateStarted": {"Map": {"Entered", "Started", "Succeeded", "Evaluation", "RunFailed"}},
    "MapIterationStarted": {"Map": {"Started"}},
    "MapRunStarted": {"Map": {"Started"}},
    "MapRunSucceeded": {"Map": {"RunStarted"}},
    "MapRunFailed": {"Map": {"RunStarted"}},
    "MapRunAborted": {"Map": {"RunStarted"}},
    "MapRunRedriven": {"Map": {"Entered"}},
    "MapStateSucceeded": {"Map": {"Started", "RunSucceeded"}},
    "MapStateFailed": {"Map": {"Started", "Evaluation", "RunFailed"}},
}
EXITS = {
    "Pass": {"Entered"},
    "Choice": {"Entered"},
    "Succeed": {"Entered"},
    "Wait": {"Entered"},
    "Task": {"Succeeded", "Failed", "TimedOut", "Evaluation"},
    "Parallel": {"Succeeded", "Failed", "Evaluation"},
    "Map": {"Succeeded", "Failed", "Evaluation"},
}
CAUGHT = {"Failed", "TimedOut", "Evaluation"}
TASK_FAILURES = {*CAUGHT, "Succeeded"}
"""A result that does not fit into the document fails a task, or a join, after its success."""
ABORTS = {
    "Wait": {"Entered"},
    "Task": {"Scheduled", *CALLED, *TASK_FAILURES},
    "Parallel": {"Started", "Succeeded", "Evaluation"},
    "Map": {"Started", "Succeeded", "Evaluation", "RunFailed", "RunAborted"},
}
EVALUATED = {
    # An expression that fails when a state begins or ends, or in what has caught its failure.
    **{kind: {"Entered"} for kind in ("Pass", "Choice", "Succeed", "Wait", "Fail")},
    "Task": {"Entered", *TASK_FAILURES},
    "Parallel": {"Entered", "Started", "Succeeded", "Evaluation"},
    "Map": {"Entered", "Started", "Succeeded", "Evaluation", "RunFailed", "RunSucceeded"},
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
    run: int = 0
    """The event that said that its map run succeeded."""
    before: int = 0
    """What the event follows with which its state was entered."""
    joined: bool = False
    """Whether its state has begun what is inside, here and not as executions of their own."""
    born: int = 0
    """Which line of the history it is."""
    revived: int = 0
    """The event of the redrive that it goes on from."""
    kept: list[Line] = field(default_factory=list)
    """Given up inside; a redrive goes on with them."""

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
            return self.phase in {"Failed", "Succeeded", "Evaluation"}
        if kind == "Task":
            return False
        return self.phase == "Evaluation" or (
            self.phase == "Entered" and kind in {"Fail", "Choice", "Pass"}
        )

    def lasts(self) -> set[int]:
        """The events that its next one may follow."""
        inside = {child.last for child in self.children if child.failed}
        joins = self.state is not None and self.definition["Type"] == "Parallel"
        # AWS: what comes after a map run follows its end, or else its beginning.
        run = {self.run} if self.run else set()
        return {self.last, *run, *inside} if joins else {self.last, *run}

    def is_open(self) -> bool:
        """Whether it still waits for something; after a redrive it may not have begun to."""
        begun = self.last != self.revived
        return begun and self.state is not None and not self.over and not self.failed

    def lines(self) -> Iterator[Line]:
        """It and those inside it."""
        yield self
        for child in self.children:
            yield from child.lines()

    def give_up(self) -> None:
        """What is inside goes no further, unless there is a redrive."""
        self.kept, self.children = [*self.kept, *self.children], []

    def redrive(self, event: int) -> None:
        """It goes on after this event; what it was in the middle of is done again."""
        self.over, self.last, self.before, self.run = "", event, event, 0
        self.revived = event
        self.children, self.kept = [*self.kept, *self.children], []
        if self.state is None:
            return
        self.phase = "Started" if self.joined else "Entered"
        for child in self.children:
            child.redrive(event)


def check_history(definition: Json, events: Iterable[Json], status: str) -> int:
    """The history obeys the grammar and ends as the status says (RUNNING: it has not ended).
    Returns how often the execution was redriven.

    Where an event may be that of several lines, the first is tried first, and another one when what
    follows does not fit.
    """
    every = list(events)
    ways: list[tuple[int, Iterator[_Reader]]] = []
    """How many events were read at each turn, and the ways that have not been tried there."""
    furthest, breach = -1, Ungrammatical()
    read, reading = 0, _Reader(definition)
    while True:
        try:
            if read == len(every):
                reading.must_end(status)
                return reading.redrives
            ways.append((read, reading.readings(every[read])))
            read, reading = read + 1, next(ways[-1][1])
        except Ungrammatical as failure:
            if read > furthest:
                furthest, breach = read, failure
            read, reading = _other_way(ways) or _give_up(breach, every[: furthest + 1])


def _other_way(ways: list[tuple[int, Iterator[_Reader]]]) -> tuple[int, _Reader] | None:
    """The next one at the last turn that has another."""
    while ways:
        read, readings = ways[-1]
        try:
            return read + 1, next(readings)
        except (StopIteration, Ungrammatical):
            ways.pop()
    return None


def _give_up(breach: Ungrammatical, events: list[Json]) -> NoReturn:
    lines = [f"{each['previousEventId']:4} <- {each['id']:4}  {_words(each)}" for each in events]
    raise Ungrammatical("\n".join([str(breach), *lines]))


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


def _is_distributed(state: Json) -> bool:
    """Whether the iterations of a Map are executions of their own."""
    inside = state.get("ItemProcessor", {})
    return bool(inside.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED")


def _at_a_time(state: Json) -> int:
    """Iterations of a Map that may be begun and not over; 40 where only the run itself knows."""
    most = state.get("MaxConcurrency")
    return most if isinstance(most, int) and most else 40


class _Reader:
    def __init__(self, definition: Json) -> None:
        self.root = Line(definition, 0)
        self.language = definition.get("QueryLanguage", "JSONPath")
        self.ended = "RUNNING"
        self.redrives = 0
        self.taker: int | None = None
        """The line that took the last event, where several might have."""
        self.others: set[int] = set()
        """Lines that do not take the next one."""
        self._id = 0
        self._lines = 0

    def _line(self, program: Json, index: int, around: Line) -> Line:
        """Another one, inside ``around``."""
        self._lines += 1
        return Line(program, self._id, index, around, born=self._lines)

    def _all_lines(self) -> list[Line]:
        """In the order in which they began, in which they go on where several may."""
        return sorted(self.root.lines(), key=lambda line: line.born)

    def readings(self, event: Json) -> Iterator[_Reader]:
        """What it may be after the next event: one, but where several lines may go on with it, and
        it does not say whose it is. Raises Ungrammatical where there is none, or no more."""
        if not self._is_anybodys(event):
            self.read(event)
            yield self
            return
        others: set[int] = set()
        while True:
            reading = deepcopy(self)
            reading.others = others
            reading.read(event)
            taker = reading.taker
            yield reading
            if taker is None:
                return
            others = others | {taker}

    def must_end(self, status: str) -> None:
        """Raises Ungrammatical where the history does not end as the status says."""
        if status != self.ended:
            raise Ungrammatical(f"the history ends with {self.ended}, not with {status}")

    def _is_anybodys(self, event: Json) -> bool:
        """After a redrive all lines follow the same event; and where the result of a join fails its
        state, what follows is that one's or is said of the one around it."""
        previous = event["previousEventId"]
        if self.redrives and previous == self.root.revived:
            return True
        return event["type"] in _OF_JOINS and any(
            line.phase in {"Succeeded", "Evaluation"} and previous in line.lasts()
            for line in self.root.lines()
        )

    def read(self, event: Json) -> None:
        """The next event."""
        self.taker = None
        self._id += 1
        kind, previous = event["type"], event["previousEventId"]
        self._must(event["id"] == self._id, event, "has a gap before it")
        if kind == "ExecutionRedriven":
            self._redrive(event)
            return
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

    def _redrive(self, event: Json) -> None:
        self.redrives += 1
        self._must(self.ended not in {"RUNNING", "SUCCEEDED"}, event, "has nothing to redrive")
        self._must(event["previousEventId"] == self._id - 1, event, "does not follow the end")
        count = event["executionRedrivenEventDetails"]["redriveCount"]
        self._must(count == self.redrives, event, "is not counted")
        self.ended = "RUNNING"
        self.root.redrive(self._id)

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
        for line in self._all_lines():
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
            if over == "aborted":
                around.kept.append(line)
        if over != "aborted":
            around.last, around.iteration = line.last, self._id

    def _go_on(self, kind: str, event: Json) -> None:
        previous = event["previousEventId"]
        if kind == "EvaluationFailed":
            # What has just begun and what it is in may be named alike.
            for line in reversed(self._all_lines()):
                if line.born not in self.others and self._evaluation(line, event):
                    self.taker, self.others = line.born, set()
                    return
            self._must(False, event, "follows nothing that it may follow")
        for line in self._all_lines():
            if kind == "MapStateSucceeded" and line.iteration:
                # AWS: it follows the end of the last iteration, and so does the exit.
                if previous == line.iteration and self._take(line, kind, event):
                    line.last = previous
                    return
            elif (
                line.born not in self.others
                and previous in line.lasts()
                and self._take(line, kind, event)
            ):
                self.taker, self.others = line.born, set()
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
        return self._take_task(line, kind)

    def _take_task(self, line: Line, kind: str) -> bool:
        word = next(word for word in OF_TASKS if kind.endswith(word))
        waits = word != "Submitted" or pattern(line.definition["Resource"])
        if not kind.startswith(family(line.definition["Resource"])) or not waits:
            return False
        line.phase, line.last = word, self._id
        return True

    def _evaluation(self, line: Line, event: Json) -> bool:
        """AWS: a failed evaluation follows what the state's beginning follows, if nothing has
        happened in the state; the failure of a Wait's Timestamp follows the beginning itself."""
        details = event["evaluationFailedEventDetails"]
        if line.over or details["state"] != line.state:
            return False
        state, inside = line.definition, line.phase in EVALUATED[line.definition["Type"]]
        if line.phase == "Started":
            inside = self._gave_up(line)
        first = line.phase == "Entered" and details.get("location") != "Timestamp"
        follows = {line.before} if first and line.before < line.last else line.lasts()
        if state.get("QueryLanguage", self.language) != "JSONata" or not inside:
            return False
        if event["previousEventId"] not in follows:
            return False
        line.phase, line.last, line.run = "Evaluation", self._id, 0
        return True

    def _take_run(self, line: Line, event: Json) -> bool:
        word = event["type"].removeprefix("Map")
        again = word == "RunRedriven"
        if not _is_distributed(line.definition) or (again and line.last != line.revived):
            return False
        line.phase = "RunStarted" if again else word
        if word == "RunSucceeded":
            line.run = self._id
        else:
            line.last = self._id
        return True

    def _complete(self, line: Line, event: Json) -> bool:
        if line.run:
            line.phase = "Succeeded"
            return bool(event["previousEventId"] == line.run)
        if line.children or line.begun != line.length or line.phase != "Started":
            return False
        line.phase = "Succeeded"
        return True

    def _fail_join(self, line: Line, _event: Json) -> bool:
        if line.phase == "Started" and not self._gave_up(line):
            return False
        line.give_up()
        line.phase, line.last = "Failed", self._id
        return True

    def _enter(self, line: Line, type_: str, event: Json) -> bool:
        name = event["stateEnteredEventDetails"]["name"]
        if line.state is not None or line.over or name not in line.targets:
            return False
        line.before = event["previousEventId"]
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
        line.children, line.kept, line.run = [], [], 0
        line.begun = line.length = 0
        line.joined = False
        if line.over and line.parent is not None and line.parent.definition["Type"] == "Parallel":
            self._close(line, "done", line.parent)
        return ends or bool(line.targets)

    def _abort(self, line: Line, type_: str, _event: Json) -> bool:
        allowed = line.phase in ABORTS.get(type_, ()) and line.definition["Type"] == type_
        inside = line.parent is not None
        if not (allowed and inside) or any(child.is_open() for child in line.children):
            return False
        line.give_up()
        line.over, line.last = "aborted", self._id
        return True

    def _gave_up(self, line: Line) -> bool:
        """One inside has failed, and none of the others is still waiting."""
        inside = line.children
        return any(child.failed for child in inside) and not any(map(Line.is_open, inside))

    def _begin_join(self, line: Line, event: Json) -> bool:
        state, revived = line.definition, line.last == line.revived
        if line.phase != "Entered" and not revived and not state.get("Retry"):
            return False
        if line.phase == "Started" and not revived and not self._gave_up(line):
            return False
        line.joined = not _is_distributed(state)
        line.phase, line.last, line.iteration = "Started", self._id, 0
        line.children, line.kept, line.begun, line.run = [], [], 0, 0
        if state["Type"] == "Map":
            line.length = event["mapStateStartedEventDetails"]["length"]
        else:
            line.length = line.begun = len(state["Branches"])
            line.children = [
                self._line(branch, place, line) for place, branch in enumerate(state["Branches"])
            ]
        return True

    def _begin_iteration(self, line: Line, event: Json) -> bool:
        state = line.definition
        if _is_distributed(state):
            return False
        names = {"name": line.state, "index": line.begun}
        room = len(line.children) < _at_a_time(state)
        if event["mapIterationStartedEventDetails"] != names or not room:
            return False
        line.children.append(self._line(_inside(state), line.begun, line))
        line.begun, line.last = line.begun + 1, self._id
        return True


_OF_STATES = ("Entered", "Exited", "Aborted")
_OF_RUNS = ("Started", "Succeeded", "Failed", "Aborted", "Redriven")
_OF_JOINS: dict[str, Callable[[_Reader, Line, Json], bool]] = {
    "ParallelStateStarted": _Reader._begin_join,
    "MapStateStarted": _Reader._begin_join,
    "MapIterationStarted": _Reader._begin_iteration,
    **{f"MapRun{how}": _Reader._take_run for how in _OF_RUNS},
    "ParallelStateSucceeded": _Reader._complete,
    "MapStateSucceeded": _Reader._complete,
    "ParallelStateFailed": _Reader._fail_join,
    "MapStateFailed": _Reader._fail_join,
}
