"""Timestamps as ASL has them: RFC 3339 with a capital T and a zone, ``2016-03-14T01:59:00Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_OFFSET_DATE_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp_nanoseconds(text: object) -> int | None:
    """Nanoseconds since the epoch; None where ``text`` is no timestamp."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    whole, fraction, zone = found.groups()
    try:
        elapsed = datetime.fromisoformat(whole + zone) - _EPOCH
    except ValueError:
        return None
    seconds = elapsed.days * 86_400 + elapsed.seconds
    return seconds * 1_000_000_000 + int((fraction or "0").ljust(9, "0"))


def timestamp_milliseconds(text: object) -> int | None:
    """Milliseconds since the epoch, as a Wait reads them: its timestamps may leave out the seconds.
    None where ``text`` is no timestamp."""
    if not isinstance(text, str) or not _OFFSET_DATE_TIME.fullmatch(text):
        return None
    try:
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None
