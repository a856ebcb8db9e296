"""What is wrong with a request, read off the shapes of the service model, in AWS's words.

A member of the wrong JSON type ends the check at once (AWS cannot deserialise it); violated
constraints are all collected.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from gateway.errors import ApiError

if TYPE_CHECKING:
    from gateway.api.shapes import Shape

Json: TypeAlias = Any

_JAVA: Final = {
    "string": "String",
    "integer": "Integer",
    "long": "Long",
    "float": "Float",
    "boolean": "Boolean",
    "timestamp": "Timestamp",
    "structure": "Structure",
    "list": "List",
    "map": "Map",
}
_ACCEPTED: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float),
    "structure": (dict,),
    "list": (list,),
    "map": (dict,),
}


def violations(shape: Shape | None, value: Json, path: str) -> Iterator[str]:
    """One sentence for each constraint that ``value`` breaks; ``path`` is where it stands.

    Raises ApiError SerializationException where it has the wrong JSON type.
    """
    if shape is None:
        return
    # All of it, before anything is said of its size: that shows the value, inner ones included.
    _check_types(shape, value, path)
    yield from _violations(shape, value, path)


def _violations(shape: Shape, value: Json, path: str) -> Iterator[str]:
    if value is None:
        yield f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
        return
    yield from _own(shape, value, path)
    for member, inner, place in _inside(shape, value, path):
        yield from _violations(member, inner, place)


def _check_types(shape: Shape, value: Json, path: str) -> None:
    _check_type(shape, value, path)
    for member, inner, place in _inside(shape, value, path):
        if inner is not None or shape.type_name != "structure":
            _check_types(member, inner, place)


def _inside(shape: Shape, value: Json, path: str) -> Iterator[tuple[Shape, Json, str]]:
    """What the value holds: the shape of each, itself, and where it stands. Of a structure, the
    members that it has or should have."""
    match shape.type_name:
        case "structure":
            for name, member in shape.members.items():
                if value.get(name) is not None or name in shape.required_members:
                    yield member, value.get(name), f"{path}.{name}" if path else name
        case "list":
            for number, item in enumerate(value, 1):
                yield shape.member, item, f"{path}.{number}.member"
        case "map":
            for key, item in value.items():
                yield shape.value, item, f"{path}.{key}.member"
        case _:
            pass


def _fits(pattern: str, value: str) -> bool:
    # Few members have a pattern: regex takes its time to load.
    import regex

    return regex.fullmatch(pattern, value) is not None


def _own(shape: Shape, value: Json, path: str) -> Iterator[str]:
    """The constraints of the shape itself: what it may be, how long, how large."""
    limits = shape.metadata
    broken = []
    size = value if isinstance(value, int | float) else len(value)
    measure = "value" if isinstance(value, int | float) else "length"
    if "min" in limits and size < limits["min"]:
        broken.append(f"Member must have {measure} greater than or equal to {limits['min']}")
    if "max" in limits and size > limits["max"]:
        broken.append(f"Member must have {measure} less than or equal to {limits['max']}")
    if "pattern" in limits and not _fits(limits["pattern"], value):
        pattern = limits["pattern"]
        broken.append(f"Member must satisfy regular expression pattern: {pattern}")
    if "enum" in limits and value not in limits["enum"]:
        broken.append(f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]")
    if not broken:
        return
    # AWS shows the value, except where the model calls it sensitive.
    shown = "Value" if limits.get("sensitive") else f"Value '{_in_java(shape, value)}'"
    for constraint in broken:
        yield f"{shown} at '{path}' failed to satisfy constraint: {constraint}"


def _in_java(shape: Shape, value: Json) -> str:
    """The value as AWS's code prints it."""
    match value:
        case dict() if shape.type_name == "structure":
            members = (
                f"{name}={_in_java(member, value[name])}"
                for name, member in shape.members.items()
                if value.get(name) is not None
            )
            return f"{shape.metadata['shape']}({', '.join(members)})"
        case list():
            return f"[{', '.join(_in_java(shape.member, item) for item in value)}]"
        case _:
            return str(value)


def _check_type(shape: Shape, value: Json, path: str) -> None:
    wanted = shape.type_name
    if isinstance(value, bool) is (wanted == "boolean") and isinstance(value, _ACCEPTED[wanted]):
        return
    place = f" at '{path}'" if path else ""
    message = f"{_json_type(value)} can not be converted to {_JAVA[wanted]}{place}"
    raise ApiError("SerializationException", message)


def _json_type(value: Json) -> str:
    match value:
        case bool():
            return f"{str(value).upper()}_VALUE"
        case str():
            return "STRING_VALUE"
        case int() | float():
            return "NUMBER_VALUE"
        case dict():
            return "START_OBJECT"
        case list():
            return "START_ARRAY"
        case _:
            return "NULL_VALUE"
