"""Pictures of numbers, ``#,##0.00;(#)``, as XPath's format-number has them (F&O 3.1, 4.7)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.numbers import rounded
from gateway.asl.jsonata.run import Run
from gateway.asl.jsonata.values import UNDEFINED, Value
from gateway.asl.scope import Json

_MARKS: Final = {
    "decimal-separator": ".",
    "grouping-separator": ",",
    "exponent-separator": "e",
    "infinity": "Infinity",
    "minus-sign": "-",
    "NaN": "NaN",
    "percent": "%",
    "per-mille": "\u2030",
    "zero-digit": "0",
    "digit": "#",
    "pattern-separator": ";",
}
_LONGER: Final = frozenset({"infinity", "minus-sign", "NaN", "percent", "per-mille"})
"""Marks that need not be one character."""
MOST_PICTURE: Final = 1_000
"""Characters of a picture."""


def format_number(run: Run, number: Value, picture: Value, options: Value) -> Value:
    """$formatNumber. JsonataError, D3080 to D3093: the picture is wrong."""
    if number is UNDEFINED:
        return UNDEFINED
    text = "" if picture is UNDEFINED else picture
    if len(text) > MOST_PICTURE:
        raise JsonataError(f"$formatNumber takes pictures of at most {MOST_PICTURE} characters")
    run.spend(100 + len(text))
    marks = Marks({} if options is UNDEFINED else options)
    pictures = text.split(marks.pattern)
    # One for positive numbers and one for negative ones.
    if len(pictures) > 2:
        raise failure("D3080")
    parts = [_taken_apart(each, marks) for each in pictures]
    if number >= 0:
        return _filled(run, parts[0], number, marks)
    # Without a picture of their own negative numbers get a sign.
    sign = marks.minus if len(parts) == 1 else ""
    return sign + _filled(run, parts[-1], number, marks)


class Marks:
    """The characters with a meaning in a picture, and in what is made by it."""

    def __init__(self, options: Mapping[str, Json]) -> None:
        marks = {**_MARKS, **options}
        for name in _MARKS:
            mark = marks[name]
            if not isinstance(mark, str) or (len(mark) != 1 and name not in _LONGER):
                raise JsonataError(f"The option {name} of $formatNumber must be a character")
        self.point = str(marks["decimal-separator"])
        self.group = str(marks["grouping-separator"])
        self.exponent = str(marks["exponent-separator"])
        self.minus = str(marks["minus-sign"])
        self.percent = str(marks["percent"])
        self.mille = str(marks["per-mille"])
        self.optional = str(marks["digit"])
        self.pattern = str(marks["pattern-separator"])
        zero = ord(str(marks["zero-digit"]))
        self.digits = "".join(map(chr, range(zero, zero + 10)))
        self.active = {*self.digits, self.point, self.group, self.optional, self.pattern}
        """What belongs to the number itself, but for the exponent's mark, which may be a letter."""

    def written(self, number: float, places: int) -> str:
        """The absolute value with so many decimal places, by the digits and the point."""
        plain = f"{abs(number):.{places}f}"
        return plain.translate({48 + at: digit for at, digit in enumerate(self.digits)} | {46: "."})

    def places(self, text: str) -> int:
        """How many digits a part of a picture has, optional ones too."""
        return sum(each in self.digits or each == self.optional for each in text)

    def needed(self, text: str) -> int:
        """How many digits a part of a picture always shows."""
        return sum(each in self.digits for each in text)


@dataclass(frozen=True)
class SubPicture:
    """What is before or after ``;``, taken apart."""

    text: str
    prefix: str
    suffix: str
    whole: str
    fraction: str
    exponent: str | None


def _taken_apart(text: str, marks: Marks) -> SubPicture:
    active = [at for at, each in enumerate(text) if each in marks.active]
    if not active:
        raise failure("D3085")
    first, after = active[0], active[-1] + 1
    mantissa, mark, exponent = text[first:after].partition(marks.exponent)
    whole, _, fraction = mantissa.partition(marks.point)
    part = SubPicture(text, text[:first], text[after:], whole, fraction, exponent if mark else None)
    _check(part, text[first:after], mantissa, marks)
    return part


def _check(part: SubPicture, active: str, mantissa: str, marks: Marks) -> None:
    """Of several mistakes the last one of the list is told."""
    text, group = part.text, marks.group
    scaled = marks.percent in text or marks.mille in text
    point = marks.point in text
    before, optional, _ = part.whole.partition(marks.optional)
    after = part.fraction[part.fraction.rfind(marks.optional) + 1 :]
    mistakes = {
        "D3081": text.count(marks.point) > 1,
        "D3082": text.count(marks.percent) > 1,
        "D3083": text.count(marks.mille) > 1,
        "D3084": marks.percent in text and marks.mille in text,
        "D3085": not marks.places(mantissa),
        "D3086": any(each not in marks.active and each != marks.exponent for each in active),
        "D3087": group + marks.point in text or marks.point + group in text,
        "D3088": not point and part.whole.endswith(group),
        "D3089": group * 2 in text,
        "D3090": bool(optional) and marks.needed(before) > 0,
        "D3091": marks.optional in part.fraction and marks.needed(after) > 0,
        "D3092": bool(part.exponent) and scaled,
        "D3093": part.exponent is not None
        and not (part.exponent and marks.needed(part.exponent) == len(part.exponent)),
    }
    found = [code for code, wrong in mistakes.items() if wrong]
    if found:
        raise failure(found[-1])


def _filled(run: Run, part: SubPicture, number: float, marks: Marks) -> str:
    least, most = marks.needed(part.fraction), marks.places(part.fraction)
    scale = least_whole = marks.needed(part.whole)
    if not least_whole and not most:
        if part.exponent is None:
            least_whole = 1
        else:
            least = most = 1
    if part.exponent is not None and not least_whole and marks.optional in part.whole:
        least_whole = 1
    if not least_whole and not least:
        least = 1
    factor = 100 if marks.percent in part.text else 1000 if marks.mille in part.text else 1
    mantissa, exponent = number * factor, 0
    if part.exponent is not None:
        mantissa, exponent = _scaled(abs(mantissa), scale)
    digits = marks.written(rounded(run, mantissa, most), most)
    whole, _, fraction = digits.partition(".")
    whole = whole.lstrip(marks.digits[0]).rjust(least_whole, marks.digits[0])
    fraction = fraction.rstrip(marks.digits[0]).ljust(least, marks.digits[0])
    made = _grouped(whole, part.whole, marks)
    if fraction:
        made += marks.point + _grouped_fraction(fraction, part.fraction, marks)
    if part.exponent is not None:
        shown = marks.written(exponent, 0).rjust(len(part.exponent), marks.digits[0])
        made += marks.exponent + (marks.minus if exponent < 0 else "") + shown
    return part.prefix + made + part.suffix


def _scaled(mantissa: float, scale: int) -> tuple[float, int]:
    """As many digits before the point as the picture asks for, and the power of ten beside it."""
    exponent = 0
    while 0 < mantissa < math.pow(10, scale - 1):
        mantissa *= 10
        exponent -= 1
    while mantissa > math.pow(10, scale):
        mantissa /= 10
        exponent += 1
    return mantissa, exponent


def _grouped(digits: str, picture: str, marks: Marks) -> str:
    """Separators at the picture's places, which go on to the left if they are regular."""
    positions = [
        marks.places(picture[at:]) for at, each in enumerate(picture) if each == marks.group
    ]
    size = math.gcd(*positions)
    if positions and set(positions) >= {size * (at + 1) for at in range(len(positions))}:
        positions = list(range(size, len(digits), size))
    count = len(digits)
    for position in sorted(positions):
        if position < count:
            at = count - position
            digits = digits[:at] + marks.group + digits[at:]
    return digits


def _grouped_fraction(digits: str, picture: str, marks: Marks) -> str:
    positions = [
        marks.places(picture[:at]) for at, each in enumerate(picture) if each == marks.group
    ]
    for position in sorted(positions, reverse=True):
        if position < len(digits):
            digits = digits[:position] + marks.group + digits[position:]
    return digits
