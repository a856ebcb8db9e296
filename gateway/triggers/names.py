"""Which names AWS allows, and how any text becomes one of them, always the same. Pure."""

from __future__ import annotations

import re
from hashlib import sha256

NAME_LENGTH_MAX = 80
_DIGEST_LENGTH = 16
_ILLEGAL = re.compile(
    r'[\s?*<>{}\[\]"#%\\^|~`$&,;:/'
    "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U0010ffff]"
)


def legal_name(name: str) -> bool:
    """Whether AWS allows it: 1-80 characters, no whitespace, no control or special characters."""
    return 0 < len(name) <= NAME_LENGTH_MAX and not _ILLEGAL.search(name)


def clean_name(name: str) -> str:
    """The name itself if it is legal; else what is legal of it and a digest.

    The digest, 16 hex digits of the SHA-256 of the original, keeps two texts that look alike once
    cleaned two names.
    """
    if legal_name(name):
        return name
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_LENGTH]
    kept = _ILLEGAL.sub("-", name)[: NAME_LENGTH_MAX - _DIGEST_LENGTH - 1]
    return f"{kept}-{digest}"
