"""What Step Functions adds to JSONata, and puts in place of its $random."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Final
from uuid import UUID

import orjson

from gateway.asl.jsonata.errors import JsonataError
from gateway.asl.jsonata.run import Run
from gateway.asl.jsonata.values import UNDEFINED, Value, is_integer
from gateway.json_text import loads

MOST_IN_RANGE: Final = 1000
"""Elements that $range makes, as its sister States.ArrayRange."""
MOST_CHARACTERS: Final = 10_000
"""Characters that $hash takes, as its sister States.Hash."""
ALGORITHMS: Final = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


def partition(run: Run, values: Value, size: Value) -> Value:
    """$partition: chunks of ``size``, the last one shorter."""
    chunk = _integer(size, "chunk size", "partition")
    if chunk < 1:
        raise JsonataError("The chunk size of $partition must be a positive integer")
    if values is UNDEFINED:
        return UNDEFINED
    run.spend(len(values))
    return [list(values[start : start + chunk]) for start in range(0, len(values), chunk)]


def numbers(run: Run, first: Value, last: Value, step: Value) -> Value:
    """$range: from ``first`` to ``last``, which is included."""
    start = _integer(first, "start", "range")
    end = _integer(last, "end", "range")
    delta = _integer(step, "delta", "range")
    if delta == 0:
        raise JsonataError("The delta of $range must not be 0")
    found = range(start, end + (1 if delta > 0 else -1), delta)
    if found[MOST_IN_RANGE : MOST_IN_RANGE + 1]:
        raise JsonataError(f"$range makes at most {MOST_IN_RANGE} elements")
    run.spend(len(found))
    return list(found)


def digest(run: Run, text: Value, algorithm: Value) -> Value:
    """$hash: in hexadecimal."""
    if text is UNDEFINED:
        return UNDEFINED
    if algorithm not in ALGORITHMS:
        raise JsonataError(f"The algorithm of $hash must be one of {', '.join(ALGORITHMS)}")
    if len(text) > MOST_CHARACTERS:
        raise JsonataError(f"$hash takes at most {MOST_CHARACTERS} characters")
    run.spend_text(len(text))
    data = text.encode(errors="surrogatepass")
    return hashlib.new(ALGORITHMS[algorithm], data, usedforsecurity=False).hexdigest()


def random(run: Run, seed: Value) -> Value:
    """$random: from 0 to below 1; a seed always gives the same number."""
    if seed is UNDEFINED:
        return run.random.random()
    return Random(_integer(seed, "seed", "random")).random()


def uuid(run: Run) -> Value:
    """$uuid: version 4."""
    return str(UUID(int=run.random.getrandbits(128), version=4))


def parse(run: Run, text: Value) -> Value:
    """$parse: the JSON that a text holds."""
    if text is UNDEFINED:
        return UNDEFINED
    run.spend(len(text))
    try:
        return loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise JsonataError("The argument of $parse is not valid JSON") from None


def _integer(value: Value, what: str, function: str) -> int:
    if not is_integer(value):
        raise JsonataError(f"The {what} of ${function} must be an integer")
    return int(value)
