"""JSON text that may be none: the parser's two ways to fail, told apart.

At the bottom of the layers, for all who go on in another way where something is no JSON.
"""

from __future__ import annotations

from typing import Any

import orjson


def loads(text: str | bytes) -> Any:
    """The value. Raises ``orjson.JSONDecodeError`` where it is no JSON, and MemoryError where there
    is no room to parse it: the parser says the same of both, and a message that is taken for plain
    text would be filtered away."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if error.msg.startswith("Not enough memory"):
            raise MemoryError(error.msg) from None
        raise
