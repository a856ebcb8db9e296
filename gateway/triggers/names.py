"""How any text becomes a name that AWS allows, always the same one. Pure."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from gateway.engine.names import ILLEGAL_IN_NAMES, NAME_LENGTH_MAX, legal_name

_DIGEST_LENGTH: Final = 16


def clean_name(name: str) -> str:
    """The name itself if it is legal; else what is legal of it and a digest.

    The digest, 16 hex digits of the SHA-256 of the original, keeps two texts that look alike once
    cleaned two names.
    """
    if legal_name(name):
        return name
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    kept = ILLEGAL_IN_NAMES.sub("-", name)[: NAME_LENGTH_MAX - _DIGEST_LENGTH - 1]
    return f"{kept}-{digest}"
