"""A definition run in memory: no daemon, no store, a clock that jumps, mocks in the place of tasks.

``run`` is what unit tests call; ``stategate test`` prints the same. The machine is driven by the
language's own ``advance``, so a rehearsal takes the way that the daemon takes, in milliseconds.
"""

from gateway.testing.mocks import Mocks, MocksError, NoAnswer, TaskFailure
from gateway.testing.outcome import Note, Outcome, Visit
from gateway.testing.run import run

__all__ = ["Mocks", "MocksError", "NoAnswer", "Note", "Outcome", "TaskFailure", "Visit", "run"]
