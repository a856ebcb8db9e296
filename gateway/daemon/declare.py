"""Puts the machines and activities of the file into the catalog, at start and at each reload."""

from __future__ import annotations

from hashlib import sha256

import structlog

from gateway.config.load import Config
from gateway.engine.catalog import Catalog
from gateway.errors import ApiError


async def declare(config: Config, catalog: Catalog, log: structlog.stdlib.BoundLogger) -> list[str]:
    """Create what is missing and give changed machines a new revision; returns their names.

    A machine is changed when the *file* has changed since it was last loaded: what was updated
    through the API meanwhile stays until then. Nothing is ever taken out of the catalog here.
    """
    for name in config.settings.activities:
        await catalog.create_activity(name)
    changed = []
    for name, definition in config.definitions.items():
        try:
            if await _declare_machine(name, definition, catalog):
                changed.append(name)
        except ApiError as refusal:
            if refusal.code != "StateMachineDeleting":
                raise
            # Somebody deletes it and it still runs; a load after its end creates it anew.
            log.warning("machine not loaded: it is being deleted", machine=name)
    return changed


def fingerprint(definition: str) -> str:
    """What ``MachineRow.managed`` holds: which definition the file had when it was loaded."""
    return sha256(definition.encode()).hexdigest()


async def _declare_machine(name: str, definition: str, catalog: Catalog) -> bool:
    managed = fingerprint(definition)
    arn = catalog.machine_arn(name)
    machine = catalog.machine(arn)
    if machine is None or machine.status == "DELETING":
        await catalog.create_machine(name, definition, managed=managed)
        return True
    if machine.managed == managed:
        return False
    before = catalog.current(arn)
    await catalog.update_machine(arn, definition, managed=managed)
    return catalog.current(arn) != before
