"""The trigger: it turns messages into executions, and answers for what becomes of each of them.

It decides by its mapping, starts what is to be started and keeps as letters what can never be
taken, all in one unit with the source's positions. Receiving and acknowledging are the source's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import structlog
import trio

from gateway.engine.engine import Engine
from gateway.engine.letters import letter_message, message_letter
from gateway.engine.metrics import Metrics
from gateway.engine.starts import StartRequest, StartResult
from gateway.errors import ApiError, Unavailable
from gateway.sources.protocol import Filtered, Message, Outcome, Refused, Started
from gateway.store.changes import Upsert
from gateway.store.rows import LetterRow, PositionRow
from gateway.triggers.mapping import Accepted, Mapping, Unfit, Unwanted, Verdict
from gateway.triggers.running import Running

_BUG = "a bug: the message cannot be taken"
_PAUSE_SECONDS = 1.0
"""After the engine could take nothing and did not say for how long."""
_MESSAGES_BETWEEN_TURNS = 100
"""Of a large batch; then others have their turn."""


class Trigger:
    """One trigger at work; ``deliver``, ``room`` and ``full`` are for its Intake."""

    def __init__(
        self,
        mapping: Mapping,
        machine: str,
        *,
        engine: Engine,
        metrics: Metrics,
        running: Running,
        max_running: int | None = None,
        dead_letter: bool = False,
    ) -> None:
        """``machine`` is the name of the machine; ``dead_letter`` says that the outbox has a target
        for this trigger's letters."""
        self.name = mapping.trigger
        self._mapping = mapping
        self._machine = machine
        self._engine = engine
        self._metrics = metrics
        self._running = running
        self._max_running = max_running
        self._dead_letter = dead_letter
        self._paused_until = 0.0
        self._pause_reason = ""
        self._log = structlog.get_logger("trigger").bind(trigger=self.name)

    async def room(self) -> None:
        """Wait until the engine takes starts and ``max_running`` allows one."""
        await trio.sleep_until(self._paused_until)
        if self._max_running is not None:
            await self._running.below(self.name, self._max_running)

    def full(self) -> float | None:
        """Seconds after which it is worth trying again, or None while there is room.

        Raises Unavailable while the engine takes no starts.
        """
        pause = self._paused_until - trio.current_time()
        if pause > 0:
            raise Unavailable(self._pause_reason, pause)
        if self._max_running is not None and self._running.count(self.name) >= self._max_running:
            return _PAUSE_SECONDS
        return None

    async def deliver(
        self,
        messages: Sequence[Message],
        *,
        positions: Sequence[PositionRow] = (),
        redrives: bool = False,
    ) -> list[Outcome]:
        """Decide about the messages; returns their outcomes, in order, when they are on disk.

        What can never be taken becomes a letter, unless the far side keeps it (``redrives``) and no
        ``dead_letter`` is set. Raises Unavailable when nothing was taken.
        """
        keep = not redrives or self._dead_letter
        try:
            return await self._deliver(messages, positions, keep=keep)
        except Unavailable as away:
            self._paused_until = trio.current_time() + (away.retry_after or _PAUSE_SECONDS)
            self._pause_reason = away.reason
            raise

    async def redeliver(self, letter: LetterRow) -> None:
        """Take a letter's message again; returns when its outcome is on disk.

        Raises ApiError MessageRefused when it still cannot be taken; no further letter is written.
        """
        [outcome] = await self._deliver([letter_message(letter)], (), keep=False)
        if isinstance(outcome, Refused):
            raise ApiError("MessageRefused", f"It still cannot be taken: {outcome.reason}")

    async def _deliver(
        self, messages: Sequence[Message], positions: Sequence[PositionRow], *, keep: bool
    ) -> list[Outcome]:
        verdicts = await self._judge_all(messages)
        try:
            return await self._settle(messages, verdicts, positions, keep=keep)
        except Unavailable:
            raise
        except Exception:
            # A bug in the start of one message must not hold up the others. Each by itself shows
            # whose it is; the positions follow when all have their outcomes.
            coordinates = [message.coordinates for message in messages]
            self._log.exception("a bug: each message is tried by itself", messages=coordinates)
        # They are judged once more, for the machine may have gone meanwhile.
        outcomes = [
            await self._settle_alone(message, verdict, keep=keep)
            for message, verdict in zip(messages, await self._judge_all(messages), strict=True)
        ]
        await self._engine.start([], positions=positions)
        return outcomes

    async def _judge_all(self, messages: Sequence[Message]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for message in messages:
            verdicts.append(self._judge(message))
            if len(verdicts) % _MESSAGES_BETWEEN_TURNS == 0:
                await trio.lowlevel.checkpoint()
        if self._machine_takes_starts():
            return verdicts
        gone = Unfit(f"the machine {self._machine} is gone")
        return [gone if isinstance(verdict, Accepted) else verdict for verdict in verdicts]

    def _judge(self, message: Message) -> Verdict:
        try:
            return self._mapping.judge(message)
        except Exception as bug:
            self._log.exception(_BUG, message=message.coordinates)
            return _bug(bug)

    def _machine_takes_starts(self) -> bool:
        catalog = self._engine.catalog
        machine = catalog.machine(catalog.machine_arn(self._machine))
        return machine is not None and machine.status == "ACTIVE"

    async def _settle_alone(self, message: Message, verdict: Verdict, *, keep: bool) -> Outcome:
        try:
            [outcome] = await self._settle([message], [verdict], (), keep=keep)
        except Unavailable:
            raise
        except Exception as bug:
            self._log.exception(_BUG, message=message.coordinates)
            [outcome] = await self._settle([message], [_bug(bug)], (), keep=keep)
        return outcome

    async def _settle(
        self,
        messages: Sequence[Message],
        verdicts: Sequence[Verdict],
        positions: Sequence[PositionRow],
        *,
        keep: bool,
    ) -> list[Outcome]:
        """Make the verdicts durable as one unit."""
        machine = self._engine.catalog.machine_arn(self._machine)
        starts: list[StartRequest] = []
        rows: list[Upsert] = []
        outcomes: list[Outcome | None] = []
        for message, verdict in zip(messages, verdicts, strict=True):
            match verdict:
                case Accepted(name, made):
                    starts.append(StartRequest(machine, name, made, self.name, message.trace))
                    outcomes.append(None)
                case Unwanted():
                    outcomes.append(Filtered())
                case Unfit(reason):
                    letter = self._letter(message, reason, keep=keep)
                    rows += letter
                    outcomes.append(Refused(reason, _letter_id(letter)))
        results = iter(await self._start(starts, positions, rows))
        settled = [outcome or _started(next(results)) for outcome in outcomes]
        self._count(settled)
        return settled

    def _letter(self, message: Message, reason: str, *, keep: bool) -> list[Upsert]:
        """Its rows; none where what is refused stays where it came from."""
        said = "kept as a letter" if keep else "refused: it stays where it came from"
        self._log.warning(said, message=message.coordinates, reason=reason)
        if not keep:
            return []
        now = self._engine.now()
        return message_letter(self.name, message, reason, now, self._dead_letter)

    async def _start(
        self,
        starts: Sequence[StartRequest],
        positions: Sequence[PositionRow],
        letters: Sequence[Upsert],
    ) -> list[StartResult]:
        if not (starts or positions or letters):
            return []
        self._running.begin(self.name, len(starts))
        created = 0
        try:
            results = await self._engine.start(starts, positions=positions, letters=letters)
            created = sum(result.created for result in results)
        finally:
            self._running.end(self.name, len(starts) - created)
        return results

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        for count, number in Counter(map(self._counter, outcomes)).items():
            count(self.name, number)

    def _counter(self, outcome: Outcome) -> Callable[[str, int], None]:
        match outcome:
            case Started(duplicate=False):
                return self._metrics.started
            case Started():
                return self._metrics.duplicate
            case Filtered():
                return self._metrics.filtered
            case Refused(letter=None):
                return self._metrics.untaken
            case Refused():
                return self._metrics.letter


def _letter_id(rows: Sequence[Upsert]) -> str | None:
    return next((change.row.id for change in rows if isinstance(change.row, LetterRow)), None)


def _started(result: StartResult) -> Started:
    return Started(result.row.arn, result.row.name, duplicate=not result.created)


def _bug(bug: Exception) -> Unfit:
    return Unfit(f"a bug of Stategate: {type(bug).__name__}: {bug}")
