"""Functions over moments. Now is when the stimulus came."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.numbers import by_library
from gateway.asl.jsonata.run import Run
from gateway.asl.jsonata.values import UNDEFINED, Value

_ISO: Final = re.compile(
    r"(\d{4})(?:-([01]\d))?(?:-([0-3]\d))?"
    r"(?:T([0-2]\d):([0-5]\d):([0-5]\d))?(\.\d+)?(?:([+-])([0-2]\d):?([0-5]\d)|Z)?"
)
_TIMEZONE: Final = re.compile(r"[+-]?\d{4}|Z?")
_ADJACENT: Final = re.compile(r"\[[^\[\]]*\]\s*\[[^\[\]]*\]")
MOST_COMPONENTS: Final = 12
"""Components of a picture by which a text is read: neighbours may share digits in many ways."""


def millis(run: Run) -> Value:
    """$millis."""
    return run.at


def now(run: Run, picture: Value, timezone: Value) -> Value:
    """$now."""
    return from_millis(run, run.at, picture, timezone)


def from_millis(run: Run, at: Value, picture: Value, timezone: Value) -> Value:
    """$fromMillis: ISO 8601, or by a picture."""
    if at is UNDEFINED:
        return UNDEFINED
    from jsonata.functions import Functions

    if timezone is not UNDEFINED and not _TIMEZONE.fullmatch(timezone):
        raise JsonataError(f"The timezone '{timezone}' is not of the form +0100")
    zone = None if timezone is UNDEFINED or timezone in {"", "Z"} else timezone
    return by_library(run, "fromMillis", Functions.datetime_from_millis, int(at), picture, zone)


def to_millis(run: Run, text: Value, picture: Value) -> Value:
    """$toMillis of an ISO 8601 text, or by a picture."""
    if text is UNDEFINED:
        return UNDEFINED
    if picture is UNDEFINED:
        return _iso_millis(text)
    from jsonata.functions import Functions

    if picture.count("[") > MOST_COMPONENTS or len(_ADJACENT.findall(picture)) > 2:
        raise JsonataError("The picture has too many components, or too many side by side")
    found = by_library(run, "toMillis", Functions.datetime_to_millis, text, picture)
    return UNDEFINED if found is None else found


def _iso_millis(text: str) -> int:
    found = _ISO.fullmatch(text)
    if found is None:
        raise failure("D3110", text)
    *date, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = (int(part) if part else None for part in date)
    try:
        moment = datetime(
            year or 0, month or 1, day or 1, hour or 0, minute or 0, second or 0, tzinfo=UTC
        )
    except ValueError:
        raise failure("D3110", text) from None
    offset = (int(hours) * 60 + int(minutes)) * (-1 if sign == "-" else 1) if sign else 0
    return int(moment.timestamp() - offset * 60) * 1000 + int(float(fraction or 0) * 1000)
