"""Why an evaluation failed: JSONata's own codes and sentences."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import orjson

_INSERT = re.compile(r"\{\{\{?(\w+)\}?\}\}")
_TAKE_RAW = "{{{"


class JsonataError(Exception):
    """An expression that cannot be evaluated; the text is ``<code>: <sentence>``."""

    def __init__(self, message: str, code: str | None = None, position: int | None = None) -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.code = code
        """JSONata's: T1006, D3030, …; None for the functions and bounds that are AWS's."""
        self.position = position
        """0-based place in the expression, where it is known."""


class UndefinedError(JsonataError):
    """The expression gave nothing, which AWS reports in words of its own."""

    def __init__(self) -> None:
        super().__init__("The expression returned nothing (undefined)")


def failure(code: str, *inserts: Any, position: int | None = None) -> JsonataError:
    """The error of a code; ``inserts`` fill the places of its sentence in order."""
    given = iter(inserts)

    def fill(place: re.Match[str]) -> str:
        value = next(given, "")
        return str(value) if place[0].startswith(_TAKE_RAW) else _shown(value)

    return JsonataError(_INSERT.sub(fill, _sentences()[code]), code, position)


def _shown(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return str(value)


@cache
def _sentences() -> dict[str, str]:
    """The library's table, in which the word "function" became "Object"; imported when needed."""
    from jsonata.jexception import JException

    return {
        code: text.replace("Object", "function") for code, text in JException.error_codes.items()
    }
