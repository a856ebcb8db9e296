"""JSON as it leaves the house."""

from __future__ import annotations

import json
from typing import Any

import orjson


def to_json(document: Any) -> str:
    """JSON text of a document.

    Letters may hold what orjson refuses (integers over 64 bits, lone surrogates, NaN); the standard
    library writes these, and a receiver gets them rather than nothing.
    """
    try:
        return orjson.dumps(document).decode()
    except TypeError:
        return json.dumps(document)
