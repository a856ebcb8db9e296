"""Tasks that people answer by a link: which one a link leads to, and who has answered.

The link is the task's token. Who answered is a record of the history, written in the step that ends
the task: it is as durable as the answer, and kept as long as the execution.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

import orjson
import trio

from gateway.asl.codec import decode
from gateway.asl.records import INTERNAL, TaskAnswered
from gateway.asl.scope import Json
from gateway.engine.tokens import read_token
from gateway.store.protocol import Store

_ROWS: Final = 25
"""Of a history, read at a time; a row has up to 1,000 records."""


class OpenTask(NamedTuple):
    """A task that waits for its answer."""

    execution_arn: str
    input: Json
    """What the task was given."""


class GivenAnswer(NamedTuple):
    """An answer by a link that ended a task."""

    event_id: int
    """Of the event in AWS's history that says how the task ended."""
    at: int
    label: str
    address: str


async def open_task(store: Store, token: str) -> OpenTask | None:
    """The task that waits for an answer under this token; None where none does (any more)."""
    named = read_token(token)
    task = None if named is None else await store.task(named.execution, named.number)
    if named is None or task is None or not named.opens(task):
        return None
    execution = await store.execution_by_id(task.execution)
    return None if execution is None else OpenTask(execution.arn, orjson.loads(task.input))


async def given_answers(store: Store, execution: int) -> list[GivenAnswer]:
    """The answers of an execution, the first one first."""
    # Of the documents nothing is wanted, so none is read.
    documents = defaultdict[int, bytes](lambda: b"null")
    found: list[GivenAnswer] = []
    sequence = events = 0
    while rows := await store.history(execution, sequence, _ROWS):
        for row in rows:
            for record in decode(row.records, row.format, documents):
                if isinstance(record, TaskAnswered):
                    found.append(GivenAnswer(events + 1, row.at, record.label, record.address))
                events += type(record) not in INTERNAL
            sequence = row.first + row.count
            await trio.lowlevel.checkpoint()
    return found
