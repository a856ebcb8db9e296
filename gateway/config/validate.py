"""Plain values to Settings.

Entries that do not validate are taken out and the rest is validated again, so that later checks see
all that can be seen and every problem is shown at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.settings import Settings
from gateway.config.wording import Location, describe
from gateway.errors import Problem

Json: TypeAlias = Any

_SECTIONS = frozenset(
    {"machines", "activities", "functions", "connections", "triggers", "sinks", "workers"}
)
"""Maps from names to entries: one bad entry does not spoil the others."""


def validate(value: Json, problems: list[Problem]) -> Settings:
    """The settings that the value holds; bad entries are left out and are problems."""
    if value is None:
        return Settings()
    if not isinstance(value, dict):
        problems.append(Problem("", f"must be a mapping with {', '.join(Settings.model_fields)}"))
        return Settings()
    try:
        return Settings.model_validate(value)
    except ValidationError as bad:
        details = list(_telling(bad.errors(include_url=False, include_input=False)))
    problems.extend(dict.fromkeys(describe(value, error) for error in details))
    return Settings.model_validate(_without(value, {error["loc"] for error in details}))


def _without(value: dict[str, Json], bad: set[Location]) -> dict[str, Json]:
    """The value without the entries (elsewhere: the top-level keys) in which something is bad."""
    spoilt = {loc[: 2 if loc[0] in _SECTIONS else 1] for loc in bad}
    return {
        key: {k: v for k, v in below.items() if (key, k) not in spoilt}
        if key in _SECTIONS and isinstance(below, dict)
        else below
        for key, below in value.items()
        if (key,) not in spoilt
    }


def _telling(errors: list[ErrorDetails]) -> Iterator[ErrorDetails]:
    """Without those that follow from others: a list is not empty because its entries are bad."""
    around = {error["loc"][:-1] for error in errors}
    for error in errors:
        if error["type"] != "too_short" or error["loc"] not in around:
            yield error
