"""Functions over moments. Now is when the stimulus came."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import partial
from typing import Final

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.numbers import by_library
from gateway.asl.jsonata.run import Run
from gateway.asl.jsonata.time_pictures import read_moment, write_moment
from gateway.asl.jsonata.values import UNDEFINED, Value

_ISO: Final = re.compile(
    r"(\d{4})(?:-([01]\d))?(?:-([0-3]\d))?"
    r"(?:T([0-2]\d):([0-5]\d):([0-5]\d))?(\.\d+)?(?:([+-])([0-2]\d):?([0-5]\d)|Z)?"
)
_TIMEZONE: Final = re.compile(r"[+-]?\d{4}|Z?")
MOST_COMPONENTS: Final = 20
"""Components of a picture by which a text is read; more make a pattern that is slow to compile."""
_ISO_PICTURE: Final = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]"


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
    if timezone is not UNDEFINED and not _TIMEZONE.fullmatch(timezone):
        raise JsonataError(f"The timezone '{timezone}' is not of the form +0100")
    zone = None if timezone is UNDEFINED or timezone in {"", "Z"} else timezone
    shown = _ISO_PICTURE if picture is UNDEFINED else picture
    return by_library(run, "fromMillis", write_moment, int(at), shown, zone)


def to_millis(run: Run, text: Value, picture: Value) -> Value:
    """$toMillis of an ISO 8601 text, or by a picture."""
    if text is UNDEFINED:
        return UNDEFINED
    if picture is UNDEFINED:
        return _iso_millis(text)
    if picture.count("[") > MOST_COMPONENTS:
        raise JsonataError(f"A picture has at most {MOST_COMPONENTS} components")
    found = by_library(run, "toMillis", partial(read_moment, run), text, picture)
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
