"""Puts the machines and activities of the file into the catalog, at start and at each reload."""

from __future__ import annotations

from hashlib import sha256

import structlog

from gateway.config.load import Config
from gateway.engine.catalog import Catalog


async def declare(config: Config, catalog: Catalog, log: structlog.stdlib.BoundLogger) -> list[str]:
    """Create what is missing and give changed machines a new revision, all of it or nothing;
    returns their names.

    A machine is changed when the *file* has changed since it was last loaded: what was updated
    through the API meanwhile stays until then. Nothing is ever taken out of the catalog here.
    """
    machines = {name: (text, fingerprint(text)) for name, text in config.definitions.items()}
    declared = await catalog.declare(machines, config.settings.activities)
    for name in declared.deleting:
        # Somebody deletes it and it still runs; a load after its end creates it anew.
        log.warning("machine not loaded: it is being deleted", machine=name)
    return declared.changed


def fingerprint(definition: str) -> str:
    """What ``MachineRow.managed`` holds: which definition the file had when it was loaded."""
    return sha256(definition.encode()).hexdigest()
