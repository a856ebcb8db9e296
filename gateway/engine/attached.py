"""Tasks that wait for an execution which they did not begin: it ran already under its name.

Many may wait for one. Nothing on disk says so but the input of the task, from which this is made
again after a start.
"""

from __future__ import annotations

from collections.abc import Collection

from gateway.store.rows import TaskKey


class Attached:
    """Which task waits for which execution."""

    def __init__(self) -> None:
        self._awaited: dict[TaskKey, int] = {}
        self._tasks: dict[int, set[TaskKey]] = {}
        """By the execution that they wait for."""

    def add(self, task: TaskKey, execution: int) -> None:
        """The task waits for it, until it is removed."""
        self._awaited[task] = execution
        self._tasks.setdefault(execution, set()).add(task)

    def remove(self, task: TaskKey) -> None:
        """The task waits no longer, or never did."""
        execution = self._awaited.pop(task, None)
        if execution is not None:
            self._tasks[execution].remove(task)
            if not self._tasks[execution]:
                del self._tasks[execution]

    def awaited(self, task: TaskKey) -> int | None:
        """What the task waits for."""
        return self._awaited.get(task)

    def tasks(self, execution: int) -> Collection[TaskKey]:
        """Those that wait for it."""
        return self._tasks.get(execution, ())

    def executions(self) -> list[int]:
        """Those for which a task waits."""
        return list(self._tasks)
