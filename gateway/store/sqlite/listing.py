"""ListExecutions: one page of executions, newest first.

There is one index for all listings, ``(machine_arn, status, start_at)``: each pair of a machine and
a status is a line that is in order already, and a page is taken from the heads of the lines.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from heapq import merge
from itertools import islice
from typing import Any

import orjson

from gateway.store.paging import execution_key, make_key
from gateway.store.protocol import ExecutionFilter, Listing, Page
from gateway.store.rows import ExecutionRow
from gateway.store.sqlite.statements import columns

# Documents have up to 256 KB each; a page of a thousand executions must not carry them.
_ROWS = (
    "SELECT "
    + columns(ExecutionRow).replace('"input"', "''").replace('"output"', "NULL")
    + " FROM executions WHERE id IN (SELECT value FROM json_each(?))"
)
# The first machine, then the one behind it, and so on: one look into the index each.
_MACHINES = """WITH RECURSIVE machines (machine) AS (
    SELECT min(machine_arn) FROM executions UNION ALL
    SELECT (SELECT min(machine_arn) FROM executions WHERE machine_arn > machine) FROM machines
    WHERE machine IS NOT NULL) SELECT machine FROM machines WHERE machine IS NOT NULL"""
_LINE = "SELECT start_at, id FROM executions WHERE machine_arn = ? AND status = ?"
_ORDER = " ORDER BY start_at DESC, id DESC"
_STATUSES = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
_FAILURES = ("FAILED", "TIMED_OUT", "ABORTED")
_PENDING = """SELECT 1 FROM map_items AS i WHERE i.execution = parent AND i.number = parent_number
    AND i.item = executions.item AND i.status = 'PENDING_REDRIVE'"""
_LAST_CHARACTER = "\U0010ffff"


def executions(connection: sqlite3.Connection, which: ExecutionFilter, page: Page) -> Listing:
    """One page of what the filter lets through."""
    after = None if page.after is None else execution_key(page.after)
    lines = list(_lines(connection, which, after))
    found = list(islice(merge(*lines, reverse=True), page.limit + 1))
    shown = found[: page.limit]
    identities = orjson.dumps([identity for _, identity in shown]).decode()
    rows = map(ExecutionRow._make, connection.execute(_ROWS, (identities,)))
    by_key = {(row.start_at, row.id): row for row in rows}
    more = len(found) > len(shown) > 0
    return Listing([by_key[key] for key in shown], make_key(*shown[-1]) if more else None)


def _lines(
    connection: sqlite3.Connection, which: ExecutionFilter, after: tuple[int, int] | None
) -> Iterator[Iterator[tuple[int, int]]]:
    where, parameters = _conditions(which, after)
    machines = [which.machine_arn]
    if which.machine_arn is None:
        machines = [arn for (arn,) in connection.execute(_MACHINES)]
    for machine in machines:
        for status in _statuses(which.status):
            yield connection.execute(_LINE + where + _ORDER, (machine, status, *parameters))


def _statuses(wanted: str | None) -> tuple[str, ...]:
    match wanted:
        case None:
            return _STATUSES
        case "PENDING_REDRIVE":
            return _FAILURES
        case status:
            return (status,)


def _conditions(which: ExecutionFilter, after: tuple[int, int] | None) -> tuple[str, list[Any]]:
    where = ""
    parameters: list[Any] = []
    if which.name_prefix:
        where += " AND name BETWEEN ? AND ?"
        parameters += [which.name_prefix, which.name_prefix + _LAST_CHARACTER]
    if which.started_before is not None:
        where += " AND start_at < ?"
        parameters.append(which.started_before)
    for column, wanted in (("version", which.version), ("alias", which.alias)):
        if wanted is not None:
            where += f" AND {column} = ?"
            parameters.append(wanted)
    if which.redriven is not None:
        where += " AND redrives > 0" if which.redriven else " AND redrives = 0"
    if which.map_run is not None:
        where += " AND parent = ? AND parent_number = ?"
        parameters += which.map_run
        if which.status in {"PENDING_REDRIVE", *_FAILURES}:
            # Until a child runs again, its own row says how it had failed.
            pending = "" if which.status == "PENDING_REDRIVE" else "NOT "
            where += f" AND {pending}EXISTS ({_PENDING})"
    if after is not None:
        where += " AND (start_at, id) < (?, ?)"
        parameters += after
    return where, parameters
