"""Letters: what could not be taken or delivered, kept with its reason until somebody decides.

Here live the rows that a letter consists of, and what a person may do with one. Messages that were
refused and notifications that were given up become letters in the very unit that takes them out of
their old place, so that nothing is ever in neither.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid5

from gateway.errors import ApiError
from gateway.sources.protocol import Message
from gateway.store.changes import Change, DeleteLetter, DeleteNotification, Upsert
from gateway.store.protocol import Page, Store
from gateway.store.rows import LetterRow, NotificationRow

_DEAD_LETTER = "dead-letter:"
_IDS = UUID("0b6f4a3c-54f1-4c2a-9a9e-3f1d5c6f7e20")
"""Namespace of the letters' ids; never to be changed."""


def dead_letter_sink(trigger: str) -> str:
    """Name under which the outbox knows the ``dead_letter`` target of a trigger."""
    return _DEAD_LETTER + trigger


def is_dead_letter(sink: str) -> bool:
    """Whether the sink's notifications are letters on their way to a ``dead_letter`` target."""
    return sink.startswith(_DEAD_LETTER)


def message_letter(
    origin: str, message: Message, reason: str, now: int, dead_letter: bool
) -> list[Upsert]:
    """The rows that keep a message which the trigger ``origin`` can never take.

    They belong in one unit. The first is the LetterRow. With ``dead_letter`` a second one sends it
    to the trigger's target under the same id; when that accepts it, both are deleted together. A
    message that comes again, because it could not be acknowledged, has the letter that it had.
    """
    letter = LetterRow(
        id=_letter_id(origin, message),
        kind="message",
        origin=origin,
        reason=reason,
        created_at=now,
        coordinates=message.coordinates,
        body=_dump(_written(message)),
    )
    rows = [Upsert(letter)]
    if dead_letter:
        rows.append(Upsert(_dead_letter_notification(letter)))
    return rows


def _letter_id(origin: str, message: Message) -> str:
    # With the body, for a sender may use an id for two messages, and neither may be lost.
    body = sha256(_dump({"body": message.body}).encode()).hexdigest()
    return str(uuid5(_IDS, f"{origin}|{message.default_name}|{body}"))


def letter_message(letter: LetterRow) -> Message:
    """The message that a letter of kind ``message`` keeps, as it came in."""
    return Message(**json.loads(letter.body))


def notification_letter(row: NotificationRow, reason: str, now: int) -> LetterRow:
    """The letter of a notification that was given up; it keeps the notification's id."""
    event = json.loads(row.body)
    return LetterRow(
        id=row.id,
        kind="notification",
        origin=row.sink,
        reason=reason,
        created_at=now,
        coordinates=event.get("detail", {}).get("executionArn", row.id),
        body=_dump(row._asdict()),
    )


def late_notification(letter: LetterRow, now: int) -> NotificationRow:
    """The notification that a letter keeps, to be sent again: same id, late, a full time to try."""
    row = NotificationRow(**json.loads(letter.body))
    return row._replace(created_at=now, due=now, attempts=0, last_error=None, late=True)


class Letters:
    """What a person may do with letters; the commands of ``stategate letters`` end here."""

    def __init__(
        self,
        store: Store,
        now: Callable[[], int],
        *,
        has_sink: Callable[[str], bool],
        wake: Callable[[], None],
        redeliver: Callable[[LetterRow], Awaitable[None]],
    ) -> None:
        """``has_sink`` and ``wake`` are the outbox's. ``redeliver`` takes a letter of kind message
        through its trigger again and returns when the outcome is durable; it raises ApiError with
        the reason when the trigger is not there or refuses again, and writes no second letter."""
        self._store = store
        self._now = now
        self._has_sink = has_sink
        self._wake = wake
        self._redeliver = redeliver

    async def list(self, origin: str | None, page: Page) -> tuple[list[LetterRow], str | None]:
        """One page (of one trigger or sink, or all), and the key of the next (None at the end)."""
        return await self._store.letters(origin, page)

    async def show(self, letter_id: str) -> LetterRow:
        """The letter; ApiError LetterDoesNotExist."""
        letter = await self._store.letter(letter_id)
        if letter is None:
            raise ApiError(
                "LetterDoesNotExist",
                f"There is no letter {letter_id!r}: it was retried, dropped or never existed.",
            )
        return letter

    async def retry(self, letter_id: str) -> None:
        """Try it again: a message through its trigger, a notification (now late) through its sink.

        The letter goes only when its message has an outcome, or in the unit that puts the
        notification back. Raises ApiError where it cannot be tried; the letter then stays.
        """
        letter = await self.show(letter_id)
        match letter.kind:
            case "message":
                await self._redeliver(letter)
                await self._store.commit(_removal(letter))
            case "notification":
                await self._send_late(letter)

    async def drop(self, letter_id: str) -> None:
        """Throw it away; ApiError LetterDoesNotExist."""
        await self._store.commit(_removal(await self.show(letter_id)))

    async def _send_late(self, letter: LetterRow) -> None:
        if not self._has_sink(letter.origin):
            raise ApiError(
                "SinkDoesNotExist",
                f"The sink {letter.origin!r} of this letter is not configured: "
                "add it and reload, or drop the letter.",
            )
        row = late_notification(letter, self._now())
        await self._store.commit([DeleteLetter(letter.id), Upsert(row)])
        self._wake()


def _removal(letter: LetterRow) -> list[Change]:
    # The notification to a dead-letter target has the letter's id; without the letter it is moot.
    return [DeleteLetter(letter.id), DeleteNotification(letter.id)]


def _dead_letter_notification(letter: LetterRow) -> NotificationRow:
    body = {
        "letter": letter.id,
        "trigger": letter.origin,
        "reason": letter.reason,
        "coordinates": letter.coordinates,
        "created_at": letter.created_at,
        "message": json.loads(letter.body),
    }
    return NotificationRow(
        id=letter.id,
        sink=dead_letter_sink(letter.origin),
        execution=0,
        sequence=0,
        body=_dump(body),
        created_at=letter.created_at,
        due=letter.created_at,
    )


def _written(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "body": message.body,
        "received_at": message.received_at,
        "default_name": message.default_name,
        "coordinates": message.coordinates,
        "members": dict(message.members),
        "trace": message.trace,
        "unfit": message.unfit,
    }


def _dump(document: dict[str, Any]) -> str:
    # Not orjson: a letter is the last place for a message, so it must hold what orjson refuses
    # (integers over 64 bits, lone surrogates, NaN), and whatever a source put in by mistake.
    return json.dumps(document, default=repr)
