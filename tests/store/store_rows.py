"""Rows for the tests of the stores: each has what is told and otherwise something that will do."""

from __future__ import annotations

from gateway.store.changes import Insert
from gateway.store.map_runs import MapItemRow, MapRunRow
from gateway.store.rows import (
    ExecutionRow,
    HistoryRow,
    LetterRow,
    MachineRow,
    NotificationRow,
    RevisionRow,
    TaskRow,
    TimerRow,
)

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:fulfil"


def execution(identity: int, **members) -> ExecutionRow:
    """A running execution of MACHINE named ``order-<identity>``."""
    row = ExecutionRow(
        id=identity,
        arn=f"arn:aws:states:us-east-1:123456789012:execution:fulfil:order-{identity}",
        machine_arn=MACHINE,
        name=f"order-{identity}",
        revision=1,
        start_at=1_000 + identity,
        input='{"id":1}',
    )
    return row._replace(**members)


def history(identity: int, first: int = 0, **members) -> HistoryRow:
    """One record from ``first`` on."""
    return HistoryRow(identity, first, 1, 1_000, 1, b"records")._replace(**members)


def timer(identity: int, number: int = 1, **members) -> TimerRow:
    """A wait that is due at 5,000."""
    return TimerRow(identity, number, "wait", 5_000, 4_000)._replace(**members)


def task(identity: int, number: int = 1, **members) -> TaskRow:
    """A task in its queue."""
    row = TaskRow(identity, number, "arn:activity:pick", '{"id":1}', 1_000 + number)
    return row._replace(**members)


def notification(identity: str, **members) -> NotificationRow:
    """The only one of execution 1 for ``ops``, due at 1,000."""
    row = NotificationRow(identity, "ops", 1, 1, "{}", created_at=900, due=1_000)
    return row._replace(**members)


def letter(identity: str, **members) -> LetterRow:
    """A message of the trigger ``orders`` that could not be taken."""
    row = LetterRow(identity, "message", "orders", "no name", 1_000, "queue orders", "{}")
    return row._replace(**members)


def machine(name: str = "fulfil", **members) -> MachineRow:
    """A machine whose ARN ends with its name."""
    return MachineRow(MACHINE.replace("fulfil", name), name, "STANDARD", 1_000)._replace(**members)


def revision(identity: int, **members) -> RevisionRow:
    """A revision of MACHINE."""
    row = RevisionRow(identity, f"uuid-{identity}", MACHINE, "{}", "arn:role", 1_000)
    return row._replace(**members)


def map_run(identity: int, number: int, **members) -> MapRunRow:
    """A map run over three items."""
    arn = f"{MACHINE.replace('stateMachine', 'mapRun')}/items:{identity}-{number}"
    row = MapRunRow(identity, number, arn, "RUNNING", 1_000, 0, 0, 0.0, 3)
    return row._replace(**members)


def map_item(identity: int, number: int, item: int, **members) -> MapItemRow:
    """A child of one item that runs."""
    return MapItemRow(identity, number, item, 1, "RUNNING", 100 + item)._replace(**members)


def inserts(*rows) -> list[Insert]:
    """The unit that inserts the rows."""
    return [Insert(row) for row in rows]
