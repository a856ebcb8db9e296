"""Whether the mocked result of a task is one that its service could give.

The services' models are botocore's; their members are written as Step Functions writes them in
results. Members that a model does not know are let through, as at AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import regex

from gateway.api.shapes import Operation, Shape, service_description
from gateway.asl.resources import TASK, family, parts
from gateway.aws.catalogue import Catalogue, read_catalogue
from gateway.aws.java_names import action_name, capital, member_name
from gateway.errors import ApiError

Json: TypeAlias = Any

_PATTERN_SECONDS: Final = 0.1
_SDK: Final = "aws-sdk:"
_OPTIMISED: Final = {"states": "stepfunctions", "elasticmapreduce": "emr"}
"""What integrations call a service that botocore calls otherwise."""
_POLLED: Final = {
    "startExecution.sync": "describeExecution",
    "startExecution.sync:2": "describeExecution",
}
"""The operation whose answer is the result, where it is not the one that the Resource names."""
_DOCUMENTS: Final = {"lambda:invoke": "Payload", "states:startExecution.sync:2": "Output"}
"""Members in which an integration shows a document where the service has text."""


class Answer(NamedTuple):
    """What a service answers, and how a Task state shows it."""

    shape: Shape
    spelled: Callable[[str], str]
    """The name of a member, from the model's."""
    document: str | None
    """The member that may be anything."""
    polled: bool
    """It was asked for until it was ready; times in it are numbers then."""


@lru_cache(maxsize=4)
def answer_of(resource: str) -> Answer | None:
    """What the tasks with this Resource come to; None where no model says it. Blocks: a model is
    read from disk."""
    service, action = parts(resource)
    operation = _POLLED.get(action, action)
    if family(resource) != TASK or "." in operation:
        return None
    described = _described(service) or {"operations": {}}
    known = {action_name(name): name for name in described["operations"]}
    if operation not in known:
        return None
    shape = Operation(described["operations"][known[operation]], described["shapes"]).output_shape
    if shape is None:
        return None
    spelled = member_name if service.startswith(_SDK) else capital
    return Answer(shape, spelled, _DOCUMENTS.get(f"{service}:{action}"), action in _POLLED)


def _described(service: str) -> Json:
    if not service.startswith(_SDK):
        return service_description(_OPTIMISED.get(service, service))
    entry = _catalogue().get(service.removeprefix(_SDK))
    return None if entry is None else service_description(entry.botocore)


@cache
def _catalogue() -> Catalogue:
    return read_catalogue()


def check_result(answer: Answer, result: Json, mode: str) -> None:
    """Raise ApiError ValidationException with the first member that is not as the model says.

    ``mode`` is STRICT, or PRESENT: what is missing does not count.
    """
    if not isinstance(result, dict):
        raise _mistake("The result must be an object")
    reader = _Reader(answer.spelled, strict=mode == "STRICT", polled=answer.polled)
    checked = {name: value for name, value in result.items() if name != answer.document}
    for said in reader.structure(answer.shape, checked):
        raise _mistake(said)


def _mistake(said: str) -> ApiError:
    return ApiError("ValidationException", f"Mock result schema validation error: {said}")


_KINDS: Final[dict[str, tuple[str, type | tuple[type, ...]]]] = {
    "structure": ("an object", dict),
    "map": ("an object", dict),
    "list": ("an array", list),
    "boolean": ("a boolean", bool),
    "integer": ("an integer", int),
    "long": ("an integer", int),
    "float": ("a number", (int, float)),
    "double": ("a number", (int, float)),
}
"""Types and what they are in a result; all others are strings."""


class _Reader(NamedTuple):
    """One walk over a result; each method gives what is wrong, in AWS's words."""

    spelled: Callable[[str], str]
    strict: bool
    polled: bool

    def structure(self, shape: Shape, value: dict[str, Json]) -> Iterator[str]:
        members = {self.spelled(name): member for name, member in shape.members.items()}
        if self.strict:
            for name in map(self.spelled, shape.metadata.get("required", ())):
                if value.get(name) is None:
                    yield f"Required field '{name}' is missing"
        for name, given in value.items():
            if name in members and given is not None:
                yield from self.value(members[name], given, name)

    def value(self, shape: Shape, value: Json, name: str) -> Iterator[str]:
        if shape.metadata.get("document"):
            return
        what, kind = _KINDS.get(shape.type_name, ("a string", str))
        if self.polled and shape.type_name == "timestamp":
            kind = (str, int, float)
        fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
        if not fits:
            yield f"Field '{name}' must be {what}"
            return
        yield from _limits(shape, value, name)
        match shape.type_name:
            case "structure":
                yield from self.structure(shape, value)
            case "list":
                for each in value:
                    yield from self.value(shape.member, each, name)
            case "map":
                for each in value.values():
                    yield from self.value(shape.value, each, name)
            case _:
                pass


def _limits(shape: Shape, value: Json, name: str) -> Iterator[str]:
    limits = shape.metadata
    numeric = isinstance(value, int | float)
    size = value if numeric else len(value)
    if "min" in limits and size < limits["min"]:
        too_small = "less than the minimum value" if numeric else "smaller than the minimum length"
        yield f"Field '{name}' is {too_small}"
    if "max" in limits and size > limits["max"]:
        yield f"Field '{name}' exceeds the maximum {'value' if numeric else 'length'}"
    if "enum" in limits and value not in limits["enum"]:
        yield f"Field '{name}' must be one of [{', '.join(limits['enum'])}]"
    if "pattern" in limits and not _matches(limits["pattern"], value):
        yield f"Field '{name}' does not match the pattern {limits['pattern']}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return regex.fullmatch(pattern, value, timeout=_PATTERN_SECONDS) is not None
    except (regex.error, TimeoutError):
        # The pattern is one of Java's, or too slow: it says nothing about the value then.
        return True
