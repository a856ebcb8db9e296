"""What of the Amazon States Language this version does not have: it is refused, since a member that
is passed over in silence would change what the machine means."""

from __future__ import annotations

from typing import Final

from gateway.asl.fields import Fields

_MEMBERS: Final = (
    "ItemReader",
    "ResultWriter",
)
"""Members of what Distributed Map reads and writes."""


def only_supported(fields: Fields) -> None:
    """Note what a machine or a state has that is not supported."""
    for name in _MEMBERS:
        if name in fields:
            fields.error("this version of Stategate does not support this field", name)
