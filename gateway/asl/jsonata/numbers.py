"""Functions over numbers."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.run import Run
from gateway.asl.jsonata.values import UNDEFINED, Value, as_number

_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([Ee][-+]?[0-9]+)?")
_OTHER_BASE: Final = re.compile(r"0[xX][0-9A-Fa-f]+|0[oO][0-7]+|0[bB][01]+")
_NUMERALS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_EXACT: Final = Context(prec=700, rounding=ROUND_HALF_EVEN)
"""A double has at most 309 digits before the point and is rounded to a few after it."""
MOST_PLACES: Final = 300
"""Decimal places that a number is rounded to."""
_CODES: Final = {
    "Formatting or parsing an integer": "D3130",
    "In a decimal digit pattern": "D3131",
    "The 'name' modifier": "D3133",
    "The timezone integer format": "D3134",
    "No matching closing bracket": "D3135",
}
"""How the library begins what it says of a picture, and what JSONata calls that."""
MOST_PICTURE: Final = 1_000
"""Characters of a picture, which the library goes through more than once."""


def number(_run: Run, value: Value) -> Value:
    """$number of a text, in decimal or with 0x, 0o, 0b, or of a truth value."""
    if value is UNDEFINED:
        return UNDEFINED
    if not isinstance(value, str):
        return int(value) if isinstance(value, bool) else value
    if _DECIMAL.fullmatch(value) and math.isfinite(found := float(value)):
        return as_number(found)
    if _OTHER_BASE.fullmatch(value):
        return as_number(int(value, 0))
    raise failure("D3030", value)


def total(run: Run, values: Value) -> Value:
    """$sum."""
    return UNDEFINED if values is UNDEFINED else as_number(sum(_paid(run, values)))


def largest(run: Run, values: Value) -> Value:
    """$max."""
    return UNDEFINED if values is UNDEFINED or not values else max(_paid(run, values))


def smallest(run: Run, values: Value) -> Value:
    """$min."""
    return UNDEFINED if values is UNDEFINED or not values else min(_paid(run, values))


def average(run: Run, values: Value) -> Value:
    """$average."""
    if values is UNDEFINED or not values:
        return UNDEFINED
    return as_number(as_number(sum(_paid(run, values))) / len(values))


def _paid(run: Run, values: list[Any]) -> list[Any]:
    run.spend(len(values))
    return values


def absolute(_run: Run, value: Value) -> Value:
    """$abs."""
    return UNDEFINED if value is UNDEFINED else abs(value)


def floor(_run: Run, value: Value) -> Value:
    """$floor."""
    return UNDEFINED if value is UNDEFINED else as_number(math.floor(value))


def ceil(_run: Run, value: Value) -> Value:
    """$ceil."""
    return UNDEFINED if value is UNDEFINED else as_number(math.ceil(value))


def rounded(_run: Run, value: Value, places: Value) -> Value:
    """$round: half to even, to decimal places, or with negative ones to tens."""
    if value is UNDEFINED:
        return UNDEFINED
    shift = 0 if places is UNDEFINED else int(places)
    if not -MOST_PLACES <= shift <= MOST_PLACES:
        return value if shift > 0 else 0
    return as_number(
        float(Decimal(repr(value)).quantize(Decimal((0, (1,), -shift)), context=_EXACT))
    )


def square_root(_run: Run, value: Value) -> Value:
    """$sqrt."""
    if value is UNDEFINED:
        return UNDEFINED
    if value < 0:
        raise failure("D3060", value)
    return as_number(math.sqrt(value))


def power(_run: Run, base: Value, exponent: Value) -> Value:
    """$power."""
    if base is UNDEFINED or exponent is UNDEFINED:
        return UNDEFINED
    try:
        return as_number(math.pow(base, exponent))
    except (OverflowError, ValueError):
        raise failure("D3061", base, exponent) from None


def format_base(run: Run, value: Value, radix: Value) -> Value:
    """$formatBase: an integer in a base from 2 to 36."""
    if value is UNDEFINED:
        return UNDEFINED
    base = 10 if radix is UNDEFINED else int(rounded(run, radix, UNDEFINED))
    if not 2 <= base <= len(_NUMERALS):
        raise failure("D3100", base)
    rest, digits = abs(int(rounded(run, value, UNDEFINED))), ""
    while rest or not digits:
        rest, digit = divmod(rest, base)
        digits = _NUMERALS[digit] + digits
    return f"-{digits}" if value < 0 and digits != "0" else digits


def format_integer(run: Run, value: Value, picture: Value) -> Value:
    """$formatInteger by a picture: digits, letters, Roman numerals or words."""
    if value is UNDEFINED:
        return UNDEFINED
    from jsonata.functions import Functions

    return by_library(run, "formatInteger", Functions.format_integer, math.floor(value), picture)


def parse_integer(run: Run, text: Value, picture: Value) -> Value:
    """$parseInteger: what $formatInteger wrote."""
    if text is UNDEFINED:
        return UNDEFINED
    from jsonata.functions import Functions

    found = by_library(run, "parseInteger", Functions.parse_integer, text, picture)
    return UNDEFINED if found is None else as_number(found)


def by_library(run: Run, name: str, function: Any, value: Any, picture: Value, *more: Any) -> Any:
    """What a function of the library that works by pictures makes of a value.

    JsonataError: what it cannot do it says by whatever exception comes; the longest of pictures
    and texts are refused, since it goes through them at its own pace.
    """
    texts = [each for each in (value, picture) if isinstance(each, str)]
    if any(len(each) > MOST_PICTURE for each in texts):
        raise JsonataError(f"${name} takes texts of at most {MOST_PICTURE} characters")
    run.spend(100 + sum(map(len, texts)))
    from jsonata.jexception import JException

    try:
        return function(value, None if picture is UNDEFINED else picture, *more)
    except JException as error:
        if error.error in JException.error_codes:
            raise failure(error.error, error.current, error.expected) from None
        raise JsonataError(f"${name}: {error.error}") from None
    except JsonataError:
        raise
    except Exception as error:
        for begins, code in _CODES.items():
            if str(error).startswith(begins):
                raise failure(code, picture) from None
        raise JsonataError(f"${name} cannot work on {value!r} by '{picture}': {error}") from None
