"""The reads that are about map runs, as plain functions over one connection."""

from __future__ import annotations

import sqlite3

from gateway.store.map_runs import ItemResult, MapItem, MapRunCounts, MapRunRow
from gateway.store.sqlite.statements import TABLES, columns

_MAP_RUN = f"SELECT {columns(MapRunRow)} FROM {TABLES[MapRunRow]} "
_OF_RUN = "FROM map_items WHERE execution = ? AND number = ?"
_RESULTS = """SELECT i.item, i.status, coalesce(i.input, e.input), coalesce(i.output, e.output),
    coalesce(i.error, e.error), coalesce(i.cause, e.cause),
    e.arn, e.name, e.machine_arn, e.start_at, e.stop_at, coalesce(e.redrives, 0)
    FROM map_items AS i LEFT JOIN executions AS e ON e.id = i.child
    WHERE i.execution = ? AND i.number = ? AND i.item > ? ORDER BY i.item LIMIT ?"""


def open_map_runs(connection: sqlite3.Connection) -> list[MapRunRow]:
    """Those with something to be done."""
    return list(map(_row, connection.execute(_MAP_RUN + "WHERE open ORDER BY execution, number")))


def map_run(connection: sqlite3.Connection, arn: str) -> MapRunRow | None:
    """The map run with this ARN."""
    found = connection.execute(_MAP_RUN + "WHERE arn = ?", (arn,)).fetchone()
    return found and _row(found)


def map_runs(connection: sqlite3.Connection, execution: int) -> list[MapRunRow]:
    """The map runs of one execution."""
    where = "WHERE execution = ? ORDER BY number"
    return list(map(_row, connection.execute(_MAP_RUN + where, (execution,))))


def map_items(
    connection: sqlite3.Connection,
    execution: int,
    number: int,
    status: str | None,
    between: tuple[int, int] | None = None,
) -> list[MapItem]:
    """The children of a map run, all or those of one status or some items."""
    only, parameters = ("", ()) if status is None else (" AND status = ?", (status,))
    within, bounds = ("", ()) if between is None else (" AND item BETWEEN ? AND ?", between)
    sql = f"SELECT item, items, status, child {_OF_RUN}{only}{within} ORDER BY item"
    found = connection.execute(sql, (execution, number, *parameters, *bounds))
    return list(map(MapItem._make, found))


def map_counts(
    connection: sqlite3.Connection, execution: int, number: int
) -> dict[str, MapRunCounts]:
    """How many children and items there are by status."""
    sql = f"SELECT status, count(*), sum(items) {_OF_RUN} GROUP BY +status"
    found = connection.execute(sql, (execution, number))
    return {status: MapRunCounts(children, items) for status, children, items in found}


def map_results(
    connection: sqlite3.Connection, execution: int, number: int, after: int, limit: int
) -> list[ItemResult]:
    """What the children leave."""
    found = connection.execute(_RESULTS, (execution, number, after, limit))
    return list(map(ItemResult._make, found))


def _row(found: tuple[object, ...]) -> MapRunRow:
    row = MapRunRow._make(found)
    return row._replace(open=bool(row.open))
