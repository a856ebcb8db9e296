"""Machines and activities of the file in the catalog: created, revised, and left to the API."""

from __future__ import annotations

import pytest
import structlog

from gateway.config.load import load_config
from gateway.daemon.declare import declare
from gateway.engine.catalog import Catalog
from gateway.store.failures import StoreFull
from gateway.store.memory import open_memory
from tests.daemon.process import PASS, write_config

CONFIG = """
machines: { echo: { definition: pass.asl.json } }
activities: { pick: {} }
"""
OTHER = PASS.replace('"A"', '"B"')
THIRD = PASS.replace('"A"', '"C"')


@pytest.fixture
async def catalog():
    """An empty one."""
    async with open_memory() as store:
        catalog = Catalog(store, lambda: 1_000, region="us-east-1", account="123456789012")
        await catalog.load()
        yield catalog


@pytest.fixture
def load(tmp_path, catalog):
    """Loads the file with this definition; returns the machines that changed."""
    path = write_config(tmp_path, CONFIG)

    async def load(definition):
        (tmp_path / "pass.asl.json").write_text(definition)
        return await declare(load_config(path), catalog, structlog.get_logger())

    return load


def current(catalog):
    """The definition that a start would run."""
    return catalog.current(catalog.machine_arn("echo")).definition


async def test_what_is_missing_is_created(catalog, load):
    """The machine and the activity are there; loading the same again changes nothing."""
    assert await load(PASS) == ["echo"]
    assert current(catalog) == PASS
    assert catalog.activity(catalog.activity_arn("pick")) is not None
    revision = catalog.current(catalog.machine_arn("echo")).id
    assert await load(PASS) == []
    assert catalog.current(catalog.machine_arn("echo")).id == revision


async def test_a_changed_file_is_a_new_revision(catalog, load):
    """The next start has it."""
    await load(PASS)
    assert await load(OTHER) == ["echo"]
    assert current(catalog) == OTHER


async def test_an_update_through_the_api_stays_until_the_file_changes(catalog, load):
    """Loading the unchanged file leaves it alone; a changed one wins."""
    await load(PASS)
    await catalog.update_machine(catalog.machine_arn("echo"), OTHER)
    assert await load(PASS) == []
    assert current(catalog) == OTHER
    assert await load(THIRD) == ["echo"]
    assert current(catalog) == THIRD


async def test_a_machine_made_by_the_api_is_taken_over(catalog, load):
    """The file has a machine of that name: its definition becomes the current one."""
    await catalog.create_machine("echo", OTHER)
    assert await load(PASS) == ["echo"]
    assert current(catalog) == PASS


async def test_the_same_definition_by_the_api_is_no_new_revision(catalog, load):
    """It only becomes one of the file's machines."""
    await catalog.create_machine("echo", PASS)
    revision = catalog.current(catalog.machine_arn("echo")).id
    assert await load(PASS) == []
    assert catalog.current(catalog.machine_arn("echo")).id == revision
    await catalog.update_machine(catalog.machine_arn("echo"), OTHER)
    assert await load(PASS) == []
    assert current(catalog) == OTHER


async def test_a_full_disk_changes_nothing(catalog, tmp_path, monkeypatch):
    """All machines and activities of a file are one unit: none is changed where one cannot be."""
    path = write_config(tmp_path, "machines: { echo: { definition: pass.asl.json } }")
    await declare(load_config(path), catalog, structlog.get_logger())
    (tmp_path / "other.asl.json").write_text(OTHER)
    machines = "{ echo: { definition: other.asl.json }, next: { definition: pass.asl.json } }"
    path.write_text(f"machines: {machines}\nactivities: {{ pick: {{}} }}\n")
    units = []

    async def commit(unit):
        units.append(unit)
        raise StoreFull("the disk is full")

    monkeypatch.setattr(catalog._store, "commit", commit)
    with pytest.raises(StoreFull):
        await declare(load_config(path), catalog, structlog.get_logger())
    assert [row.name for row in catalog.machines()] == ["echo"]
    assert current(catalog) == PASS
    assert catalog.activities() == []
    assert len(units) == 1
    assert len(units[0]) == 5  # the activity, and two machines with their revisions
