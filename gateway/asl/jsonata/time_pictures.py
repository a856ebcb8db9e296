"""Pictures of moments, ``[D1o] [MNn] [Y0001]``. The library takes them apart and knows each
component; which moment they make is found here, exactly and by the evaluation's own now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final

import regex

from gateway.asl.jsonata.errors import failure
from gateway.asl.jsonata.patterns import Pattern
from gateway.asl.jsonata.run import Run

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DATES: Final = (("YMD", "YMD"), ("Yd", "YD"))
"""Components that a date may have, and those that are then filled in from the left."""
_TIMES: Final = (("Hmsf", "Hmsf"), ("Phmsf", "Phmsf"))


def write_moment(at: int, picture: str, zone: str | None) -> str:
    """``at``, in milliseconds since the epoch, as the picture shows it in a zone, ``+0530``."""
    # Division that rounds towards zero: the minutes have the sign of the hours.
    offset = int(zone or 0)
    hours, minutes = int(offset / 100), int(offset - int(offset / 100) * 100)
    moment = _EPOCH + timedelta(milliseconds=at, hours=hours, minutes=minutes)
    format_component = _library()._format_component  # noqa: SLF001 - nothing else formats one
    return "".join(
        part.value if part.type == "literal" else format_component(moment, part, hours, minutes)
        for part in _parts(picture)
    )


def read_moment(run: Run, text: str, picture: str) -> int | None:
    """The moment that a text names, in milliseconds; None: the picture is not that of the text.

    What is missing on the left is taken from now, what is missing on the right is the first
    moment. JsonataError D3136: something in between is missing.
    """
    pattern, matchers = _pattern(picture)
    if picture not in run.pictures:
        # To compile it takes its time, whether somebody else has done so already or not.
        run.spend(len(pattern.text))
        run.pictures.add(picture)
    found = pattern.find(run, text, 0)
    if found is None:
        return None
    given: dict[str, int] = {}
    for matcher, written in zip(matchers, found["groups"], strict=True):
        try:
            given[matcher.component] = matcher.parse(written)
        except (NotImplementedError, KeyError):
            # A literal, or a name in the wrong case, which counts as missing.
            continue
    return _moment(given, _EPOCH + timedelta(milliseconds=run.at)) if given else None


@lru_cache(maxsize=256)
def _pattern(picture: str) -> tuple[Pattern, list[Any]]:
    """The texts of a picture, and what the library makes of each group of them."""
    spec = _library().PictureFormat("datetime")
    spec.parts = _parts(picture)
    matchers = _library()._generate_regex(spec).parts  # noqa: SLF001 - nothing else makes them
    pattern = "".join(
        f"({regex.escape(part.value) if part.type == 'literal' else matcher.regex})"
        for part, matcher in zip(spec.parts, matchers, strict=True)
    )
    return Pattern(f"^{pattern}$", ignore_case=True, multiline=False), list(matchers)


def _moment(given: Mapping[str, int], now: datetime) -> int:
    date = _filled_in(given, "YXMxWwdD", _DATES)
    time = _filled_in(given, "PHhmsf", _TIMES)
    parts = dict(given)
    started = ended = False
    for each in date + time:
        if each in given:
            if ended:
                raise failure("D3136")
            started = True
        elif started:
            parts[each] = 1 if each in "MD" else 0
            ended = True
        else:
            parts[each] = _of_now(each, now)
    if "h" in time:
        parts["H"] = parts["h"] % 12 + 12 * (parts["P"] == 1)
    month, day = (max(1, parts["M"]), parts["D"]) if "M" in date else (1, 1)
    clock = (parts["H"], parts["m"], parts["s"], parts["f"] * 1000)
    moment = datetime(parts["Y"], month, day, *clock, tzinfo=UTC) + timedelta(
        days=0 if "M" in date else given.get("d", 1) - 1,
        minutes=-given.get("Z", given.get("z", 0)),
    )
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _filled_in(given: Mapping[str, int], all_of: str, kinds: tuple[tuple[str, str], ...]) -> str:
    """The components to fill in, by those that are there. D3136: weeks, which JSONata cannot."""
    there = set(given) & set(all_of)
    for allowed, filled in kinds:
        if there <= set(allowed):
            return filled
    if there <= set("Xxw") or there <= set("XW"):
        raise failure("D3136")
    return kinds[0][1]


def _of_now(component: str, now: datetime) -> int:
    """What now has; ``P`` is a text there, and so counts as the morning."""
    return int(
        {
            "Y": now.year,
            "M": now.month,
            "D": now.day,
            "H": now.hour,
            "h": now.hour % 12 or 12,
            "m": now.minute,
            "s": now.second,
            "f": now.microsecond // 1000,
        }.get(component, 0)
    )


def _parts(picture: str) -> list[Any]:
    """The picture taken apart. D3132: a component that there is not."""
    try:
        parts = _library()._analyse_datetime_picture(picture).parts  # noqa: SLF001
    except (KeyError, IndexError) as error:
        raise failure("D3132", error.args[0] if isinstance(error, KeyError) else "") from None
    for part in parts:
        # A width without a maximum shortens no name, over which the library stumbles.
        if part.type != "literal" and part.width is not None and part.width[1] is None:
            part.width = None
    return list(parts)


@cache
def _library() -> Any:
    from jsonata.datetimeutils import DateTimeUtils

    return DateTimeUtils
