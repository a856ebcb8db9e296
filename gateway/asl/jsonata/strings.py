"""Functions over texts."""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, unquote

import orjson

from gateway.asl.jsonata.errors import JsonataError, failure
from gateway.asl.jsonata.functions import call
from gateway.asl.jsonata.patterns import matches
from gateway.asl.jsonata.run import Run
from gateway.asl.jsonata.values import UNDEFINED, Function, Sequence, Value
from gateway.asl.jsonpath.compare import is_number
from gateway.asl.scope import Json

_COMPONENT_SAFE: Final = "-_.!~*'()"
_URL_SAFE: Final = _COMPONENT_SAFE + ";/?:@&=+$,#"
_RESERVED: Final = re.compile("%(?=3B|2F|3F|3A|40|26|3D|2B|24|2C|23)", re.IGNORECASE)
_NO_ESCAPE: Final = re.compile("%(?![0-9a-fA-F]{2})")
_DIGITS: Final = 15
"""Significant digits of a number in a text."""


def string(run: Run, value: Value, pretty: Value = UNDEFINED) -> Value:
    """$string."""
    if value is UNDEFINED or isinstance(value, str):
        return value
    if isinstance(value, Function):
        return ""
    text = _written(run, value, "\n" if pretty is True else "", 1)
    run.spend_text(len(text))
    return text


def _written(run: Run, value: Value, newline: str, level: int) -> str:
    """JSON as JavaScript writes it."""
    run.spend(1)
    if isinstance(value, list):
        parts = [_written(run, each, newline, level + 1) for each in value]
        return _bracketed("[", parts, "]", newline, level)
    if isinstance(value, dict):
        colon = ": " if newline else ":"
        parts = [
            _quoted(key) + colon + _written(run, each, newline, level + 1)
            for key, each in value.items()
        ]
        return _bracketed("{", parts, "}", newline, level)
    if is_number(value):
        return number_text(value)
    return '""' if isinstance(value, Function) else _quoted(value)


def _quoted(value: Json) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        raise JsonataError("A text has a lone surrogate") from None


def _bracketed(left: str, parts: list[str], right: str, newline: str, level: int) -> str:
    if not newline or not parts:
        return left + ",".join(parts) + right
    indent = newline + "  " * level
    return left + indent + f",{indent}".join(parts) + newline + "  " * (level - 1) + right


def number_text(value: float) -> str:
    """A number as JavaScript writes it, with at most 15 significant digits."""
    if isinstance(value, int) and abs(value) < 10**_DIGITS:
        return str(value)
    number = Decimal(f"{value:.{_DIGITS}g}").normalize()
    if number == 0:
        return "0"
    if -7 < number.adjusted() < 21:
        return f"{number:f}"
    mantissa, _, exponent = f"{number:e}".partition("e")
    return f"{mantissa}e{int(exponent):+d}"


def concatenate(run: Run, left: Value, right: Value) -> str:
    """``left & right``; what is undefined is an empty text."""
    texts = ["" if each is UNDEFINED else string(run, each) for each in (left, right)]
    run.spend_text(len(texts[0]) + len(texts[1]))
    return texts[0] + texts[1]


def substring(_run: Run, text: Value, start: Value, length: Value) -> Value:
    """$substring."""
    if text is UNDEFINED or start is UNDEFINED:
        return text
    first = max(int(start), -len(text))
    first = first if first >= 0 else len(text) + first
    if length is UNDEFINED:
        return text[first:]
    return text[first : first + int(length)] if length > 0 else ""


def substring_before(_run: Run, text: Value, mark: Value) -> Value:
    """$substringBefore: the whole text where the mark is not in it."""
    if text is UNDEFINED or mark is UNDEFINED:
        return text
    found = text.find(mark)
    return text[:found] if found >= 0 else text


def substring_after(_run: Run, text: Value, mark: Value) -> Value:
    """$substringAfter: the whole text where the mark is not in it."""
    if text is UNDEFINED or mark is UNDEFINED:
        return text
    found = text.find(mark)
    return text[found + len(mark) :] if found >= 0 else text


def lowercase(run: Run, text: Value) -> Value:
    """$lowercase."""
    return _changed(run, text, str.lower)


def uppercase(run: Run, text: Value) -> Value:
    """$uppercase."""
    return _changed(run, text, str.upper)


def trim(run: Run, text: Value) -> Value:
    """$trim: no white space at the ends, single blanks inside."""
    return _changed(run, text, lambda whole: re.sub(r"[ \t\n\r]+", " ", whole).strip(" "))


def length(_run: Run, text: Value) -> Value:
    """$length, in characters."""
    return UNDEFINED if text is UNDEFINED else len(text)


def pad(run: Run, text: Value, width: Value, filling: Value) -> Value:
    """$pad: to the right, or with a negative width to the left."""
    if text is UNDEFINED or width is UNDEFINED:
        return text
    missing = int(abs(width)) - len(text)
    if missing <= 0:
        return text
    run.spend_text(missing)
    unit = filling if filling is not UNDEFINED and filling else " "
    padding = (unit * (missing // len(unit) + 1))[:missing]
    return text + padding if width > 0 else padding + text


def contains(run: Run, text: Value, token: Value) -> Value:
    """$contains a text, or a match of a pattern."""
    if text is UNDEFINED or token is UNDEFINED:
        return UNDEFINED
    if isinstance(token, str):
        return token in text
    return next(matches(run, token, text), None) is not None


def match(run: Run, text: Value, pattern: Value, limit: Value) -> Value:
    """$match: every match with its place and groups."""
    if text is UNDEFINED:
        return UNDEFINED
    if limit is not UNDEFINED and limit < 0:
        raise failure("D3040", limit)
    found = Sequence()
    if limit == 0:
        return found
    at = doubles = 0
    for each in matches(run, pattern, text):
        # Places are counted in UTF-16, in which some characters take two.
        doubles += sum(char > "\uffff" for char in text[at : each["start"]])
        at = each["start"]
        found.append(
            {"match": each["match"], "index": at + doubles, "groups": list(each["groups"])}
        )
        if limit is not UNDEFINED and len(found) >= limit:
            break
    return found


def split(run: Run, text: Value, separator: Value, limit: Value) -> Value:
    """$split at a text or at the matches of a pattern."""
    if text is UNDEFINED or separator is UNDEFINED:
        return UNDEFINED
    if limit is not UNDEFINED and limit < 0:
        raise failure("D3020", limit)
    run.spend_text(len(text))
    if isinstance(separator, str):
        parts = text.split(separator) if separator else list(text)
    else:
        parts, start = [], 0
        for each in matches(run, separator, text):
            parts.append(text[start : each["start"]])
            start = each["end"]
        parts.append(text[start:])
    run.spend(len(parts))
    return parts if limit is UNDEFINED else parts[: int(limit)]


def join(run: Run, texts: Value, separator: Value) -> Value:
    """$join."""
    if texts is UNDEFINED:
        return UNDEFINED
    between = "" if separator is UNDEFINED else separator
    run.spend(len(texts))
    run.spend_text(sum(map(len, texts)) + len(between) * len(texts))
    return between.join(texts)


def replace(run: Run, text: Value, pattern: Value, by: Value, limit: Value) -> Value:
    """$replace of a text or of the matches of a pattern, by a text or by what a function gives."""
    if text is UNDEFINED or pattern is UNDEFINED or by is UNDEFINED:
        return UNDEFINED
    if pattern == "":
        raise failure("D3010")
    if limit is not UNDEFINED and limit < 0:
        raise failure("D3011")
    most = -1 if limit is UNDEFINED else int(limit)
    if isinstance(pattern, str) and isinstance(by, str):
        run.spend_text(len(text) + text.count(pattern) * len(by))
        return text.replace(pattern, by, most)
    if isinstance(pattern, str):
        raise failure("D3012")
    return _replace_matches(run, text, pattern, by, most)


def _replace_matches(run: Run, text: str, pattern: Value, by: Value, most: int) -> str:
    pieces: list[str] = []
    start = 0
    for number, each in enumerate(matches(run, pattern, text)) if most else ():
        put = _substituted(by, each) if isinstance(by, str) else call(run, by, [each])
        if not isinstance(put, str):
            raise failure("D3012")
        run.spend_text(len(put))
        pieces += text[start : each["start"]], put
        start = each["start"] + len(each["match"])
        if number + 1 == most:
            break
    return "".join([*pieces, text[start:]])


_REFERENCE: Final = re.compile(r"\$(\$|\d+)?")


def _substituted(by: str, found: dict[str, Any]) -> str:
    """``$0`` is the match, ``$1`` its first group, ``$$`` a dollar sign."""
    groups = found["groups"]
    digits = len(str(len(groups))) if groups else 1

    def put(reference: re.Match[str]) -> str:
        mark = reference[1]
        if mark is None or mark == "$":
            return "$"
        if mark.startswith("0"):
            return str(found["match"]) + mark[1:]
        taken = mark[:digits]
        if len(taken) > 1 and int(taken) > len(groups):
            taken = taken[:-1]
        group = groups[int(taken) - 1] if int(taken) <= len(groups) else None
        return (group or "") + mark[len(taken) :]

    return _REFERENCE.sub(put, by)


def base64_encode(run: Run, text: Value) -> Value:
    """$base64encode of the text's UTF-8."""
    return _changed(run, text, lambda whole: base64.b64encode(_utf8(whole)).decode())


def base64_decode(run: Run, text: Value) -> Value:
    """$base64decode to a UTF-8 text."""

    def decode(whole: str) -> str:
        try:
            # JSONata does without the padding.
            return base64.b64decode(whole + "==").decode()
        except (binascii.Error, ValueError):
            raise JsonataError("The argument is not the Base64 of a UTF-8 text") from None

    return _changed(run, text, decode)


def encode_url_component(run: Run, text: Value) -> Value:
    """$encodeUrlComponent."""
    return _changed(run, text, lambda whole: quote(_utf8(whole), safe=_COMPONENT_SAFE))


def encode_url(run: Run, text: Value) -> Value:
    """$encodeUrl."""
    return _changed(run, text, lambda whole: quote(_utf8(whole), safe=_URL_SAFE))


def decode_url_component(run: Run, text: Value) -> Value:
    """$decodeUrlComponent."""
    return _changed(run, text, lambda whole: _decoded(whole, "decodeUrlComponent"))


def decode_url(run: Run, text: Value) -> Value:
    """$decodeUrl: what would get a meaning by it stays encoded."""
    return _changed(run, text, lambda whole: _decoded(_RESERVED.sub("%25", whole), "decodeUrl"))


def _decoded(text: str, function: str) -> str:
    try:
        if _NO_ESCAPE.search(text):
            raise ValueError
        return unquote(text, errors="strict")
    except ValueError:
        raise failure("D3140", function, text) from None


def _changed(run: Run, text: Value, change: Any) -> Value:
    if text is UNDEFINED:
        return UNDEFINED
    run.spend_text(len(text))
    return change(text)


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise JsonataError("A text has a lone surrogate") from None
