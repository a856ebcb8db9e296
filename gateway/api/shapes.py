"""The shapes of a service description as botocore ships them: what members there are, of what type.

botocore's own reader of them brings an HTTP client along, a tenth of the memory of an idle daemon;
of botocore, the API needs one file.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

Json: TypeAlias = Any
_PROSE: Final = "documentation"


class Shape:
    """One type of value."""

    def __init__(self, metadata: Mapping[str, Json], shapes: Mapping[str, Json]) -> None:
        self.metadata: Final = metadata
        """Its limits: ``min``, ``max``, ``pattern``, ``enum``, ``sensitive``."""
        self._shapes = shapes

    @property
    def type_name(self) -> str:
        """``structure``, ``list``, ``map``, ``string``, ``timestamp`` and so on."""
        name: str = self.metadata["type"]
        return name

    @cached_property
    def members(self) -> dict[str, Shape]:
        """What a structure has."""
        return {name: self._at(place) for name, place in self.metadata["members"].items()}

    @cached_property
    def required_members(self) -> frozenset[str]:
        """What a structure must have."""
        return frozenset(self.metadata.get("required", ()))

    @cached_property
    def member(self) -> Shape:
        """What a list holds."""
        return self._at(self.metadata["member"])

    @cached_property
    def value(self) -> Shape:
        """What a map holds."""
        return self._at(self.metadata["value"])

    def _at(self, place: Mapping[str, Json]) -> Shape:
        return Shape({**self._shapes[place["shape"]], **place}, self._shapes)


class Operation:
    """What one operation takes and gives."""

    def __init__(self, description: Mapping[str, Json], shapes: Mapping[str, Json]) -> None:
        self.input_shape: Final = _shape(description.get("input"), shapes)
        self.output_shape: Final = _shape(description.get("output"), shapes)


def _shape(place: Mapping[str, Json] | None, shapes: Mapping[str, Json]) -> Shape | None:
    return None if place is None else Shape(shapes[place["shape"]], shapes)


def step_functions_description() -> Json:
    """AWS's description of Step Functions, without its prose."""
    return _without_prose(_newest("stepfunctions"))


def service_description(service: str) -> Json:
    """AWS's description of the service that botocore calls so; None where it does not know it."""
    return _newest(service) if service in service_names() else None


def _newest(service: str) -> Json:
    newest = max((_data() / service).iterdir())
    return orjson.loads(gzip.decompress((newest / "service-2.json.gz").read_bytes()))


@cache
def service_names() -> frozenset[str]:
    """The services that botocore describes."""
    return frozenset(path.name for path in _data().iterdir() if path.is_dir())


def _data() -> Path:
    found = find_spec("botocore")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("botocore, which has the description of the API")
    return Path(found.origin).parent / "data"


def _without_prose(value: Json) -> Json:
    """A member that is called so is kept: it is no text."""
    match value:
        case dict():
            return {
                name: _without_prose(below)
                for name, below in value.items()
                if not (name == _PROSE and isinstance(below, str))
            }
        case list():
            return [_without_prose(item) for item in value]
        case _:
            return value
