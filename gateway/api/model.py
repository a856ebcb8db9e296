"""A service as botocore's model describes it: its operations, and what they take and give.

Requests are checked and answers are serialised from the shapes, so that an operation's code holds
only what the operation does. Stategate's own operations are described in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, TypeAlias

from gateway.api.answers import Serialise, serialiser
from gateway.api.constraints import violations
from gateway.api.shapes import Operation, Shape, step_functions_description
from gateway.errors import ApiError

Json: TypeAlias = Any
Request: TypeAlias = dict[str, Json]
"""The members that an operation was given, as far as the model knows them; those that are null are
not in it, nor in the structures inside."""
Response: TypeAlias = dict[str, Json]
"""The members that an operation answers; timestamps are integer milliseconds since the epoch."""


class Model:
    """Checks requests and serialises answers by the shapes of one service."""

    def __init__(self, description: Mapping[str, Json]) -> None:
        self._description = description
        self.operation_names: Final = frozenset(description["operations"])
        self._operations: dict[str, Operation] = {}
        self._serialisers: dict[str, Serialise] = {}

    @property
    def target_prefix(self) -> str:
        """What stands before the operation in ``X-Amz-Target``."""
        prefix: str = self._description["metadata"]["targetPrefix"]
        return prefix

    def check(self, operation: str, request: Json) -> Request:
        """The request without its null members, and those that the model does not have.

        Raises ApiError SerializationException where a member has the wrong JSON type, else
        ValidationException with every violation.
        """
        shape = self.operation(operation).input_shape
        found = list(violations(shape, request, ""))
        if found:
            errors = "error" if len(found) == 1 else "errors"
            message = f"{len(found)} validation {errors} detected: {'; '.join(found)}"
            raise ApiError("ValidationException", message)
        given: Request = request if shape is None else _given(shape, request)
        return given

    def serialise(self, operation: str, response: Response) -> Response:
        """The answer as it goes over the wire: timestamps in seconds since the epoch."""
        known = self._serialisers.get(operation)
        if known is None:
            known = serialiser(self.operation(operation).output_shape)
            self._serialisers[operation] = known
        wire: Response = known(response)
        return wire

    def operation(self, name: str) -> Operation:
        """The description of the operation."""
        model = self._operations.get(name)
        if model is None:
            described = self._description["operations"][name]
            model = self._operations[name] = Operation(described, self._description["shapes"])
        return model


def _given(shape: Shape, value: Json) -> Json:
    match shape.type_name:
        case "structure":
            return {
                name: _given(member, value[name])
                for name, member in shape.members.items()
                if value.get(name) is not None
            }
        case "list":
            return [_given(shape.member, item) for item in value]
        case _:
            return value


@cache
def step_functions_model() -> Model:
    """The model of AWS Step Functions that botocore ships, with what Stategate adds to it; reading
    it takes about 10 ms, and keeping it more than 1 MiB."""
    description = step_functions_description()
    # Beyond AWS: the beginning of the names that ListExecutions lists.
    description["shapes"]["ListExecutionsInput"]["members"]["namePrefix"] = {"shape": "Name"}
    return Model(description)
