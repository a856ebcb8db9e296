"""What of the Amazon States Language this version does not have: it is refused, since a member that
is passed over in silence would change what the machine means."""

from __future__ import annotations

from typing import Final

from gateway.asl.fields import Fields

_MEMBERS: Final = (
    "ItemBatcher",
    "ItemReader",
    "ResultWriter",
    "ToleratedFailureCount",
    "ToleratedFailureCountPath",
    "ToleratedFailurePercentage",
    "ToleratedFailurePercentagePath",
)
"""Members of Distributed Map."""


def only_supported(fields: Fields) -> None:
    """Note what a machine or a state has that is not supported."""
    for name in _MEMBERS:
        if name in fields:
            fields.error("this version of Stategate does not support this field", name)


def only_supported_processor(processor: Fields) -> None:
    """Note what the processor of a Map has that is not supported."""
    config = processor.object("ProcessorConfig")
    if config is not None and config.members.get("Mode", "INLINE") != "INLINE":
        config.error("this version of Stategate runs Maps in Mode INLINE only", "Mode")
