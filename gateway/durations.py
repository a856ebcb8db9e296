"""Durations as people write them in a configuration: ``30s``, ``5m``, ``3d``.

Pure and at the bottom of the layers, so that every settings class shares one type. Inside the
program a duration is a float of seconds.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
_PATTERN = r"^\d{1,12}(\.\d{1,3})?(ms|s|m|h|d|w)$"
_WRITTEN = re.compile(r"(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d|w)", re.ASCII)
_LONGEST_SECONDS = 3_650 * 86_400.0


def parse_duration(written: Any) -> float:
    """Seconds of ``30s``; ValueError says what is wrong and what would be right.

    A bare number is refused, since nobody can see whether it means seconds or milliseconds; the one
    exception is 0, which is the same in every unit.
    """
    if written in (0, "0") and not isinstance(written, bool):
        return 0.0
    match = _WRITTEN.fullmatch(written.strip()) if isinstance(written, str) else None
    if match is None:
        raise ValueError(
            f"{written!r} is no duration: "
            "write a number and a unit (ms, s, m, h, d, w), as 30s or 5m"
        )
    seconds = float(match[1]) * _SECONDS[match[2]]
    if seconds > _LONGEST_SECONDS:
        raise ValueError(f"{written} is too long: at most 3650d")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest way to write it with one unit: 90.0 -> ``90s``, 300.0 -> ``5m``."""
    if not seconds:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"


Duration: TypeAlias = Annotated[
    float,
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["30s", "5m", "3d"]}),
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str, when_used="json"),
]
"""A pydantic field written ``30s`` and read as 30.0 seconds. Defaults are given in seconds."""
