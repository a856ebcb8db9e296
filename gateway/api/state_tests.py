"""What a TestState request asks for, and AWS's refusals of what it cannot ask for.

Each rule is a line of a table or a function of its own; what the model says (types, lengths, enums)
has been checked before.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import orjson

from gateway.api.model import Request
from gateway.asl.definition import ALONE, find_state
from gateway.asl.errors import DefinitionError
from gateway.asl.outline import outline
from gateway.asl.resources import ACTIVITY, family, pattern
from gateway.asl.states.state import State
from gateway.asl.states.task import Task
from gateway.asl.validation import accepted, accepted_state
from gateway.engine.arns import check_role
from gateway.engine.inputs import check_input
from gateway.errors import ApiError
from gateway.testing.mocks import Returned, Thrown
from gateway.testing.verbatim import Verbatim

Json: TypeAlias = Any

_ONLY_MOCKED: Final = {
    "context": "Context",
    "errorCausedByState": "ErrorCausedByState",
    "mapItemReaderData": "MapItemReaderData",
    "mapIterationFailureCount": "MapIterationFailureCount",
    "retrierRetryCount": "RetrierRetryCount",
}
"""What a request may have with a mock alone, as AWS writes it."""
_MOCKABLE: Final = frozenset({"Task", "Map", "Parallel"})
_CONTEXT: Final = ("Execution", "Map", "State", "StateMachine", "Task")
"""Members of the Context Object; all of them are objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateTest:
    """A request that is in order."""

    state: State
    members: dict[str, Json]
    """The state as it is written."""
    input: str
    variables: dict[str, Json]
    context: dict[str, Json] | None
    mock: Returned | Thrown | None
    configuration: dict[str, Json]
    documents: Verbatim
    """Has read them."""

    @property
    def resource(self) -> str | None:
        """What a Task state asks for."""
        return self.state.resource if isinstance(self.state, Task) else None


def read_state_test(request: Request) -> StateTest:
    """The test that is asked for. Raises ApiError InvalidArn, InvalidDefinition,
    InvalidExecutionInput, ValidationException."""
    if "roleArn" in request:
        check_role(request["roleArn"])
    given = request.get("input", "{}")
    check_input(given)
    mock = request.get("mock")
    configuration = _without_nulls(request.get("stateConfiguration", {}))
    if mock is None:
        _refuse_without_mock({**request, **configuration})
    else:
        _check_mock(mock, request)
    state, members = _read_state(request["definition"], request.get("stateName"))
    if mock is None:
        _check_unmocked(state)
    elif state.type not in _MOCKABLE:
        raise _refusal(f"State type '{state.type}' is not supported when a mock is specified")
    _check_configuration(configuration, state, members)
    documents = Verbatim()
    return StateTest(
        state=state,
        members=members,
        input=given,
        variables=_read_object(documents, request.get("variables", "{}"), "Variables"),
        context=_read_context(documents, request.get("context"), state),
        mock=None if mock is None else _read_mock(documents, mock, state, members),
        configuration=configuration,
        documents=documents,
    )


def _without_nulls(given: dict[str, Json]) -> dict[str, Json]:
    return {name: value for name, value in given.items() if value is not None}


def _refusal(message: str) -> ApiError:
    return ApiError("ValidationException", message)


def _unsupported(message: str) -> ApiError:
    return ApiError("InvalidDefinition", message)


# --------------------------------------------------------------------------- the state


def _read_state(text: str, name: str | None) -> tuple[State, dict[str, Json]]:
    try:
        if name is None:
            return accepted_state(text), orjson.loads(text)
        found = find_state(accepted(text), name)
    except DefinitionError as error:
        hint = _of_machine(text) if name is None else ""
        message = f"Invalid State Machine Definition: '{error}'{hint}"
        raise ApiError("InvalidDefinition", message) from None
    if found is None:
        raise _refusal("State not found in definition")
    written = (each.members for each in outline(orjson.loads(text)) if each.name == name)
    # AWS: the Context Object has this name, whatever the definition calls the state.
    return replace(found, name=ALONE), next(written)


def _of_machine(text: str) -> str:
    """What to say beside the errors where the definition is not even meant to be a state's."""
    with suppress(ValueError):
        document = orjson.loads(text)
        if isinstance(document, dict) and document.keys() >= {"StartAt", "States"}:
            return ". It is that of a state machine: say which of its states in 'stateName'."
    return ""


def _check_unmocked(state: State) -> None:
    """Without a mock there has to be something that can be done here and now."""
    if state.type in {"Map", "Parallel"}:
        types = "[Task, Wait, Pass, Succeed, Fail, Choice]"
        raise _unsupported(
            "TestState API does not support Map or Parallel states. "
            f"Supported state types include: {types}"
        )
    if isinstance(state, Task):
        if family(state.resource) == ACTIVITY:
            raise _unsupported("TestState API does not support Activity tasks without a mock.")
        if pattern(state.resource):
            raise _unsupported(
                "TestState API does not support the '.sync' and '.waitForTaskToken' service "
                "integration patterns without a mock."
            )


# ------------------------------------------------------------- mock and configuration


def _refuse_without_mock(given: dict[str, Json]) -> None:
    for member, name in _ONLY_MOCKED.items():
        if member in given:
            raise _refusal(f"TestState does not support {name} when a mock is not specified.")


def _check_mock(mock: dict[str, Json], request: Request) -> None:
    fields = [name for name in ("result", "errorOutput") if mock.get(name) is not None]
    if len(fields) > 1:
        message = "A test mock should have only one of the following fields: [result, errorOutput]."
        raise _refusal(message)
    if not fields:
        raise _refusal(
            "A test mock should have one of the following fields: [result, errorOutput]."
        )
    if fields == ["errorOutput"] and mock["errorOutput"].get("error") is None:
        raise _refusal("A mocked error output must have the field 'error'.")
    if request.get("revealSecrets"):
        raise _refusal("TestState does not support RevealSecrets when a mock is specified.")


def _check_configuration(
    configuration: dict[str, Json], state: State, members: dict[str, Json]
) -> None:
    source = configuration.get("errorCausedByState")
    if source is not None and not any(find_state(inner, source) for inner in state.inner):
        raise _refusal(f"ErrorCausedByState: the state has no state '{source}' inside.")
    if "mapIterationFailureCount" in configuration and state.type != "Map":
        raise _refusal("MapIterationFailureCount is supported for Map states only.")
    if "mapItemReaderData" in configuration and "ItemReader" not in members:
        raise _refusal("MapItemReaderData is supported for Map states with an ItemReader only.")


def _read_mock(
    documents: Verbatim, mock: dict[str, Json], state: State, members: dict[str, Json]
) -> Returned | Thrown:
    if mock.get("errorOutput") is not None:
        return Thrown(mock["errorOutput"]["error"], mock["errorOutput"].get("cause"))
    try:
        result = documents.read(mock["result"])
    except ValueError:
        raise _refusal("Mocked result must be valid JSON") from None
    if state.type == "Parallel":
        _check_result_of_parallel(result, state)
    elif state.type == "Map":
        _check_result_of_map(result, members)
    return Returned(result)


def _check_result_of_parallel(result: Json, state: State) -> None:
    if not isinstance(result, list):
        raise _refusal("Mocked result must be an array.")
    if len(result) != len(state.programs):
        raise _refusal(
            "Mocked result must contain the same number of items as number of Parallel branches."
        )


def _check_result_of_map(result: Json, members: dict[str, Json]) -> None:
    """With a writer, the state's result only says where the results are."""
    written = "Resource" in members.get("ResultWriter", {})
    if written and not isinstance(result, dict):
        raise _refusal("Mocked result must be a JSON object.")
    if not written and not isinstance(result, list):
        raise _refusal("Mocked result must be an array.")


# --------------------------------------------------------------- context and variables


def _read_object(documents: Verbatim, text: str, what: str) -> dict[str, Json]:
    try:
        value = documents.read(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise _refusal(f"{what} must be a valid JSON object.")
    return value


def _read_context(documents: Verbatim, text: str | None, state: State) -> dict[str, Json] | None:
    if text is None:
        return None
    context = _read_object(documents, text, "Context object")
    for name in _CONTEXT:
        if name in context and not isinstance(context[name], dict):
            raise _bad_context(f"'{name}' must be a JSON object")
    waits = isinstance(state, Task) and pattern(state.resource)
    if "Task" in context and not waits:
        raise _bad_context(
            "Context object contains 'Task' when state is not a Task state with a '.sync' or "
            "'.waitForTaskToken' service integration pattern"
        )
    return context


def _bad_context(reason: str) -> ApiError:
    return _refusal(f"Invalid Context object provided: {reason}")
