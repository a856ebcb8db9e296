"""The rows of a store, one class for each table; who writes and reads them is in ``protocol``.

All times are integer milliseconds since the epoch. Documents (input, output, definitions, bodies)
are JSON text; where a member is ``bytes`` the store keeps it as it is.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Status: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
TaskKey: TypeAlias = tuple[int, int]
"""Execution and number of a task."""


class ExecutionRow(NamedTuple):
    """One execution. (machine_arn, name) is unique while the row is kept, and so is what is made of
    them, the ARN."""

    id: int
    """Given out by the engine, never reused (``Store.last_execution`` tells where to go on)."""
    arn: str
    machine_arn: str
    name: str
    revision: int
    """Id of the RevisionRow it began with."""
    start_at: int
    input: str
    trigger: str | None = None
    """Name of the trigger that started it."""
    trace: str | None = None
    """traceHeader of StartExecution, or a W3C traceparent."""
    status: Status = "RUNNING"
    stop_at: int | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    version: int | None = None
    """Number of the version that it was started through, also where an alias chose it."""
    alias: str | None = None
    """Name of the alias that it was started through."""
    redrives: int = 0
    redriven_at: int | None = None
    """When it was redriven last."""
    parent: int | None = None
    """Id of the execution that waits for this one."""
    parent_number: int | None = None
    """What it waits for there: the number of a map run or, without an ``item``, of a task."""
    item: int | None = None
    """For a child of a map run: index of its first item."""
    begun_by: str | None = None
    """Key of the call of a task that began it: the same call, made again, means this one."""


class HistoryRow(NamedTuple):
    """The records of one step, encoded (``gateway.asl.codec``)."""

    execution: int
    first: int
    """Sequence number of its first record; the next row begins at ``first + count``."""
    count: int  # type: ignore[assignment]  # Nobody asks a row for tuple.count().
    at: int
    format: int
    records: bytes


class DocumentRow(NamedTuple):
    """A document too large to stand inside a history row; history refers to it by number."""

    execution: int
    number: int
    body: bytes


class TimerRow(NamedTuple):
    """Something that an execution waits for until ``due``. Key: (execution, number, kind)."""

    execution: int
    number: int
    kind: str
    """wait | retry | execution | timeout | heartbeat"""
    due: int
    interval: int
    """The whole span in ms: after a restart, timeout and heartbeat timers get a full one."""


class TaskRow(NamedTuple):
    """A task that has been scheduled and has not ended. Key: (execution, number)."""

    execution: int
    number: int
    resource: str
    """Activity ARN, or another Resource."""
    input: str
    """What the worker is given."""
    scheduled_at: int
    token_hash: bytes | None = None
    """SHA-256 of the token it was handed out (or is waited for) with."""
    worker: str | None = None
    started_at: int | None = None
    """None while it waits in its queue."""
    submitted_at: int | None = None
    """When its call was answered, of one that is not over with that; it is not called again."""
    role: str | None = None
    """ARN of the role that it is called as."""


class NotificationRow(NamedTuple):
    """A notification (or a letter on its way to a dead-letter target) that no sink has accepted."""

    id: str
    """Stable over all attempts; UUID."""
    sink: str
    execution: int
    """0 for none. The next one of the same sink and execution is not sent before this one."""
    sequence: int
    """Order within (sink, execution)."""
    body: str
    """The status-change event as JSON; for a dead letter, the letter."""
    created_at: int
    due: int
    """When to try (again)."""
    attempts: int = 0
    last_error: str | None = None
    late: bool = False
    """Sent again by hand after it had been given up."""


class LetterRow(NamedTuple):
    """What could not be taken or delivered, with the reason; kept until retried or dropped."""

    id: str
    kind: Literal["message", "notification"]
    origin: str
    """Name of the trigger or sink."""
    reason: str
    created_at: int
    coordinates: str
    """Where it came from, readable: queue, MessageId; topic, partition, offset; execution ARN."""
    body: str
    """The whole message (or the notification's row) as JSON: enough to try again."""


class MachineRow(NamedTuple):
    """A state machine; what it does is in its revisions, the newest of which is current."""

    arn: str
    name: str
    type: Literal["STANDARD", "EXPRESS"]
    created_at: int
    status: Literal["ACTIVE", "DELETING"] = "ACTIVE"
    managed: str | None = None
    """Hash of the definition as the configuration file last had it; None if made by the API."""
    last_version: int = 0
    """Highest number ever given to a version of it."""


class RevisionRow(NamedTuple):
    """One definition of a machine; kept while an execution refers to it."""

    id: int
    """Given out by the engine (``Store.last_revision``)."""
    revision_id: str
    """UUID that the API shows."""
    machine_arn: str
    definition: str
    role_arn: str
    created_at: int
    settings: str = "{}"
    """loggingConfiguration, tracingConfiguration, encryptionConfiguration … as JSON."""


class VersionRow(NamedTuple):
    """A published revision. Key: (machine_arn, number)."""

    machine_arn: str
    number: int
    revision: int
    """Id of the RevisionRow."""
    description: str
    created_at: int


class AliasRow(NamedTuple):
    """A name for one or two versions of a machine. Key: (machine_arn, name)."""

    machine_arn: str
    name: str
    description: str
    routing: str
    """JSON: a list of pairs, the number of a version and its weight in percent."""
    created_at: int
    updated_at: int


class TagsRow(NamedTuple):
    """The tags of a state machine or activity."""

    arn: str
    tags: str
    """JSON: an object of keys and values."""


class ExpressRow(NamedTuple):
    """An asynchronous execution of an Express machine that has not ended: what it takes to run it
    again from its start."""

    id: int
    """Below zero, by which it is told from a Standard execution; never used twice."""
    arn: str
    machine_arn: str
    name: str
    revision: int
    start_at: int
    input: str
    trace: str | None = None
    version: int | None = None
    alias: str | None = None


class ActivityRow(NamedTuple):
    """A registered activity."""

    arn: str
    name: str
    created_at: int


class PositionRow(NamedTuple):
    """How far a partition has been read: everything below ``offset`` has its outcome on disk."""

    source: str
    """The consumer group (and for other sources what stands in for it)."""
    topic: str
    partition: int
    offset: int
