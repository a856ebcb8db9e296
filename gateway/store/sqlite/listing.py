"""ListExecutions: one page of executions, newest first, walking the index that fits the filter."""

from __future__ import annotations

import sqlite3
from typing import Any

from gateway.store.paging import execution_key, make_key
from gateway.store.protocol import ExecutionFilter, ExecutionRow, Listing, Page
from gateway.store.sqlite.statements import columns

# Documents have up to 256 KB each; a page of a thousand executions must not carry them.
_SELECT = (
    "SELECT "
    + columns(ExecutionRow).replace('"input"', "''").replace('"output"', "NULL")
    + " FROM executions WHERE "
)
_ORDER = " ORDER BY start_at DESC, id DESC LIMIT ?"
_LAST_CHARACTER = "\U0010ffff"


def executions(connection: sqlite3.Connection, which: ExecutionFilter, page: Page) -> Listing:
    """One page of what the filter lets through."""
    where, parameters = _conditions(which, page.after)
    sql = _SELECT + (" AND ".join(where) or "TRUE") + _ORDER
    found = connection.execute(sql, (*parameters, page.limit + 1)).fetchall()
    rows = list(map(ExecutionRow._make, found[: page.limit]))
    more = len(found) > len(rows) > 0
    return Listing(rows, make_key(rows[-1].start_at, rows[-1].id) if more else None)


def _conditions(which: ExecutionFilter, after: str | None) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    parameters: list[Any] = []
    if which.machine_arn is not None:
        where.append("machine_arn = ?")
        parameters.append(which.machine_arn)
    if which.status is not None:
        where.append("status = ?")
        parameters.append(which.status)
    if which.name_prefix:
        where.append("name BETWEEN ? AND ?")
        parameters += [which.name_prefix, which.name_prefix + _LAST_CHARACTER]
    if which.started_before is not None:
        where.append("start_at < ?")
        parameters.append(which.started_before)
    if after is not None:
        where.append("(start_at, id) < (?, ?)")
        parameters += execution_key(after)
    return where, parameters
