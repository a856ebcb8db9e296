"""The errors that cross a seam. Anything else is a bug, contained where it happens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a file: where it is, in words a person can follow, and what to do."""

    path: str
    """Dotted path of the place, as ``triggers.orders.source.batch_size``."""
    message: str
    """What is wrong and what would be right."""
    file: str = ""
    line: int = 0
    """1-based; 0 where no line is known."""
    warning: bool = False
    """A warning is shown and refuses nothing."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        note = "warning: " if self.warning else ""
        path = f"{self.path}: " if self.path else ""
        return f"{place}{path}{note}{self.message}"


class ConfigError(Exception):
    """A configuration cannot be used; carries every problem found, not the first."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ApiError(Exception):
    """An answer of the AWS API other than success: ``code`` is AWS's name of it."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


class Unavailable(Exception):
    """The far side cannot take it now; the same call may succeed later."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        """Seconds, where the far side said so."""


class Rejected(Exception):
    """The far side (or our own limit) will never take it; trying again is of no use."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Gone(Rejected):
    """The far side says that it wants nothing any more (HTTP 410)."""
