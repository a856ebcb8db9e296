"""What a function's process finds in its environment: little of the daemon's, for that may hold
secrets of others. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import Field

from gateway.tasks.functions.function import LocalSettings

_HARMLESS: Final = (
    "HOME", "LANG", "LANGUAGE", "LC_*", "LOGNAME", "PATH", "SHELL", "SSL_CERT_DIR", "SSL_CERT_FILE",
    "TMPDIR", "TZ", "USER",
)  # fmt: skip


class ProcessSettings(LocalSettings):
    """What every function has that is a program."""

    directory: Path = Path()
    """Directory that it runs in; relative to the file."""
    env: dict[str, str] = Field(default_factory=dict)
    """Variables of its environment. Of the daemon's own it gets no more than `PATH`, `HOME`, the
    language and the like."""
    inherit: tuple[str, ...] = ()
    """Variables of the daemon that it gets too; a `*` at the end stands for any rest, as in
    `AWS_*`."""


def environment(
    inherited: Mapping[str, str], settings: ProcessSettings, ours: Mapping[str, str]
) -> dict[str, str]:
    """The whole environment of one process."""
    wanted = (*_HARMLESS, *settings.inherit)
    kept = {name: value for name, value in inherited.items() if _is_one_of(name, wanted)}
    return {**kept, **ours, **settings.env}


def _is_one_of(name: str, wanted: tuple[str, ...]) -> bool:
    return any(
        name.startswith(each[:-1]) if each.endswith("*") else name == each for each in wanted
    )
