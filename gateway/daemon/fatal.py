"""What ends the daemon, in one line that a person can act on, and its exit code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gateway.errors import ApiError, ConfigError, Rejected, Unavailable
from gateway.store.failures import StoreClosed, StoreFull, StoreUnusable

EXIT_FAILURE = 1
EXIT_CONFIGURATION = 2
"""Problems of the configuration, before the database is touched; systemd does not try again."""

_EXPECTED = (
    ApiError,
    ConfigError,
    Rejected,
    StoreClosed,
    StoreFull,
    StoreUnusable,
    Unavailable,
)


def fatal_lines(error: BaseException, database: Path) -> list[str] | None:
    """What to print for an error that was to be expected, of a daemon over this database; None for
    a bug, which needs its trace."""
    leaves = list(_leaves(error))
    if not all(isinstance(leaf, _EXPECTED) for leaf in leaves):
        return None
    return list(dict.fromkeys(line for leaf in leaves for line in _lines(leaf, database)))


def _lines(error: BaseException, database: Path) -> list[str]:
    match error:
        case ConfigError():
            return [str(problem) for problem in error.problems]
        case StoreFull():
            return [f"the disk is full: make room for {database.absolute()}, then try again"]
        case _:
            return [str(error)]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error
