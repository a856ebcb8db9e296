"""JSON text that comes in, behind the guards that let everything after them be written again."""

from __future__ import annotations

import orjson

from gateway.asl.scope import Json


def read_document(text: str | bytes) -> Json:
    """The document. Raises ValueError, in words, where it is no JSON or nested too deep to be kept.

    Numbers beyond 64 bits become floats, NaN and lone surrogates are no JSON.
    """
    value = orjson.loads(text)
    try:
        orjson.dumps(value)
    except TypeError:
        raise ValueError("The document is nested deeper than 254 levels") from None
    return value
