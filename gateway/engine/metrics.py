"""What is counted as it happens, in plain numbers: they are counted with every commit, and read
when somebody scrapes. Ages and backlogs are read from the store then.

Labels are names from the configuration and closed sets only: an execution's name never is one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from time import perf_counter

from gateway.store.rows import Status

_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 300.0, 900.0)
_API = "api"


class Durations:
    """How many took how long."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """``bounds``: of the buckets, in seconds, rising; one without a bound comes last."""
        self.bounds = bounds
        self.seconds = 0.0
        """The sum of all."""
        self._counts = [0] * (len(bounds) + 1)

    def observe(self, seconds: float) -> None:
        """One more that took so long. Of one thread only."""
        self._counts[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def up_to(self) -> list[int]:
        """How many took no longer than each bound, and how many there are."""
        return list(accumulate(self._counts))


class Metrics:
    """The counters of one daemon, by the values of their labels."""

    def __init__(self) -> None:
        self.executions_started: Counter[str] = Counter()
        self.executions_ended: Counter[str] = Counter(
            dict.fromkeys(("SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"), 0)
        )
        self.requests_refused: Counter[str] = Counter()
        self.messages_filtered: Counter[str] = Counter()
        self.messages_duplicate: Counter[str] = Counter()
        self.messages_refused: Counter[str] = Counter()
        self.letters_written: Counter[str] = Counter()
        self.source_lag: dict[str, float] = {}
        self.commits = Durations(_COMMIT_SECONDS)
        self.task_calls: dict[tuple[str, str], Durations] = defaultdict(
            lambda: Durations(_CALL_SECONDS)
        )
        """By integration and outcome."""
        self.task_calls_running: Counter[str] = Counter()

    def started(self, trigger: str | None, count: int = 1) -> None:
        """Executions were started; ``trigger`` is None for StartExecution."""
        self.executions_started[trigger or _API] += count

    def ended(self, status: Status) -> None:
        """An execution has ended."""
        self.executions_ended[status] += 1

    def refused(self, reason: str) -> None:
        """A request to the API came without a valid signature, or without the permission."""
        self.requests_refused[reason] += 1

    @contextmanager
    def task_call(self, runner: str) -> Iterator[Callable[[str], None]]:
        """Around a call of a task, which says what its outcome was; one that does not was
        cancelled."""
        began = perf_counter()
        outcome = ["cancelled"]
        self.task_calls_running[runner] += 1
        try:
            yield lambda said: outcome.__setitem__(0, said)
        finally:
            self.task_calls_running[runner] -= 1
            self.task_calls[runner, outcome[0]].observe(perf_counter() - began)

    def filtered(self, trigger: str, count: int = 1) -> None:
        """The filter rejected messages."""
        self.messages_filtered[trigger] += count

    def duplicate(self, trigger: str, count: int = 1) -> None:
        """Messages named executions that were there already."""
        self.messages_duplicate[trigger] += count

    def untaken(self, trigger: str, count: int = 1) -> None:
        """Messages that can never be taken stay where they came from."""
        self.messages_refused[trigger] += count

    def letter(self, origin: str, count: int = 1) -> None:
        """Letters were written for this trigger or sink."""
        self.letters_written[origin] += count

    def lag(self, source: str, messages: float | None) -> None:
        """The source's lag as it is now; None: nobody watches it any more."""
        if messages is None:
            self.source_lag.pop(source, None)
        else:
            self.source_lag[source] = messages

    def committed(self, seconds: float) -> None:
        """A transaction became durable after this time; said on the writer's thread."""
        self.commits.observe(seconds)
