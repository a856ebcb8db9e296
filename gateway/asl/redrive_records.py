"""The records of a redrive; they are used as those of ``gateway.asl.records``."""

from __future__ import annotations

from typing import Final, NamedTuple

TOKENS_MAX: Final = 10
"""So many of the clientTokens given last are known, as at AWS."""


class ExecutionRedriven(NamedTuple):
    """An execution that had ended without success goes on from where it failed; its machine timeout
    begins anew."""

    frame: int
    redrives: int
    """How often it has been redriven, this time included."""
    number: int | None
    due: int | None
    interval: int


class RedriveNamed(NamedTuple):
    """Whoever asked for the redrive gave it this clientToken; follows ExecutionRedriven."""

    frame: int
    token: str
