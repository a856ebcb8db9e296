"""Activity queues: which tasks wait for a worker, and which workers wait for a task.

A parked poll is one event in a deque. The queues hold keys alone; what a task is given stands in
its row.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import NamedTuple

import trio

from gateway.asl.resources import ACTIVITY, family
from gateway.store.rows import TaskKey, TaskRow


class ActivityTask(NamedTuple):
    """What a poller gets."""

    token: str
    input: str


class _Poll:
    __slots__ = ("given", "key")

    def __init__(self) -> None:
        self.given = trio.Event()
        self.key: TaskKey | None = None


class _Queue:
    """Tasks and polls of one activity; at most one of the two is waiting."""

    def __init__(self) -> None:
        self.tasks: OrderedDict[TaskKey, None] = OrderedDict()
        self.polls: deque[_Poll] = deque()

    def put(self, key: TaskKey, *, first: bool) -> None:
        """Give the task to the poll that waits longest, or let it wait (``first``: at the head)."""
        if self.polls:
            poll = self.polls.popleft()
            poll.key = key
            poll.given.set()
        else:
            self.tasks[key] = None
            self.tasks.move_to_end(key, last=not first)

    async def get(self) -> TaskKey:
        """The next task. A cancelled caller loses none."""
        if self.tasks:
            return self.tasks.popitem(last=False)[0]
        poll = _Poll()
        self.polls.append(poll)
        try:
            await poll.given.wait()
        except trio.Cancelled:
            if poll.key is not None:
                self.put(poll.key, first=True)
            else:
                self.polls.remove(poll)
            raise
        assert poll.key is not None, "a poll is woken with its task"
        return poll.key


class ActivityQueues:
    """One queue for each activity that has tasks or polls."""

    def __init__(self) -> None:
        self._queues: dict[str, _Queue] = {}
        self._homes: dict[TaskKey, _Queue] = {}
        """The queue of each task that was put and has not ended."""

    def put(self, row: TaskRow, *, first: bool = False) -> None:
        """A task waits for a worker."""
        if family(row.resource) == ACTIVITY:
            key = (row.execution, row.number)
            self._homes[key] = self._queue(row.resource)
            self._homes[key].put(key, first=first)

    def discard(self, key: TaskKey) -> None:
        """The task has ended."""
        if (queue := self._homes.pop(key, None)) is not None:
            queue.tasks.pop(key, None)

    async def get(self, activity_arn: str) -> TaskKey:
        """The next task of the activity; may have ended meanwhile."""
        return await self._queue(activity_arn).get()

    def polls(self) -> int:
        """How many polls are parked."""
        return sum(len(queue.polls) for queue in self._queues.values())

    def _queue(self, activity_arn: str) -> _Queue:
        return self._queues.setdefault(activity_arn, _Queue())
