"""``apply``: the only way in which an execution's state changes, live and after a restart alike.

``apply`` evaluates nothing: no path, no template, no retry arithmetic. What it needs is in the
record or came with an earlier one, so folding the history gives the live state whatever version of
the language runs. It also keeps the outstanding effects (timers, tasks, map runs) and notes which
of them changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from gateway.asl import map_run_records as m
from gateway.asl import pattern_records as p
from gateway.asl import records as r
from gateway.asl import redrive_records as rr
from gateway.asl.frame import Frame, Join, MapRun, Task, Timer
from gateway.asl.frames import Frames, Status, effect_key
from gateway.asl.records import INTERNAL, SAME, Record
from gateway.asl.resources import ACTIVITY, CALLBACK, family, pattern
from gateway.asl.tokens import token_hash

_FINAL: Final[dict[type[Record], Status]] = {
    r.ExecutionSucceeded: "SUCCEEDED",
    r.ExecutionFailed: "FAILED",
    r.ExecutionAborted: "ABORTED",
    r.ExecutionTimedOut: "TIMED_OUT",
}


class Execution(Frames):
    """The state of one execution, folded from its records."""

    def apply(self, record: Record, at: int) -> None:
        """Change the state as the record says; ``at`` is when it was written."""
        change, events = _APPLY[type(record)]
        self.sequence += 1
        self.event_id += events
        change(self, record, at)

    # One method for each kind of record.
    def _execution_started(self, record: r.ExecutionStarted, _at: int) -> None:
        frame = Frame(0, None, 0, self.input, 0)
        self._add_frame(frame)
        if record.number is not None and record.due is not None:
            self._number(record.number)
            self._put(Timer(record.number, "execution", record.due, record.interval))

    def _execution_redriven(self, record: rr.ExecutionRedriven, _at: int) -> None:
        self.previous_event_id = self.event_id - 1
        self.status, self.stop_at, self.error, self.cause = "RUNNING", None, None, None
        self._revive(self.frames[record.frame])
        if record.number is not None and record.due is not None:
            self._number(record.number)
            self._put(Timer(record.number, "execution", record.due, record.interval))

    def _redrive_named(self, record: rr.RedriveNamed, at: int) -> None:
        self.redrives = (*self.redrives, (record.token, at))[-rr.TOKENS_MAX :]

    def _state_entered(self, record: r.StateEntered, at: int) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        frame.state, frame.type, frame.next = record.name, record.type, None
        frame.entered_at, frame.entered_event = at, self.event_id
        frame.entered_after = self.previous_event_id
        frame.resource = frame.token = ""
        if frame.retries:
            frame.retries = {}
        if frame.assigned:
            frame.assigned = None

    def _state_exited(self, record: r.StateExited, _at: int) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        self._wake(frame)
        if frame.join is not None:
            self._remove_children(frame)
        frame.left, frame.state, frame.next = frame.state or "", None, record.next
        frame.map_run = None
        if record.output is not SAME:
            frame.data = record.output

    def _variables_assigned(self, record: r.VariablesAssigned, _at: int) -> None:
        frame = self.frames[record.frame]
        frame.assigned = record.variables
        frame.variables = {**frame.variables, **record.variables}

    def _evaluation_failed(self, record: r.EvaluationFailed, _at: int) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        # AWS: it does not follow the event of the state's beginning but what that one follows;
        # the failure of a Wait's Timestamp, however, does.
        if self.previous_event_id == frame.entered_event and record.location != "Timestamp":
            self.previous_event_id = frame.entered_after

    def _state_aborted(self, record: r.StateAborted, _at: int) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        self._stop(frame)

    def _wait_started(self, record: r.WaitStarted, _at: int) -> None:
        self._park(self.frames[record.frame], record.number)
        self._put(Timer(record.number, "wait", record.due, record.interval))

    def _retry_scheduled(self, record: r.RetryScheduled, _at: int) -> None:
        frame = self.frames[record.frame]
        self._wake(frame)
        self._remove_children(frame)
        frame.retries[record.retrier] = frame.retries.get(record.retrier, 0) + 1
        self._park(frame, record.number)
        self._put(Timer(record.number, "retry", record.due, record.interval))

    def _task_scheduled(self, record: r.TaskScheduled, at: int) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        self._wake(frame)
        frame.resource = record.resource
        self._park(frame, record.number)
        given = frame.data if record.input is SAME else record.input
        timeouts = (record.timeout_seconds, record.heartbeat_seconds)
        task = Task(
            record.number, record.frame, record.resource, given, *timeouts, at, role=record.role
        )
        self._put(task._replace(token_hash=token_hash(frame.token)) if frame.token else task)

    def _task_started(self, record: r.TaskStarted | r.TaskResumed, at: int) -> None:
        frame = self.frames[record.frame]
        if isinstance(record, r.TaskStarted):
            self._event(frame)
        task = self.task(record.number)
        assert task is not None, "a task that starts is open"
        frame.handed_out = record.number
        self._put(task._replace(started_at=at, worker=record.worker, token_hash=record.token_hash))
        limits = {"timeout": task.timeout_seconds}
        if task.heartbeat_seconds is not None and _is_elsewhere(task.resource):
            limits["heartbeat"] = task.heartbeat_seconds
        for kind, seconds in limits.items():
            if seconds is not None:
                self._put(Timer(record.number, kind, at + seconds * 1000, seconds * 1000))

    def _task_token_made(self, record: p.TaskTokenMade, _at: int) -> None:
        self.frames[record.frame].token = record.token

    def _task_submitted(self, record: p.TaskSubmitted, at: int) -> None:
        self._event(self.frames[record.frame])
        task = self.task(record.number)
        assert task is not None, "a task whose call is answered is open"
        self._put(task._replace(submitted_at=at))

    def _task_returned(self, record: r.TaskReturned, _at: int) -> None:
        task = self.task(record.number)
        assert task is not None, "a task that is returned is open"
        self._put(task._replace(started_at=None, worker=None, token_hash=None))
        self._drop(record.number, "timeout", "heartbeat")

    def _task_answered(self, _record: r.TaskAnswered, _at: int) -> None:
        """Who answered is for people to read: nothing follows from it."""

    def _task_ended(
        self,
        record: r.TaskSucceeded | r.TaskFailed | r.TaskTimedOut | m.MapRunFailed | m.MapRunAborted,
        _at: int,
    ) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        self._wake(frame)

    def _parallel_started(self, record: r.ParallelStarted, _at: int) -> None:
        frame = self._begin_join(record.frame, Join(record.branches))
        assert frame.join is not None, "it has just begun"
        data = frame.data if record.input is SAME else record.input
        frame.join.started = record.branches
        for index in range(record.branches):
            number = record.first + index
            child = Frame(number, frame.id, index, data, self.event_id, frame.variables)
            frame.join.children.add(child.id)
            self._add_frame(child)
        self._settle(frame)

    def _begin_join(self, number: int, join: Join) -> Frame:
        frame = self.frames[number]
        self._event(frame)
        self._wake(frame)
        frame.join = join
        self._settle(frame)
        return frame

    def _map_started(self, record: r.MapStarted, _at: int) -> None:
        items = self.frames[record.frame].data if record.items is SAME else record.items
        self._begin_join(record.frame, Join(record.length, items, record.concurrency))

    def _map_iteration_started(self, record: r.MapIterationStarted, _at: int) -> None:
        frame = self.frames[record.frame]
        assert frame.join is not None, "an iteration belongs to a Map that has started"
        # AWS: an iteration follows the last event inside the one before it.
        self._event(frame)
        join = frame.join
        data = join.items[record.item] if record.input is SAME else record.input
        join.started = record.item + 1
        join.children.add(record.child)
        child = Frame(record.child, frame.id, record.item, data, self.event_id, frame.variables)
        self._add_frame(child)
        self._settle(frame)

    def _child_succeeded(
        self, record: r.BranchSucceeded | r.MapIterationSucceeded, _at: int
    ) -> None:
        frame = self._remove_frame(record.frame)
        parent = self._parent(frame)
        assert parent.join is not None, "a child's parent joins"
        parent.join.results[frame.index] = frame.data
        parent.join.children.discard(frame.id)
        self.previous_event_id = parent.last_event = frame.last_event
        if isinstance(record, r.MapIterationSucceeded):
            parent.join.ended_event = self.event_id
        self._settle(parent)
        self._note_iteration(frame, parent)

    def _note_iteration(self, frame: Frame, parent: Frame) -> None:
        self.ended_iteration = {"name": parent.state, "index": frame.index}

    def _child_failed(self, record: r.BranchFailed | r.MapIterationFailed, _at: int) -> None:
        frame = self.frames[record.frame]
        # What its timer set going may have failed before anything else woke it.
        self._stop(frame)
        parent = self._parent(frame)
        self.previous_event_id = parent.last_event = frame.last_event
        self._note_iteration(frame, parent)

    def _map_iteration_aborted(self, record: r.MapIterationAborted, _at: int) -> None:
        frame = self.frames[record.frame]
        self.previous_event_id = frame.last_event
        self._note_iteration(frame, self._parent(frame))

    def _parent(self, frame: Frame) -> Frame:
        assert frame.parent is not None, "the execution's own frame has no parent"
        return self.frames[frame.parent]

    def _join_succeeded(self, record: r.ParallelSucceeded | r.MapSucceeded, _at: int) -> None:
        # AWS: this and the exit that follows point to the last iteration's success, while the next
        # iteration pointed to the last event inside it.
        frame = self.frames[record.frame]
        if frame.join is not None and frame.join.ended_event:
            frame.last_event = frame.join.ended_event
        self.previous_event_id = frame.last_event

    def _join_failed(self, record: r.ParallelFailed | r.MapFailed, _at: int) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        self._stop_below(frame)

    def _distributed_map_started(self, record: m.DistributedMapStarted, _at: int) -> None:
        self._begin_join(record.frame, Join(1))

    def _map_run_started(self, record: m.MapRunStarted, at: int) -> None:
        frame = self.frames[record.frame]
        self._event(frame)
        self._park(frame, record.number)
        items = frame.data if record.items is SAME else record.items
        what = (record.label, record.id, items, record.limits, record.options)
        frame.map_run = MapRun(record.number, record.frame, *what, at, record.number)
        self._put(frame.map_run)

    def _map_run_redriven(self, record: m.MapRunRedriven, _at: int) -> None:
        frame = self.frames[record.frame]
        assert frame.map_run is not None, "only a map run that has failed is redriven"
        self._event(frame)
        self._park(frame, record.wait)
        frame.map_run = run = frame.map_run._replace(wait=record.wait, redrives=record.redrives)
        # Its row stands since it began.
        self.touched[effect_key(run)] = (run, run)
        self._put(run)

    def _map_run_failed(self, record: m.MapRunFailed, at: int) -> None:
        self._task_ended(record, at)
        if record.error == "States.DataLimitExceeded":
            # AWS: what did not fit would not fit again; a redrive begins another run.
            self.frames[record.frame].map_run = None

    def _map_run_succeeded(self, record: m.MapRunSucceeded, _at: int) -> None:
        # AWS: what comes after the state follows the start of the run.
        frame = self.frames[record.frame]
        self.previous_event_id = frame.last_event
        self._wake(frame)
        frame.map_run = None
        if frame.join is not None:
            frame.join.started = 1

    def _distributed_map_succeeded(self, _record: m.DistributedMapSucceeded, _at: int) -> None:
        self.previous_event_id = self.event_id - 1

    def _execution_ended(
        self,
        record: r.ExecutionSucceeded | r.ExecutionFailed | r.ExecutionAborted | r.ExecutionTimedOut,
        at: int,
    ) -> None:
        # AWS: what ends an execution from outside follows nothing; a failure follows what failed.
        outside = isinstance(record, r.ExecutionAborted | r.ExecutionTimedOut)
        self.previous_event_id = 0 if outside else self.frames[record.frame].last_event
        if not isinstance(record, r.ExecutionSucceeded):
            self.error, self.cause = record.error, record.cause
        self.status, self.stop_at = _FINAL[type(record)], at
        self.ready.clear()
        for key in list(self.effects):
            self._drop(*key)

    CHANGES: ClassVar[dict[type[Record], Callable[[Execution, Any, int], None]]] = {
        r.ExecutionStarted: _execution_started,
        rr.ExecutionRedriven: _execution_redriven,
        rr.RedriveNamed: _redrive_named,
        r.StateEntered: _state_entered,
        r.StateExited: _state_exited,
        r.VariablesAssigned: _variables_assigned,
        r.EvaluationFailed: _evaluation_failed,
        r.StateAborted: _state_aborted,
        r.WaitStarted: _wait_started,
        r.RetryScheduled: _retry_scheduled,
        r.TaskScheduled: _task_scheduled,
        r.TaskStarted: _task_started,
        p.TaskTokenMade: _task_token_made,
        p.TaskSubmitted: _task_submitted,
        r.TaskReturned: _task_returned,
        r.TaskResumed: _task_started,
        r.TaskAnswered: _task_answered,
        r.TaskSucceeded: _task_ended,
        r.TaskFailed: _task_ended,
        r.TaskTimedOut: _task_ended,
        r.ParallelStarted: _parallel_started,
        r.BranchSucceeded: _child_succeeded,
        r.ParallelSucceeded: _join_succeeded,
        r.ParallelFailed: _join_failed,
        r.MapStarted: _map_started,
        r.MapIterationStarted: _map_iteration_started,
        r.MapIterationSucceeded: _child_succeeded,
        r.BranchFailed: _child_failed,
        r.MapIterationFailed: _child_failed,
        r.MapIterationAborted: _map_iteration_aborted,
        r.MapSucceeded: _join_succeeded,
        r.MapFailed: _join_failed,
        m.DistributedMapStarted: _distributed_map_started,
        m.MapRunStarted: _map_run_started,
        m.MapRunRedriven: _map_run_redriven,
        m.MapRunSucceeded: _map_run_succeeded,
        m.MapRunFailed: _map_run_failed,
        m.MapRunAborted: _task_ended,
        m.DistributedMapSucceeded: _distributed_map_succeeded,
        r.ExecutionSucceeded: _execution_ended,
        r.ExecutionFailed: _execution_ended,
        r.ExecutionAborted: _execution_ended,
        r.ExecutionTimedOut: _execution_ended,
    }


def _is_elsewhere(resource: str) -> bool:
    """Whether somebody has the task who can send heartbeats."""
    return family(resource) == ACTIVITY or pattern(resource) == CALLBACK


_APPLY: Final = {
    kind: (change, 0 if kind in INTERNAL else 1) for kind, change in Execution.CHANGES.items()
}
"""What a record changes, and how many events of AWS's history it is."""
