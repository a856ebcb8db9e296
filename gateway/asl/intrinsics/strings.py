"""States.Format and States.StringSplit."""

from __future__ import annotations

import re
from itertools import chain, zip_longest

import orjson

from gateway.asl.intrinsics.arguments import IntrinsicError, string
from gateway.asl.scope import Json


def format_text(template: Json, *values: Json) -> Json:
    """States.Format: each ``{}`` replaced. A literal comes as the pieces between its ``{}``."""
    pieces = template if isinstance(template, tuple) else _pieces(template)
    if len(pieces) != len(values) + 1:
        raise IntrinsicError(
            f"The number of arguments ({len(values)}) does not match "
            f"the occurrences of {{}} ({len(pieces) - 1})"
        )
    return "".join(chain.from_iterable(zip_longest(pieces, map(_shown, values), fillvalue="")))


def split(text: Json, delimiters: Json) -> Json:
    """States.StringSplit: at any of the characters; empty parts are left out, as AWS does."""
    whole, characters = string(text, "The first argument"), string(delimiters, "The delimiter")
    if not characters:
        return [whole] if whole else []
    return [part for part in re.split(f"[{re.escape(characters)}]", whole) if part]


def _pieces(template: Json) -> tuple[str, ...]:
    return tuple(string(template, "The template").split("{}"))


def _shown(value: Json) -> str:
    """A value inside a text: objects and arrays as Java's maps and lists print themselves."""
    match value:
        case str():
            return value
        case dict():
            return "{" + ", ".join(f"{key}={_shown(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_shown, value)) + "]"
        case _:
            return orjson.dumps(value).decode()
