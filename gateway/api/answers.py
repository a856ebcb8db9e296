"""How an answer's values go over the wire: only timestamps look otherwise there than inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from gateway.api.shapes import Shape

Json: TypeAlias = Any
Serialise: TypeAlias = Callable[[Json], Json]


def serialiser(shape: Shape | None) -> Serialise:
    """A function that turns milliseconds into seconds wherever the shape has a timestamp.

    It copies what it changes and passes everything else through unseen, so that the events of a
    long history cost one look-up each.
    """
    return _compile(shape) or _as_it_is


def _as_it_is(value: Json) -> Json:
    return value


def _compile(shape: Shape | None) -> Serialise | None:
    if shape is None:
        return None
    match shape.type_name:
        case "structure":
            return _structure(shape)
        case "list":
            return _list(_compile(shape.member))
        case "timestamp":
            return _seconds
        case _:
            return None


def _seconds(milliseconds: int) -> float:
    return milliseconds / 1000


def _structure(shape: Shape) -> Serialise | None:
    compiled = ((name, _compile(member)) for name, member in shape.members.items())
    members = [(name, convert) for name, convert in compiled if convert is not None]
    if not members:
        return None

    def convert_members(value: Json) -> Json:
        changed = {name: convert(value[name]) for name, convert in members if name in value}
        return {**value, **changed}

    return convert_members


def _list(member: Serialise | None) -> Serialise | None:
    if member is None:
        return None
    return lambda values: [member(value) for value in values]
