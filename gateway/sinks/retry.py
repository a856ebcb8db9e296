"""How often a notification is tried: the ``retry:`` of a sink."""

from __future__ import annotations

from random import Random
from typing import Annotated

from pydantic import Field, model_validator

from gateway.durations import Duration, format_duration
from gateway.strict import Strict

_JITTER = 0.2
_STEEPEST = 64
"""Attempts after which the delay stops growing anyway; it keeps the power a finite number."""


class RetrySettings(Strict):
    """Back-off of one notification: ``first``, ``first * factor``, … up to ``max``, each ± 20 %."""

    first: Annotated[Duration, Field(gt=0)] = 1.0
    """Delay after the first failure."""
    factor: Annotated[float, Field(ge=1, le=10)] = 2.0
    """What each further delay is multiplied with."""
    max: Annotated[Duration, Field(gt=0)] = 300.0
    """The longest delay; a Retry-After of the far side may be longer and is honoured."""

    @model_validator(mode="after")
    def _in_order(self) -> RetrySettings:
        if self.first > self.max:
            raise ValueError(
                f"first ({format_duration(self.first)}) must not be longer than "
                f"max ({format_duration(self.max)})"
            )
        return self

    def delay_seconds(self, failures: int, dice: Random) -> float:
        """Seconds to wait after that many failures (1 or more), jitter included."""
        steps = min(failures - 1, _STEEPEST)
        delay = min(self.first * self.factor**steps, self.max)
        return delay * dice.uniform(1 - _JITTER, 1 + _JITTER)
