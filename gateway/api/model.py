"""A service as botocore's model describes it: its operations, and what they take and give.

Requests are checked and answers are serialised from the shapes, so that an operation's code holds
only what the operation does. Stategate's own operations are described in the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gateway.api.answers import Serialise, serialiser
from gateway.api.constraints import violations
from gateway.errors import ApiError

if TYPE_CHECKING:
    from botocore.model import OperationModel

Json: TypeAlias = Any
Request: TypeAlias = dict[str, Json]
"""The members that an operation was given; those that are null are not in it."""
Response: TypeAlias = dict[str, Json]
"""The members that an operation answers; timestamps are integer milliseconds since the epoch."""

_STEP_FUNCTIONS: Final = "stepfunctions"


class Model:
    """Checks requests and serialises answers by the shapes of one service."""

    def __init__(self, description: Mapping[str, Json]) -> None:
        from botocore.model import ServiceModel

        self._service = ServiceModel(description)
        self.operation_names: Final = frozenset(self._service.operation_names)
        self._operations: dict[str, OperationModel] = {}
        self._serialisers: dict[str, Serialise] = {}

    @property
    def target_prefix(self) -> str:
        """What stands before the operation in ``X-Amz-Target``."""
        prefix: str = self._service.metadata["targetPrefix"]
        return prefix

    def check(self, operation: str, request: Json) -> Request:
        """The request without its null members.

        Raises ApiError SerializationException where a member has the wrong JSON type, else
        ValidationException with every violation.
        """
        shape = self.operation(operation).input_shape
        found = list(violations(shape, request, ""))
        if found:
            errors = "error" if len(found) == 1 else "errors"
            message = f"{len(found)} validation {errors} detected: {'; '.join(found)}"
            raise ApiError("ValidationException", message)
        return {name: value for name, value in request.items() if value is not None}

    def serialise(self, operation: str, response: Response) -> Response:
        """The answer as it goes over the wire: timestamps in seconds since the epoch."""
        known = self._serialisers.get(operation)
        if known is None:
            known = serialiser(self.operation(operation).output_shape)
            self._serialisers[operation] = known
        wire: Response = known(response)
        return wire

    def operation(self, name: str) -> OperationModel:
        """botocore's description of the operation."""
        model = self._operations.get(name)
        if model is None:
            model = self._operations[name] = self._service.operation_model(name)
        return model


def step_functions_model() -> Model:
    """The model of AWS Step Functions that botocore ships; reading it takes about 20 ms."""
    from botocore.loaders import create_loader

    return Model(create_loader().load_service_model(_STEP_FUNCTIONS, "service-2"))
