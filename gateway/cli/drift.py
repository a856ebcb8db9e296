"""Machines of the file that were updated through the API since they were loaded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from gateway.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.load import Config


def drifted(config: Config) -> list[Problem]:
    """A warning for each; none where there is no database yet, or none that may be read."""
    path = config.settings.store.path.absolute()
    if not path.is_file():
        return []
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return list(_compare(config, connection))
    except sqlite3.Error:
        return []


def _compare(config: Config, connection: sqlite3.Connection) -> Iterator[Problem]:
    from gateway.daemon.declare import fingerprint
    from gateway.store.sqlite import queries

    machines = {machine.name: machine for machine in queries.machines(connection)}
    for name, definition in config.definitions.items():
        machine = machines.get(name)
        if machine is None or machine.managed != fingerprint(definition):
            continue
        revision = queries.current_revision(connection, machine.arn)
        if revision is not None and revision.definition != definition:
            said = (
                "was updated through the API since this file was loaded; "
                "that stays until the file changes"
            )
            yield Problem(f"machines.{name}", said, str(config.path), warning=True)
