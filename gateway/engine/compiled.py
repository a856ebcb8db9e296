"""Definitions compiled to machines, and the bounded memory of those in use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

import trio

from gateway.asl.definition import parse_definition
from gateway.asl.errors import DefinitionError, Diagnostic
from gateway.asl.states.state import StateMachine
from gateway.asl.validation import accepted
from gateway.errors import ApiError
from gateway.store.protocol import Store

COMPILED_MAX: Final = 256
LARGE_CHARACTERS: Final = 8_192
"""A definition that is longer is worked on in a thread: it may have thousands of expressions, which
take seconds, and everybody else would wait."""
_THREADS: Final = 2

T = TypeVar("T")


def compile_definition(definition: str, type: str = "STANDARD") -> StateMachine:  # noqa: A002
    """Compile at the door, for a machine of this type. Raises ApiError InvalidDefinition with every
    diagnostic."""
    try:
        return accepted(definition, type)
    except DefinitionError as error:
        message = _in_words(error.diagnostics, definition)
        raise ApiError("InvalidDefinition", message) from error


def _in_words(found: list[Diagnostic], definition: str) -> str:
    if len(found) == 1 and found[0].location.endswith("/Label"):
        # Of labels alone the recorded answers have this form.
        return f"Error=ValueError Args={[found[0].message]} in definition '{definition}'."
    listed = ", ".join(f"{each.code}: {each.message} at {each.location}" for each in found)
    return f"Invalid State Machine Definition: '{listed}'"


class Compiled:
    """Compiled machines by revision: the ``COMPILED_MAX`` used most recently, others on demand."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reading: dict[int, trio.Event] = {}
        """Set when what is being read is there, or has failed."""
        self._threads = trio.CapacityLimiter(_THREADS)
        self._machines: OrderedDict[int, StateMachine] = OrderedDict()

    def put(self, revision: int, machine: StateMachine) -> None:
        """Keep it as the most recently used one."""
        self._machines[revision] = machine
        self._machines.move_to_end(revision)
        if len(self._machines) > COMPILED_MAX:
            self._machines.popitem(last=False)

    async def aside(self, definition: str, work: Callable[[], T]) -> T:
        """What the work on this definition comes to, in a thread where it may be long."""
        if len(definition) <= LARGE_CHARACTERS:
            return work()
        return await trio.to_thread.run_sync(work, limiter=self._threads)

    async def get(self, revision: int) -> StateMachine:
        """The machine of this revision. A revision that an execution refers to is always there."""
        while (machine := self._machines.get(revision)) is None:
            if (other := self._reading.get(revision)) is not None:
                # The many executions of a machine after a restart need it read once.
                await other.wait()
                continue
            done = self._reading[revision] = trio.Event()
            try:
                self.put(revision, await self._read(revision))
            finally:
                del self._reading[revision]
                done.set()
        self.put(revision, machine)
        return machine

    async def _read(self, revision: int) -> StateMachine:
        row = await self._store.revision(revision)
        if row is None:
            raise LookupError(f"revision {revision} is not in the store")
        return await self.aside(row.definition, partial(parse_definition, row.definition))
