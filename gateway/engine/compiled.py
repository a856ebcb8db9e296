"""Definitions compiled to machines, and the bounded memory of those in use."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from gateway.asl.definition import parse_definition
from gateway.asl.errors import DefinitionError, Diagnostic
from gateway.asl.express import only_express
from gateway.asl.states.state import StateMachine
from gateway.errors import ApiError
from gateway.store.protocol import Store

COMPILED_MAX: Final = 256


def compile_definition(definition: str, type: str = "STANDARD") -> StateMachine:  # noqa: A002
    """Compile at the door, for a machine of this type. Raises ApiError InvalidDefinition with every
    diagnostic."""
    try:
        machine = parse_definition(definition)
        if type == "EXPRESS":
            only_express(definition)
    except DefinitionError as error:
        found = ", ".join(map(_in_words, error.diagnostics))
        message = f"Invalid State Machine Definition: '{found}'"
        raise ApiError("InvalidDefinition", message) from error
    return machine


def _in_words(diagnostic: Diagnostic) -> str:
    return f"{diagnostic.code}: {diagnostic.message} at {diagnostic.location}"


class Compiled:
    """Compiled machines by revision: the ``COMPILED_MAX`` used most recently, others on demand."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._machines: OrderedDict[int, StateMachine] = OrderedDict()

    def put(self, revision: int, machine: StateMachine) -> None:
        """Keep it as the most recently used one."""
        self._machines[revision] = machine
        self._machines.move_to_end(revision)
        if len(self._machines) > COMPILED_MAX:
            self._machines.popitem(last=False)

    async def get(self, revision: int) -> StateMachine:
        """The machine of this revision. A revision that an execution refers to is always there."""
        machine = self._machines.get(revision)
        if machine is None:
            row = await self._store.revision(revision)
            if row is None:
                raise LookupError(f"revision {revision} is not in the store")
            machine = parse_definition(row.definition)
        self.put(revision, machine)
        return machine
