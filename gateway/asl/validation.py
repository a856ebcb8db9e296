"""What is demanded of a definition at the door: that it compiles, that it keeps the rules, and, of
an Express machine, that it does without what such a machine cannot have."""

from __future__ import annotations

from gateway.asl.definition import (
    ALONE,
    compile_document,
    compile_state,
    not_too_deep,
    read_definition,
)
from gateway.asl.errors import DefinitionError
from gateway.asl.express import unsupported, unsupported_children
from gateway.asl.rules import refusals
from gateway.asl.states.state import State, StateMachine


def accepted(text: str, type: str = "STANDARD") -> StateMachine:  # noqa: A002 - AWS's word
    """The compiled definition of a machine of this type. Raises DefinitionError with everything
    that is wrong."""
    document = read_definition(text)
    machine, found = compile_document(document)
    with not_too_deep():
        if not found:
            found += (unsupported if type == "EXPRESS" else unsupported_children)(document)
        found += refusals(document)
    if found:
        raise DefinitionError(found)
    return machine


def accepted_state(text: str) -> State:
    """The compiled definition of a state that stands alone. Raises DefinitionError with everything
    that is wrong."""
    document = read_definition(text)
    state, found = compile_state(document)
    with not_too_deep():
        found += refusals({"States": {ALONE: document}})
    if state is None or found:
        raise DefinitionError(found)
    return state
