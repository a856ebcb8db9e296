"""Base64, hashes and JSON as text."""

from __future__ import annotations

import base64
import hashlib

import orjson

from gateway.asl.intrinsics.arguments import IntrinsicError, short_string, string
from gateway.asl.scope import Json
from gateway.json_text import loads

_ALGORITHMS = {
    "MD5": "md5",
    "SHA-1": "sha1",
    "SHA-256": "sha256",
    "SHA-384": "sha384",
    "SHA-512": "sha512",
}


def base64_encode(text: Json) -> Json:
    """States.Base64Encode."""
    return base64.b64encode(_utf8(short_string(text, "The argument"))).decode()


def base64_decode(text: Json) -> Json:
    """States.Base64Decode: to UTF-8 text."""
    encoded = short_string(text, "The argument")
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except ValueError:
        raise IntrinsicError("The argument is not the Base64 of a UTF-8 text") from None


def hash_text(text: Json, algorithm: Json) -> Json:
    """States.Hash: in hexadecimal."""
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise IntrinsicError(f"The algorithm must be one of {', '.join(_ALGORITHMS)}")
    data = _utf8(short_string(text, "The data"))
    return hashlib.new(_ALGORITHMS[algorithm], data, usedforsecurity=False).hexdigest()


def json_merge(first: Json, second: Json, deep: Json) -> Json:
    """States.JsonMerge: the members of both, the second's where both have one."""
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise IntrinsicError("The first two arguments must be JSON objects")
    if deep is not False:
        raise IntrinsicError("The third argument must be false: only shallow merging is supported")
    return {**first, **second}


def string_to_json(text: Json) -> Json:
    """States.StringToJson; blank text is null, as AWS answers."""
    source = string(text, "The argument")
    if not source.strip():
        return None
    try:
        return loads(source)
    except orjson.JSONDecodeError:
        raise IntrinsicError("The argument is not valid JSON") from None


def json_to_string(value: Json) -> Json:
    """States.JsonToString: compact."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        raise IntrinsicError("The argument is nested too deeply") from None


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise IntrinsicError("The argument has a lone surrogate") from None
