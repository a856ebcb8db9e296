"""Which names AWS allows for machines, executions and activities. Pure."""

from __future__ import annotations

import re
from typing import Final

from gateway.errors import ApiError

NAME_LENGTH_MAX: Final = 80
ILLEGAL_IN_NAMES: Final = re.compile(
    r'[\s?*<>{}\[\]"#%\\^|~`$&,;:/'
    "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\U0010ffff]"
)


def legal_name(name: str) -> bool:
    """Whether AWS allows it: 1-80 characters, no whitespace, no control or special characters."""
    return 0 < len(name) <= NAME_LENGTH_MAX and not ILLEGAL_IN_NAMES.search(name)


def check_name(name: str) -> None:
    """Raise ApiError InvalidName for a name that AWS would refuse."""
    if not legal_name(name):
        raise ApiError("InvalidName", f"Invalid Name: '{name}'")
