"""How a queue's source is doing, and how long it stays away while something is wrong."""

from __future__ import annotations

import random

import trio

from gateway.sources.protocol import Intake

_FIRST_SECONDS = 0.5
_MOST_SECONDS = 30.0
_JITTER = 0.2


class QueueHealth:
    """Counts failures in a row: each makes the source stay away for longer, a success ends it."""

    def __init__(self, intake: Intake, queue: str) -> None:
        self._intake = intake
        self._queue = queue
        self._failures = 0
        self._away_until = -float("inf")

    def starting(self) -> None:
        """Nothing has been asked of the queue yet."""
        self._intake.report("starting", queue=self._queue)

    def running(self, lag: int) -> None:
        """The queue has answered how many messages wait."""
        if not self._failures:
            self._intake.report("running", queue=self._queue, lag=lag)

    def failed(self, reason: str, retry_after: float | None = None) -> None:
        """The queue or the trigger takes part no more; ``retry_after`` is what it said itself.

        What fails at the same time, or was under way already, counts once.
        """
        if trio.current_time() < self._away_until:
            return
        self._failures += 1
        seconds = min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(self._failures - 1, 16))
        seconds = max(seconds, retry_after or 0.0) * random.uniform(1 - _JITTER, 1 + _JITTER)
        self._away_until = trio.current_time() + seconds
        self._intake.report(
            "backing-off", queue=self._queue, reason=reason, retry_in_seconds=round(seconds, 1)
        )
        self._intake.log.warning(
            "sqs backs off", queue=self._queue, reason=reason, retry_in_seconds=round(seconds, 1)
        )

    def succeeded(self) -> None:
        """All went well once more."""
        if self._failures:
            self._failures = 0
            self._intake.report("running", queue=self._queue)
            self._intake.log.info("sqs goes on", queue=self._queue)

    async def recovered(self) -> None:
        """Wait until it is time to try again."""
        await trio.sleep_until(max(self._away_until, trio.current_time()))
