"""``advance``: what follows from a stimulus. Pure: no I/O, no clock, no dice of its own, and it
never raises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gateway.asl import flow
from gateway.asl import pattern_records as p
from gateway.asl import records as r
from gateway.asl import redrive_records as rr
from gateway.asl import stimuli as s
from gateway.asl.errors import StateError
from gateway.asl.execution import Execution
from gateway.asl.flow import HistoryFull, Lookup, Run, Witness
from gateway.asl.frame import Frame, Task, Timer
from gateway.asl.records import Record
from gateway.asl.scope import Json
from gateway.asl.states import distributed
from gateway.asl.states.state import StateMachine
from gateway.asl.stimuli import Stimulus

BUDGET = 200
"""Transitions of one step; then the caller lets others run and goes on with ``Continue``."""


_RUNNING: Final = frozenset({"RUNNING"})
_REDRIVABLE: Final = frozenset({"FAILED", "ABORTED", "TIMED_OUT"})


@dataclass(frozen=True, slots=True)
class Step:
    """What a stimulus led to. The records have been applied; the changed effects are in the
    execution."""

    records: list[Record]
    more: bool
    """Give ``Continue``: it could go on, but its budget is spent."""
    taken: bool
    """The stimulus counted; False where nothing waited for it, whatever else went on."""
    dumps: Callable[[Json], bytes]
    """Memo of the documents' texts, for the codec."""
    bug: Exception | None = None
    """A defect of ours: the execution has failed with States.Runtime; to be reported loudly."""


def advance(
    machine: StateMachine,
    execution: Execution,
    stimulus: Stimulus,
    at: int,
    seed: bytes,
    budget: int = BUDGET,
    witness: Witness | None = None,
    activity: Lookup | None = None,
) -> Step:
    """Apply the stimulus and go on as far as possible without the outside world.

    ``at`` is milliseconds since the epoch, ``seed`` 16 bytes. A stimulus for something that no
    longer waits gives a step without records. ``witness`` sees each record when it was applied;
    ``activity`` finds the activities that there are, without which every one exists.
    """
    run = Run(machine, execution, at, seed, witness, activity)
    bug: Exception | None = None
    taken = False
    try:
        if execution.status in (_REDRIVABLE if isinstance(stimulus, s.Redrive) else _RUNNING):
            try:
                _take(run, stimulus)
            finally:
                taken = bool(run.records)
            _go_on(run, budget)
    except HistoryFull as full:
        _end(run, str(full))
    except Exception as error:
        bug = error
        _end(run, f"Internal error: {type(error).__name__}: {error}")
    return Step(run.records, bool(execution.ready), taken, run.dumps, bug)


def _end(run: Run, cause: str) -> None:
    run.write(r.ExecutionFailed(0, "States.Runtime", cause))


def _go_on(run: Run, budget: int) -> None:
    execution = run.execution
    while execution.ready and run.transitions < budget:
        frame = execution.frames[next(iter(execution.ready))]
        if frame.join is None:
            flow.enter(run, frame)
        else:
            _guarded(run, frame, run.state(frame).joined)


def _guarded(run: Run, frame: Frame, act: Callable[[Run, Frame], None]) -> None:
    try:
        act(run, frame)
    except StateError as error:
        flow.fail(run, frame, error)


# --------------------------------------------------------------------- stimuli


def _take(run: Run, stimulus: Stimulus) -> None:
    match stimulus:
        case s.Start():
            _start(run)
        case s.Continue():
            pass
        case s.TimerFired(number, kind, due):
            timer = run.execution.effects.get((number, kind))
            if isinstance(timer, Timer) and timer.due <= due:
                _timer_fired(run, number, kind)
        case s.Stop() | s.Expire() | s.Redrive():
            _obey(run, stimulus)
        case s.HandOut() | s.Return() | s.Submit() | s.Succeed() | s.Fail():
            task = run.execution.task(stimulus.number)
            if task is not None:
                _answer(run, task, stimulus)
            elif isinstance(stimulus, s.Succeed | s.Fail):
                distributed.answer(run, stimulus)


def _time_out(run: Run) -> None:
    distributed.abort_all(run)
    run.emit(r.ExecutionTimedOut(0, None, None))


def _start(run: Run) -> None:
    if run.execution.frames:
        return
    seconds = run.machine.timeout_seconds
    if seconds is None:
        run.emit(r.ExecutionStarted(0, None, None, 0))
    else:
        start = run.execution.identity.start_at
        run.emit(r.ExecutionStarted(0, 1, start + seconds * 1000, seconds * 1000))


def _obey(run: Run, stimulus: s.Stop | s.Expire | s.Redrive) -> None:
    match stimulus:
        case s.Stop(error, cause):
            distributed.abort_all(run)
            run.emit(r.ExecutionAborted(0, error, cause))
        case s.Expire():
            _time_out(run)
        case s.Redrive():
            _redrive(run, stimulus)


def _redrive(run: Run, asked: s.Redrive) -> None:
    seconds = run.machine.timeout_seconds
    timer: tuple[int | None, int | None, int] = (None, None, 0)
    if seconds is not None:
        timer = (run.number(), run.at + seconds * 1000, seconds * 1000)
    run.emit(rr.ExecutionRedriven(0, asked.redrives, *timer))
    if asked.token is not None:
        run.emit(rr.RedriveNamed(0, asked.token))
    # Those that stand in a state do it again; what one of them comes to may end the others.
    for frame in list(run.execution.frames.values()):
        alive = run.execution.status == "RUNNING" and frame.id in run.execution.frames
        if not alive or frame.state is None or frame.wait is not None:
            continue
        if frame.join is None:
            flow.attempt(run, frame, run.state(frame))
        elif frame.map_run is not None:
            distributed.redrive(run, frame.map_run)


def _timer_fired(run: Run, number: int, kind: str) -> None:
    if kind == "execution":
        _time_out(run)
        return
    task = run.execution.task(number)
    if task is not None:
        frame = run.execution.frames[task.frame]
        # AWS calls a missed heartbeat States.Timeout, too; the narrower name may be asked for.
        also = "States.HeartbeatTimeout" if kind == "heartbeat" else None
        run.emit(r.TaskTimedOut(frame.id, number, "States.Timeout", None))
        flow.fail(run, frame, StateError("States.Timeout", None, also=also))
        return
    frame = next(f for f in run.execution.frames.values() if f.wait == number)
    if kind == "retry":
        flow.attempt(run, frame, run.state(frame))
    else:
        _guarded(run, frame, run.state(frame).timer_fired)


def _answer(
    run: Run, task: Task, stimulus: s.HandOut | s.Return | s.Submit | s.Succeed | s.Fail
) -> None:
    frame = run.execution.frames[task.frame]
    match stimulus:
        case s.HandOut(number, worker, token_hash):
            if task.started_at is None:
                kind = r.TaskResumed if frame.handed_out == number else r.TaskStarted
                run.emit(kind(frame.id, number, worker, token_hash))
        case s.Return(number, token_hash):
            if task.token_hash == token_hash:
                run.emit(r.TaskReturned(frame.id, number))
        case s.Submit(number, output):
            if task.submitted_at is None and _fits(run, frame, task, output):
                run.emit(p.TaskSubmitted(frame.id, number, output))
        case s.Succeed(token_hash=token_hash) | s.Fail(token_hash=token_hash):
            if token_hash is None or token_hash == task.token_hash:
                _ended(run, frame, task, stimulus)


def _ended(run: Run, frame: Frame, task: Task, stimulus: s.Succeed | s.Fail) -> None:
    if stimulus.answered is not None:
        run.emit(r.TaskAnswered(frame.id, *stimulus.answered))
    match stimulus:
        case s.Succeed(number, output):
            if not _fits(run, frame, task, output):
                return
            run.emit(r.TaskSucceeded(frame.id, number, output))
            state = run.state(frame)
            _guarded(run, frame, lambda run, frame: flow.leave(run, frame, state, output))
        case s.Fail(number, error_name, cause):
            _task_failed(run, frame, number, StateError(error_name, cause))


def _fits(run: Run, frame: Frame, task: Task, output: Json) -> bool:
    """Whether what was answered is not too large; where it is, the task has failed."""
    try:
        flow.check_result(run, task.resource, output)
    except StateError as error:
        _task_failed(run, frame, task.number, error)
        return False
    return True


def _task_failed(run: Run, frame: Frame, number: int, error: StateError) -> None:
    run.emit(r.TaskFailed(frame.id, number, error.error, error.cause))
    flow.fail(run, frame, error)
