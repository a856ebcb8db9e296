"""The two errors of the language: one of a running state, one of a definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


class StateError(Exception):
    """A state fails with an ASL error name. Retry, Catch or a failed execution; never leaves
    ``advance``."""

    def __init__(
        self,
        error: str | None,
        cause: str | None,
        *,
        also: str | None = None,
        located: bool = False,
    ) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause
        self.also = also
        """Another name under which Retry and Catch may ask for it, too."""
        self.located = located
        """AWS puts "An error occurred while executing the state '<name>' (entered at the event id
        #<n>). " before the cause; ``advance`` does so where this is set."""

    def locate(self, place: str) -> None:
        """Put the place before the cause, once."""
        self.cause, self.located = f"{place}{self.cause}", False


class QueryEvaluationError(StateError):
    """A JSONata expression fails: it throws, finds nothing, or gives what its field cannot take."""

    def __init__(self, cause: str, location: str | None) -> None:
        super().__init__("States.QueryEvaluationError", cause, located=True)
        self.location = location
        """The field, as ``Output/total``; None where it is no expression's fault."""


class ExpressionError(ValueError):
    """A path, intrinsic call, template or rule that does not parse; the message says what and
    where in it."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        """What exactly is wrong, where the message is AWS's general one."""

    @property
    def explained(self) -> str:
        """The message with its reason, for people."""
        return f"{self} ({self.reason})" if self.reason else str(self)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding of validation, in AWS's terms."""

    code: str
    """SCHEMA_VALIDATION_FAILED, MISSING_TRANSITION_TARGET, …"""
    location: str
    """JSON pointer: ``/States/A/Next``; ``/`` for the whole."""
    message: str
    severity: Literal["ERROR", "WARNING"] = "ERROR"


class DefinitionError(Exception):
    """A definition that cannot run; carries every diagnostic."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        super().__init__("; ".join(f"{d.code}: {d.message} at {d.location}" for d in diagnostics))
        self.diagnostics = diagnostics
