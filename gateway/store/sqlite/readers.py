"""Connections that only read: one in trio's thread for what is found by its key, a few in threads
for everything else.

A look-up by key takes some ten microseconds, and a thread would cost ten times that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeVar

import trio

from gateway.store.failures import StoreClosed

T = TypeVar("T")
_WRONG_QUESTION = (sqlite3.ProgrammingError, sqlite3.DataError)
"""These say nothing of the disk."""


class Readers:
    """Runs a query in a thread, on a connection of its own, in one short transaction."""

    def __init__(
        self,
        connections: Sequence[sqlite3.Connection],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        """At least two connections."""
        self._here, *self._idle = connections
        self._limiter = trio.CapacityLimiter(len(self._idle))
        self._on_failure = on_failure
        self.begun: list[float] = []
        """When those that are under way were begun (``perf_counter``)."""

    async def read(self, query: Callable[..., T], *args: object) -> T:
        """What the query returns, from one state of the database, in a thread. A failing disk ends
        the store."""
        try:
            return await trio.to_thread.run_sync(self._read, query, args, limiter=self._limiter)
        except _WRONG_QUESTION:
            raise
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from error

    def look(self, query: Callable[..., T], *args: object) -> T:
        """What a query of one statement returns that finds its rows by their keys, at once. A
        failing disk ends the store."""
        try:
            return query(self._here, *args)
        except _WRONG_QUESTION:
            raise
        except sqlite3.DatabaseError as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.DatabaseError) -> StoreClosed:
        self._on_failure(error)
        return StoreClosed(f"the database cannot be read any more: {error}")

    def _read(self, query: Callable[..., T], args: Sequence[object]) -> T:
        # The limiter lets in no more threads than there are connections; pop and append are atomic.
        connection, begun = self._idle.pop(), perf_counter()
        self.begun.append(begun)
        try:
            connection.execute("BEGIN")
            try:
                return query(connection, *args)
            finally:
                connection.rollback()
        finally:
            self.begun.remove(begun)
            self._idle.append(connection)

    def close(self) -> None:
        """Close the connections; no read may be under way."""
        for connection in (self._here, *self._idle):
            connection.close()
