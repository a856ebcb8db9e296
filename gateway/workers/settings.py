"""What a ``workers:`` entry of the configuration may say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from gateway.durations import Duration
from gateway.strict import Strict


class WorkerSettings(Strict):
    """Processes that answer one activity's tasks; the daemon starts, watches and stops them."""

    activity: Annotated[str, Field(min_length=1)]
    """Name of the activity (one of ``activities:``); the process finds its ARN in ACTIVITY_ARN."""
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its arguments, as in ``[python, -m, shop.picker]``; no shell is involved.
    ``python`` is the interpreter that runs the daemon; a path chooses another."""
    processes: Annotated[int, Field(ge=1, le=1_000)] = 1
    """How many of it run side by side."""
    env: dict[str, str] = Field(default_factory=dict)
    """Variables that it gets besides the daemon's own environment."""
    cwd: Path | None = None
    """Directory that it runs in; relative to the file. Default: the daemon's own."""
    restart: Annotated[Duration, Field(gt=0)] = 1.0
    """Pause before the first restart of a process that ended; it doubles with each further one and
    begins anew after a healthy minute."""
    restart_max: Annotated[Duration, Field(gt=0)] = 60.0
    """The longest such pause."""
    stop_grace: Duration = 10.0
    """How long it may finish the task in hand after SIGTERM, before SIGKILL."""
