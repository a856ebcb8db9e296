"""How a frame goes through a state, the same for every type: enter, attempt, succeed or fail,
leave.

Here and nowhere else stand what Retry and Catch match, how large documents and variables may be,
and how a failure climbs out of a branch or an iteration. How data enters and leaves a state is its
query language's matter (``gateway.asl.languages``).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from random import Random
from typing import Final, TypeAlias

import orjson

from gateway.asl import map_run_records as m
from gateway.asl import records as r
from gateway.asl.context import context_object
from gateway.asl.errors import QueryEvaluationError, StateError
from gateway.asl.execution import Execution
from gateway.asl.frame import Frame
from gateway.asl.languages.language import Outcome
from gateway.asl.records import INTERNAL, SAME, Record
from gateway.asl.resources import ACTIVITY, family, name_in_errors
from gateway.asl.scope import Json, Scope
from gateway.asl.states.state import Program, Retrier, State, StateMachine
from gateway.asl.tokens import token_text
from gateway.asl.variables import check_variables

MAX_EVENTS: Final = 25_000
MAX_EXPRESS_EVENTS: Final = 1_000_000
"""AWS has no limit there. Ours keeps the memory that one execution can take within bounds."""
MAX_DOCUMENT_BYTES: Final = 262_144
MAX_DELAY_SECONDS: Final = 31_622_400

UNCATCHABLE: Final = frozenset({"States.Runtime"})
"""These fail the execution, whatever Retry and Catch say."""
NAMED_ONLY: Final = frozenset({"States.DataLimitExceeded"})
"""States.ALL and States.TaskFailed do not match these."""
NOT_TASK_FAILED: Final = frozenset({"States.Timeout"})
_FAILED: Final[dict[str, type[r.MapFailed | r.ParallelFailed]]] = {
    "Map": r.MapFailed,
    "Parallel": r.ParallelFailed,
}
"""How it is told that a state with others inside has failed."""


Witness: TypeAlias = Callable[[Record, Execution, int], None]
"""Sees a record, the execution as it has become by it, and when that was."""

Lookup: TypeAlias = Callable[[str], object | None]
"""Finds something by its ARN; None where it does not exist."""


class HistoryFull(Exception):
    """The next event would be the last one, number 25,000, which AWS keeps for the failure."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The execution reached the maximum number of history events ({most}).")


class Run:
    """One step in the making: applies each record as it is emitted and keeps what the step is made
    of."""

    def __init__(
        self,
        machine: StateMachine,
        execution: Execution,
        at: int,
        seed: bytes,
        witness: Witness | None = None,
        activity: Lookup | None = None,
    ) -> None:
        """``witness`` sees each record right after it was applied. Without ``activity``, every
        activity exists."""
        self.machine = machine
        self.execution = execution
        self.at = at
        self.records: list[Record] = []
        self.transitions = 0
        self._seed = seed
        self._witness = witness
        self._activity = activity
        self._texts: dict[int, tuple[Json, bytes]] = {}

    @cached_property
    def random(self) -> Random:
        """The step's dice, from its seed."""
        return Random(self._seed)

    def lacks(self, resource: str) -> bool:
        """Whether the Resource is an activity that does not exist."""
        find = self._activity
        return find is not None and family(resource) == ACTIVITY and find(resource) is None

    # ------------------------------------------------------------------ emitting
    def emit(self, record: Record) -> None:
        """Apply the record and add it to the step."""
        execution = self.execution
        if execution.event_id >= MAX_EVENTS - 1 and type(record) not in INTERNAL:
            most = MAX_EXPRESS_EVENTS if execution.identity.express else MAX_EVENTS
            if execution.event_id >= most - 1:
                raise HistoryFull(most)
        self.write(record)

    def write(self, record: Record) -> None:
        """``emit`` for the record that ends a history which is full."""
        self.execution.apply(record, self.at)
        self.records.append(record)
        if self._witness is not None:
            self._witness(record, self.execution, self.at)

    def number(self) -> int:
        """A number that no frame, timer or task of the execution ever had."""
        return self.execution.next_number

    def token(self) -> str:
        """The token of the task that takes the next number. It comes from the seed by another way
        than the dice, so that whoever saw what they gave cannot know it."""
        number = self.number()
        secret = sha256(self._seed + number.to_bytes(8, "big")).digest()[:16]
        return token_text(self.execution.identity.id, number, secret)

    def dumps(self, value: Json) -> bytes:
        """The document as JSON text; made once in a step for the same object."""
        known = self._texts.get(id(value))
        if known is None:
            try:
                known = self._texts[id(value)] = (value, orjson.dumps(value))
            except TypeError as error:
                raise StateError("States.Runtime", str(error), located=True) from None
        return known[1]

    def checked(self, value: Json, what: str) -> Json:
        """The document, unless it is over the limit of 256 KiB or cannot be written as JSON."""
        if len(self.dumps(value)) > MAX_DOCUMENT_BYTES:
            raise StateError(
                "States.DataLimitExceeded",
                f"The {what} with a size exceeding the maximum number of bytes service limit.",
            )
        return value

    # ---------------------------------------------------------------- evaluating
    def scope(self, frame: Frame, data: Json, item: dict[str, Json] | None = None) -> Scope:
        """What the expressions of the frame's state see, with ``$`` over ``data``; ``item`` where
        they shape an iteration that is yet to begin."""
        return Scope(
            data,
            lambda: self.context(frame, item),
            lambda: self.random,
            frame.variables,
            self.at,
        )

    def context(self, frame: Frame, item: dict[str, Json] | None) -> dict[str, Json]:
        """The Context Object; see ``scope``."""
        return context_object(self.execution, frame, item)

    def state(self, frame: Frame) -> State:
        """The state that the frame is in."""
        assert frame.state is not None, "asked only of a frame that is in a state"
        return self.program(frame).states[frame.state]

    def program(self, frame: Frame) -> Program:
        """The states among which the frame moves: the machine's, a branch's or an iteration's."""
        if frame.parent is None:
            return self.machine
        parent = self.execution.frames[frame.parent]
        programs = self.state(parent).programs
        return programs[frame.index] if parent.type == "Parallel" else programs[0]


# ------------------------------------------------------------------------ the way through


def enter(run: Run, frame: Frame) -> None:
    """Enter the next state of the frame (the first one of its program, if it has not begun)."""
    program = run.program(frame)
    state = program.states[frame.next or program.start_at]
    run.transitions += 1
    run.emit(r.StateEntered(frame.id, state.type, state.name))
    attempt(run, frame, state)


def attempt(run: Run, frame: Frame, state: State) -> None:
    """Do the state the frame is in, for the first time or again."""
    try:
        state.start(run, frame, effective_input(run, frame, state))
    except StateError as error:
        fail(run, frame, error)


def effective_input(run: Run, frame: Frame, state: State) -> Json:
    """The document in hand after the state's way in."""
    return frame.data if state.entry is None else state.entry(run, frame)


def leave(run: Run, frame: Frame, state: State, value: Json) -> None:
    """Leave the state, whose idea came to ``value``. Raises StateError."""
    exit_to(run, frame, state, state.exit.outcome(run, frame, value), state.next)


def exit_to(run: Run, frame: Frame, state: State, outcome: Outcome, target: str | None) -> None:
    """Leave the state for ``target``; end the frame where there is none."""
    output, assigned = outcome
    if output is frame.data:
        output = SAME
    else:
        run.checked(output, f"state/task '{state.name}' returned a result")
    if assigned:
        check_variables(run, frame, state.name, assigned)
        run.emit(r.VariablesAssigned(frame.id, assigned))
    run.emit(r.StateExited(frame.id, output, target))
    if target is None:
        _end(run, frame)


def _end(run: Run, frame: Frame) -> None:
    if frame.parent is None:
        run.emit(r.ExecutionSucceeded(frame.id))
    elif run.execution.frames[frame.parent].type == "Map":
        run.emit(r.MapIterationSucceeded(frame.id))
    else:
        run.emit(r.BranchSucceeded(frame.id))


def check_result(run: Run, resource: str, result: Json) -> None:
    """Raise StateError where a task's result is too large."""
    try:
        run.checked(result, f"state/task '{name_in_errors(resource)}' returned a result")
    except StateError as error:
        # AWS: States.ALL does catch this one, unlike the same error of a state's output.
        raise StateError(error.error, error.cause, also="States.ALL") from None


# ------------------------------------------------------------------------------- failures


def fail(run: Run, frame: Frame, error: StateError) -> None:
    """The state failed: Retry, Catch, or up and out."""
    state = run.state(frame)
    _tell(run, frame, state, error)
    caught = error.error not in UNCATCHABLE and (
        _retry(run, frame, state, error) or _catch(run, frame, state, error)
    )
    if not caught:
        _climb(run, frame, state, error)


def _tell(run: Run, frame: Frame, state: State, error: StateError) -> None:
    """Say in the cause where it happened; a failed evaluation has an event of its own."""
    if error.located:
        place = f"(entered at the event id #{frame.entered_event}). "
        error.locate(f"An error occurred while executing the state '{state.name}' {place}")
    if isinstance(error, QueryEvaluationError):
        run.emit(r.EvaluationFailed(frame.id, error.error, error.cause, error.location))


def matches(names: tuple[str, ...], failure: StateError) -> bool:
    """Whether an ErrorEquals list matches the error."""
    error = failure.error
    if error in names or (failure.also is not None and failure.also in names):
        return True
    if error in NAMED_ONLY:
        return False
    return "States.ALL" in names or ("States.TaskFailed" in names and error not in NOT_TASK_FAILED)


def _retry(run: Run, frame: Frame, state: State, error: StateError) -> bool:
    for index, retrier in enumerate(state.retry):
        if not matches(retrier.errors, error):
            continue
        used = frame.retries.get(index, 0)
        if used >= retrier.max_attempts:
            return False
        _abort_below(run, frame)
        interval = _delay_ms(retrier, used, run.random)
        due = run.at + interval
        run.emit(r.RetryScheduled(frame.id, run.number(), index, due, interval))
        return True
    return False


def _delay_ms(retrier: Retrier, used: int, random: Random) -> int:
    longest = min(retrier.max_delay_seconds or MAX_DELAY_SECONDS, MAX_DELAY_SECONDS)
    try:
        seconds = min(retrier.interval_seconds * retrier.backoff_rate**used, longest)
    except OverflowError:
        seconds = longest
    if retrier.full_jitter:
        seconds = random.uniform(0, seconds)
    return round(seconds * 1000)


def _catch(run: Run, frame: Frame, state: State, error: StateError) -> bool:
    for catcher in state.catch:
        if not matches(catcher.errors, error):
            continue
        output = {"Error": error.error, "Cause": error.cause}
        if error.error in NOT_TASK_FAILED and error.cause is None:
            # Only here AWS shows a cause of what has timed out.
            output["Cause"] = ""
        # What runs in the state is over before anything is made of its failure.
        _abort_below(run, frame)
        try:
            outcome = catcher.exit.outcome(run, frame, output)
            _fail_join(run, frame, error)
            exit_to(run, frame, state, outcome, catcher.next)
        except StateError as worse:
            _tell(run, frame, state, worse)
            _climb(run, frame, state, worse)
        return True
    return False


def _climb(run: Run, frame: Frame, state: State, error: StateError) -> None:
    """Nothing in the state takes the error: it ends the frame, and fails the state around it."""
    if error.error not in UNCATCHABLE:
        _fail_join(run, frame, error)
    if frame.parent is None or error.error in UNCATCHABLE:
        run.emit(r.ExecutionFailed(frame.id, error.error, error.cause))
        return
    if state.type == "Task":
        run.emit(r.StateAborted(frame.id))
    parent = run.execution.frames[frame.parent]
    iteration = parent.type == "Map"
    run.emit(r.MapIterationFailed(frame.id) if iteration else r.BranchFailed(frame.id))
    fail(run, parent, StateError(error.error, error.cause, also=error.also))


def _fail_join(run: Run, frame: Frame, error: StateError) -> None:
    """Say that the Parallel or Map state of the frame has failed, after giving up what
    runs in it. One that is complete has succeeded, and only its result failed the state."""
    if frame.type not in _FAILED:
        return
    if frame.join is None or frame.join.over:
        begun = isinstance(error, QueryEvaluationError)
    else:
        begun = not frame.join.complete
    if begun:
        _abort_below(run, frame)
        run.emit(_FAILED[frame.type](frame.id))


def _abort_below(run: Run, frame: Frame) -> None:
    """Write the end of every line of control below the frame but the one that failed: it has
    ended."""
    if frame.join is None:
        return
    for number in sorted(frame.join.children):
        child = run.execution.frames[number]
        if child.wait is None and (child.join is None or child.join.over or child.distributed):
            # One that a redrive has not yet set going again ends as it was.
            continue
        _abort_below(run, child)
        map_run = None if child.wait is None else run.execution.map_run(child.wait)
        if map_run is not None:
            run.emit(m.MapRunAborted(number, map_run.number))
        run.emit(r.StateAborted(number))
        if frame.type == "Map":
            run.emit(r.MapIterationAborted(number))
