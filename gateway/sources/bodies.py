"""What a message carries: a document where it is JSON, else text. One guard for all sources. Pure.

The guard is at the door, because nothing behind it could write a document that is nested deeper:
neither an execution's input nor the letter that says why there is none.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import orjson

from gateway.json_text import loads

Json: TypeAlias = Any

LEVELS_MAX: Final = 254
"""Objects and arrays within each other that can be written as well as read."""
_TOO_DEEP: Final = f"the body is nested deeper than {LEVELS_MAX} levels"


class TooDeep(ValueError):
    """The text is JSON, but nested deeper than can be kept."""


def parse_json(text: str | bytes) -> Json:
    """The document. Raises orjson.JSONDecodeError where it is no JSON, TooDeep and
    MemoryError."""
    try:
        value = loads(text)
    except orjson.JSONDecodeError as error:
        if "depth limit" in error.msg:
            raise TooDeep(_TOO_DEEP) from None
        raise
    # Counting takes next to nothing, and hardly any document has to be written for it.
    if _opened(text) > LEVELS_MAX:
        try:
            orjson.dumps(value)
        except TypeError:
            raise TooDeep(_TOO_DEEP) from None
    return value


def _opened(text: str | bytes) -> int:
    """How many objects and arrays begin in it, at most."""
    if isinstance(text, str):
        return text.count("{") + text.count("[")
    return text.count(b"{") + text.count(b"[")


def json_or_text(text: str) -> tuple[Json, str | None]:
    """The document, or the text itself where it is none; and why it can never be taken, if so."""
    try:
        return parse_json(text), None
    except orjson.JSONDecodeError:
        return text, None
    except TooDeep as deep:
        return text, str(deep)
