"""Pydantic's errors in words a person can follow: where it is, what is wrong, what was meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, TypeAlias

from pydantic_core import ErrorDetails

from gateway.config.settings import Settings
from gateway.errors import Problem

Json: TypeAlias = Any
Location: TypeAlias = tuple[int | str, ...]
"""Where pydantic found something: keys and indices, and names of a union's members between them."""


def suggestion(wrong: str, right: list[str]) -> str:
    """``; did you mean "x"?`` where something is near, else what there is."""
    near = get_close_matches(wrong, right, n=1)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; there are {', '.join(right)}" if right else "; there are none"


def describe(value: Json, error: ErrorDetails) -> Problem:
    """The problem that an error of pydantic's is; ``value`` is what was validated."""
    steps = list(_steps(value, error["loc"]))
    path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in steps).removeprefix(".")
    return Problem(path, _message(error, steps))


def _steps(value: Json, loc: Location) -> Iterator[int | str]:
    """Where it is in the file: pydantic's location without the names of the union's members."""
    for step in loc[:-1]:
        if _holds(value, step):
            yield step
            value = value[step]
    if _holds(value, loc[-1]) or _lacks(value, loc[-1]):
        yield loc[-1]


def _holds(value: Json, step: int | str) -> bool:
    match value:
        case dict():
            return step in value
        case list():
            return isinstance(step, int) and step < len(value)
        case _:
            return False


def _lacks(value: Json, step: int | str) -> bool:
    """Whether the step is a key that should be there, and not what pydantic adds of its own."""
    return isinstance(value, dict) and step not in {"[key]", value.get("type")}


def _message(error: ErrorDetails, steps: list[int | str]) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            message = str(context["error"])
        case "extra_forbidden":
            message = f"unknown key{suggestion(str(steps[-1]), _keys(error['loc'][:-1]))}"
        case "union_tag_invalid":
            right = re.findall(r"'([^']*)'", context["expected_tags"])
            message = f"unknown type {context['tag']!r}{suggestion(context['tag'], right)}"
        case "model_type" | "model_attributes_type":
            keys = _keys(error["loc"])
            message = f"must be a mapping with {', '.join(keys)}" if keys else "must be a mapping"
        case "too_short" if context["field_type"] == "Value":  # a secret
            message = _MESSAGES["string_too_short"]
        case "string_pattern_mismatch":
            message = f"does not look right: write it as {_example(error['loc'])}"
        case kind if kind in _MESSAGES:
            message = _MESSAGES[kind].format(**context)
        case _:
            message = error["msg"].removeprefix("Input ")
    return message


_MESSAGES = {
    "missing": "is missing",
    "union_tag_not_found": "type is missing: it says which kind this is",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "string_type": "must be a text; put it in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length} characters",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} of them",
    "too_long": "must have at most {max_length} of them",
    "dict_type": "must be a mapping",
    "path_type": "must be a path",
    "literal_error": "must be {expected}",
}
"""By pydantic's type of error; what it says for others is good enough."""


def _keys(loc: Location) -> list[str]:
    """The keys that the settings know at a location of pydantic's."""
    return sorted({key for place in _places(loc) for key in place.get("properties", {})})


def _example(loc: Location) -> str:
    """A value that may stand at a location of pydantic's; each setting with a pattern has one."""
    places = [each for place in _places(loc) for each in (place, *place.get("anyOf", ()))]
    return str(next(place["examples"][0] for place in places if "examples" in place))


def _places(loc: Location) -> list[Json]:
    """The schemas of a location of pydantic's: several below a union."""
    whole = Settings.model_json_schema()
    places = [whole]
    for step in loc:
        places = [below for place in places for below in _below(whole, place, step)]
    return [_resolved(whole, place) for place in places]


def _resolved(whole: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = whole["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _below(whole: Json, schema: Json, step: int | str) -> Iterator[Json]:
    """The schemas that a step leads to: a member, an entry, an element, or one of a union."""
    schema = _resolved(whole, schema)
    tags = schema.get("discriminator", {}).get("mapping", {})
    if step in tags:
        yield {"$ref": tags[step]}
        return
    for member in schema.get("anyOf", ()):
        yield from _below(whole, member, step)
    for below in (
        schema.get("properties", {}).get(step),
        schema.get("additionalProperties"),
        schema.get("items"),
    ):
        if isinstance(below, dict):
            yield below
            return
