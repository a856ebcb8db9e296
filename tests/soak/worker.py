"""The activity worker that the daemon runs during a soak: it fails as its task says."""

from __future__ import annotations

from typing import Any

from gateway.worker import Context, run


class Moody(Exception):
    """What a task that is to fail fails with."""


def work(task: dict[str, Any], _context: Context) -> dict[str, Any]:
    """Answer with the task, or fail: for ever, or only while the retry count is below a number."""
    if task["retries"] < task.get("fail_until", 0):
        raise Moody(task["id"])
    return task


if __name__ == "__main__":
    run(work)
