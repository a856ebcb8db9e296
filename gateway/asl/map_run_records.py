"""The records of a Distributed Map; they are used as those of ``gateway.asl.records``."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

Document: TypeAlias = Any
"""As in ``gateway.asl.records``."""


class DistributedMapStarted(NamedTuple):
    """A Distributed Map has its items; 0 where a reader is to find them."""

    frame: int
    length: int


class MapRunStarted(NamedTuple):
    """The items are run as executions of their own. ``items`` is the list (None with a reader);
    the other members stand in ``gateway.asl.frame.MapRun``."""

    frame: int
    number: int
    label: str
    id: str
    items: Document
    limits: dict[str, Any]
    options: Document


class MapRunRedriven(NamedTuple):
    """The run ``number`` goes on, with the children that had failed; from now on the parent waits
    for it under the number ``wait``."""

    frame: int
    number: int
    wait: int
    redrives: int
    """How often it has been redriven, this time included."""


class MapRunSucceeded(NamedTuple):
    """All of its children have ended, and few enough have failed."""

    frame: int
    number: int
    output: Document


class MapRunFailed(NamedTuple):
    """The items could not be read, too many children failed, or the results were not written."""

    frame: int
    number: int
    error: str | None
    cause: str | None


class MapRunAborted(NamedTuple):
    """The run is given up because something around it ends."""

    frame: int
    number: int


class DistributedMapSucceeded(NamedTuple):
    """Follows MapRunSucceeded."""

    frame: int
