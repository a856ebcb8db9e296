"""Stategate's own operations: letters, positions, executions of all machines, how the daemon is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from gateway.api.health import Health
from gateway.api.model import Model, Request, Response
from gateway.api.operations.executions import Executions
from gateway.api.operations.operation import Operation, Service
from gateway.api.operations.stategate_model import STATEGATE
from gateway.api.paging import next_token, page_size, read_token
from gateway.engine.letters import Letters
from gateway.store.protocol import Page, Store
from gateway.store.rows import LetterRow


def stategate(
    store: Store,
    executions: Executions,
    letters: Letters,
    health: Callable[[], Awaitable[Health]],
    plugged: Mapping[str, Operation] | None = None,
) -> Service:
    """What the command line asks a running daemon.

    ``plugged`` are those that need more of the daemon: Reload and SetPosition.
    """
    own = _Own(store, letters, health)
    table: dict[str, Operation] = {
        "ListLetters": own.list_letters,
        "DescribeLetter": own.describe_letter,
        "RetryLetter": own.retry_letter,
        "DropLetter": own.drop_letter,
        "ListPositions": own.list_positions,
        "ListExecutions": executions.list_any,
        "ListAnswers": executions.list_answers,
        "Status": own.status,
    }
    return Service(Model(STATEGATE), {**table, **(plugged or {})})


class _Own:
    """The operations over the store and the letters."""

    def __init__(
        self, store: Store, letters: Letters, health: Callable[[], Awaitable[Health]]
    ) -> None:
        self._store = store
        self._letters = letters
        self._health = health

    async def list_letters(self, request: Request) -> Response:
        """Newest first; of one trigger or sink where ``origin`` names it."""
        origin = request.get("origin")
        listing = f"ListLetters {origin}"
        page = Page(page_size(request), read_token(listing, request))
        rows, after = await self._letters.list(origin, page)
        return {"letters": [_letter(row) for row in rows], **next_token(listing, after)}

    async def describe_letter(self, request: Request) -> Response:
        """One letter, with what it keeps: ``body`` is JSON text."""
        row = await self._letters.show(request["id"])
        return {**_letter(row), "body": row.body}

    async def retry_letter(self, request: Request) -> Response:
        """Through the trigger or sink again."""
        await self._letters.retry(request["id"])
        return {}

    async def drop_letter(self, request: Request) -> Response:
        """Thrown away."""
        await self._letters.drop(request["id"])
        return {}

    async def list_positions(self, request: Request) -> Response:
        """How far each partition has been read."""
        rows = await self._store.positions(request.get("source"))
        return {"positions": [row._asdict() for row in rows]}

    async def status(self, _: Request) -> Response:
        """What /healthz says."""
        return (await self._health()).members()


def _letter(row: LetterRow) -> Response:
    return {
        "id": row.id,
        "kind": row.kind,
        "origin": row.origin,
        "reason": row.reason,
        "createdAt": row.created_at,
        "coordinates": row.coordinates,
    }
