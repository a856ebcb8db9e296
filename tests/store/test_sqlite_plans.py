"""What pumps and listings ask often walks an index in its order, however large the table is."""

from __future__ import annotations

from itertools import product

import pytest

from gateway.store.protocol import ExecutionFilter, Page
from gateway.store.sqlite import listing, map_runs, open_sqlite, queries, statements, upkeep


class Recorder:
    """A connection that also remembers how each of its queries is carried out."""

    def __init__(self, connection):
        self._connection = connection
        self.plans: list[str] = []

    def execute(self, sql, parameters=()):
        """Run it, and remember its plan."""
        rows = self._connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
        self.plans += [row[3] for row in rows]
        return self._connection.execute(sql, parameters)


FILTERS = [
    *(
        ExecutionFilter(machine, status)
        for machine, status in product([None, "m"], [None, "FAILED"])
    ),
    ExecutionFilter(status="RUNNING", started_before=1),
]
CASES = {
    "timers": lambda c: queries.timers(c, 1, 1),
    "notifications": lambda c: queries.notifications(c, "ops", 1, 1),
    "letters": lambda c: queries.letters(c, None, Page(1, "1.a")),
    "letters of one": lambda c: queries.letters(c, "orders", Page(1)),
    "history": lambda c: queries.history(c, 1, 0, None),
    "names": lambda c: queries.names(c, "m", ["a", "b"]),
    "ids": lambda c: queries.last(c, "executions"),
    "stats": queries.stats,
    "nested": lambda c: queries.nested(c, 1, 1),
    "unsettled": queries.unsettled,
    "open map runs": map_runs.open_map_runs,
    "map run": lambda c: map_runs.map_run(c, "arn"),
    "map items": lambda c: map_runs.map_items(c, 1, 1, "RUNNING"),
    "some map items": lambda c: map_runs.map_items(c, 1, 1, None, (2, 3)),
    "map results": lambda c: map_runs.map_results(c, 1, 1, -1, 10),
    "executions of a map run": lambda c: listing.executions(
        c, ExecutionFilter("m/items", map_run=(1, 1)), Page(1)
    ),
    "executions that wait for their redrive": lambda c: listing.executions(
        c, ExecutionFilter("m/items", "PENDING_REDRIVE", map_run=(1, 1)), Page(1)
    ),
    "sweep": lambda c: c.execute(upkeep._ENDED, (1, "[]", 1)),
    **{
        f"executions {number} {after}": lambda c, w=which, a=after: listing.executions(
            c, w, Page(1, a)
        )
        for number, which in enumerate(FILTERS)
        for after in (None, "1.1")
    },
}


@pytest.mark.parametrize("query", CASES.values(), ids=CASES.keys())
async def test_a_frequent_query_neither_scans_nor_sorts(path, query):
    """No whole table is read and nothing is sorted, but for those that an index holds equal."""
    async with open_sqlite(path) as store:

        def plans(connection):
            recorder = Recorder(connection)
            query(recorder)
            return recorder.plans

        for plan in await store._read(plans):
            assert "TEMP B-TREE" not in plan or plan.endswith("RIGHT PART OF ORDER BY"), plan
            assert not plan.startswith("SCAN") or "INDEX" in plan or plan == "SCAN machines", plan


@pytest.mark.parametrize("rows", [1, 2, 64])
async def test_a_change_looks_its_rows_up(path, rows):
    """However many rows one statement changes, it finds each by its key."""
    changing = [*statements._DELETE.values(), statements._END, statements._MOVE_TIMER]
    changing += statements._OF_MAP_RUNS.values()
    async with open_sqlite(path) as store:
        for each in changing:
            sql = each.sql(min(rows, each.rows_most))
            given = [0] * (5 if each is statements._MOVE_TIMER else sql.count("?"))
            found = await store._read(
                lambda c, sql=sql, given=given: c.execute(f"EXPLAIN QUERY PLAN {sql}", given)
            )
            plans = [row[3] for row in found]
            assert not [p for p in plans if p.startswith(f"SCAN {each.table}")], plans
            assert [p for p in plans if p.startswith(f"SEARCH {each.table} USING")], plans
