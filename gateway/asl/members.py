"""Which members the objects of a definition have: one table for each of them.

The specification's and AWS's. What is not in the table has no meaning; AWS passes over it.
"""

from __future__ import annotations

from typing import Final

from gateway.asl.scope import Json

MACHINE: Final = frozenset(
    {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}
)
PROGRAM: Final = frozenset({"Comment", "QueryLanguage", "StartAt", "States", "ProcessorConfig"})
RETRIER: Final = frozenset(
    {
        "BackoffRate",
        "Comment",
        "ErrorEquals",
        "IntervalSeconds",
        "JitterStrategy",
        "MaxAttempts",
        "MaxDelaySeconds",
    }
)
CATCHER: Final = frozenset({"Assign", "Comment", "ErrorEquals", "Next", "Output", "ResultPath"})

_EVERY: Final = frozenset({"Comment", "QueryLanguage", "Type"})
_FLOWING: Final = _EVERY | {"Assign", "InputPath", "Output", "OutputPath"}
_LEADING: Final = _FLOWING | {"End", "Next"}
_RESULT: Final = _LEADING | {"Parameters", "ResultPath"}
_FAILING: Final = _RESULT | {"Arguments", "Catch", "ResultSelector", "Retry"}


def _with_paths(*names: str) -> set[str]:
    return {name + suffix for name in names for suffix in ("", "Path")}


STATES: Final[dict[str, frozenset[str]]] = {
    "Pass": _RESULT | {"Result"},
    "Task": _FAILING
    | {"Credentials", "Resource"}
    | _with_paths("HeartbeatSeconds", "TimeoutSeconds"),
    "Choice": _FLOWING | {"Choices", "Default"},
    "Wait": _LEADING | _with_paths("Seconds", "Timestamp"),
    "Succeed": _FLOWING,
    "Fail": _EVERY | _with_paths("Cause", "Error"),
    "Parallel": _FAILING | {"Branches"},
    "Map": (_FAILING - {"Arguments"})
    | {
        "ItemBatcher",
        "ItemProcessor",
        "ItemReader",
        "ItemSelector",
        "Items",
        "ItemsPath",
        "Iterator",
        "Label",
        "ResultWriter",
    }
    | _with_paths("MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage"),
}
"""By type, of both query languages: what the other one means by a member is refused elsewhere."""


def of_state(members: dict[str, Json]) -> frozenset[str] | None:
    """The members that a state of its type may have; None where the type is not known."""
    kind = members.get("Type")
    return STATES.get(kind) if isinstance(kind, str) else None
