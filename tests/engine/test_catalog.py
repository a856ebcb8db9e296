"""Machines, revisions and activities follow AWS's rules and survive a restart."""

from __future__ import annotations

import json
from itertools import count

import pytest

from gateway.engine import compiled
from gateway.engine.catalog import INITIAL, Catalog
from gateway.engine.machine_settings import read_settings
from gateway.errors import ApiError
from gateway.store.changes import EndExecution, Insert
from gateway.store.memory import open_memory
from gateway.store.rows import ExecutionRow


def definition(comment="", **state):
    """A definition of one state."""
    only = {"Type": "Pass", "End": True, **state}
    return json.dumps({"Comment": comment, "StartAt": "A", "States": {"A": only}})


@pytest.fixture
async def store():
    """An empty store."""
    async with open_memory() as memory:
        yield memory


def catalog_of(store):
    """A catalog over the store, whose clock moves on with each look."""
    ticks = count(1_000)
    return Catalog(store, lambda: next(ticks), region="eu-west-1", account="123456789012")


@pytest.fixture
async def catalog(store):
    """A loaded catalog over an empty store."""
    made = catalog_of(store)
    await made.load()
    return made


async def refused(code, awaitable):
    """The message with which the call is refused."""
    with pytest.raises(ApiError) as refusal:
        await awaitable
    assert refusal.value.code == code
    return refusal.value.message


def running(machine, revision, number=1):
    """The row of an execution that runs."""
    arn = f"{machine.arn.replace('stateMachine', 'execution')}:{number}"
    return ExecutionRow(number, arn, machine.arn, str(number), revision.id, 0, "{}")


async def test_a_machine_is_there_once_it_is_created(catalog):
    """It has an ARN, a first revision without an id of its own, and a compiled form."""
    machine, revision = await catalog.create_machine("m", definition())
    assert machine.arn == "arn:aws:states:eu-west-1:123456789012:stateMachine:m"
    assert catalog.machine(machine.arn) == machine
    assert catalog.current(machine.arn) == revision
    assert revision.revision_id == INITIAL
    assert (await catalog.compiled(revision.id)).start_at == "A"


async def test_creating_it_again_is_idempotent(catalog):
    """Same name, definition, type and settings: the same machine; role and tags may differ."""
    first = await catalog.create_machine("m", definition(), "arn:aws:iam::1:role/a")
    again = await catalog.create_machine(
        "m", definition(), "arn:aws:iam::1:role/b", tags={"k": "v"}
    )
    assert again == first


@pytest.mark.parametrize(
    "other",
    [
        {"definition": definition("other")},
        {"definition": definition() + " "},
        {"type": "EXPRESS"},
        {"settings": {"tracingConfiguration": {"enabled": True}}},
    ],
)
async def test_another_machine_of_the_name_is_refused(catalog, other):
    """Another definition (its text counts), type or setting is StateMachineAlreadyExists."""
    machine, _ = await catalog.create_machine("m", definition())
    call = catalog.create_machine("m", **{"definition": definition(), **other})
    assert machine.arn in await refused("StateMachineAlreadyExists", call)


async def test_an_invalid_definition_is_refused_in_words(catalog):
    """InvalidDefinition lists every diagnostic with its place, and nothing is created."""
    text = json.dumps({"Comment": "no states", "StartAt": "A"})
    message = await refused("InvalidDefinition", catalog.create_machine("m", text))
    expected = "'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /'"
    assert message == f"Invalid State Machine Definition: {expected}"
    assert catalog.machines() == []


async def test_an_illegal_name_is_refused(catalog):
    """InvalidName, for machines and activities."""
    await refused("InvalidName", catalog.create_machine("a b", definition()))
    await refused("InvalidName", catalog.create_activity("a b"))


async def test_an_update_makes_a_revision(catalog, store):
    """It has an id of its own; what was not given stays; the old one is compiled on demand."""
    machine, old = await catalog.create_machine("m", definition("one"), "arn:aws:iam::1:role/a")
    _, new = await catalog.update_machine(machine.arn, definition("two"))
    assert (new.definition, new.role_arn) == (definition("two"), "arn:aws:iam::1:role/a")
    assert len(new.revision_id) == 36
    assert catalog.current(machine.arn) == new == await store.current_revision(machine.arn)
    assert (await catalog.compiled(old.id)).start_at == "A"


async def test_an_update_that_changes_nothing_makes_no_revision(catalog):
    """The current revision is answered."""
    machine, old = await catalog.create_machine("m", definition())
    assert await catalog.update_machine(machine.arn, definition()) == (machine, old)


async def test_an_update_of_nothing_is_refused(catalog):
    """AWS's MissingRequiredParameter, in its words."""
    machine, _ = await catalog.create_machine("m", definition())
    message = await refused("MissingRequiredParameter", catalog.update_machine(machine.arn))
    assert message.startswith("Either the definition, the role ARN, the LoggingConfiguration")


async def test_settings_are_kept_with_the_revision(catalog):
    """An update of one setting leaves the others."""
    machine, _ = await catalog.create_machine(
        "m", definition(), settings={"tracingConfiguration": {"enabled": True}}
    )
    _, new = await catalog.update_machine(
        machine.arn, settings={"loggingConfiguration": {"includeExecutionData": True}}
    )
    settings = read_settings(new.settings)
    assert settings["tracingConfiguration"] == {"enabled": True}
    assert settings["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": True}


async def test_settings_that_cannot_be_are_refused(catalog):
    """Logging needs a destination; encryption with a key of one's own is not offered."""
    logging = {"loggingConfiguration": {"level": "ALL"}}
    call = catalog.create_machine("m", definition(), settings=logging)
    await refused("InvalidLoggingConfiguration", call)
    key = {"encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"}}
    call = catalog.create_machine("m", definition(), settings=key)
    await refused("InvalidEncryptionConfiguration", call)


async def test_the_configuration_marks_what_it_manages(catalog, store):
    """The hash changes without a revision, and an update through the API leaves it: drift shows."""
    machine, revision = await catalog.create_machine("m", definition(), managed="one")
    assert machine.managed == "one"
    marked, same = await catalog.update_machine(machine.arn, definition(), managed="two")
    assert (marked.managed, same) == ("two", revision)
    drifted, _ = await catalog.update_machine(machine.arn, definition("api"))
    assert drifted.managed == "two"
    assert await store.machine(machine.arn) == drifted


async def test_an_idle_machine_is_deleted_at_once(catalog, store):
    """It is gone from memory and store; deleting it again is fine, and its name is free."""
    machine, _ = await catalog.create_machine("m", definition())
    await catalog.delete_machine(machine.arn)
    await catalog.delete_machine(machine.arn)
    assert catalog.machine(machine.arn) is None
    assert await store.machines() == []
    await catalog.create_machine("m", definition("again"))


async def test_a_machine_in_use_is_deleted_when_its_last_execution_has_ended(catalog, store):
    """Until then it is DELETING: it shows, and may neither be started, changed nor made anew."""
    machine, revision = await catalog.create_machine("m", definition())
    await store.commit([Insert(running(machine, revision))])
    await catalog.delete_machine(machine.arn)
    assert catalog.existing_machine(machine.arn).status == "DELETING"
    with pytest.raises(ApiError, match="StateMachineDeleting"):
        catalog.active_machine(machine.arn)
    await refused("StateMachineDeleting", catalog.update_machine(machine.arn, definition("x")))
    await refused("StateMachineDeleting", catalog.create_machine("m", definition()))
    await store.commit([EndExecution(1, "SUCCEEDED", 1, "{}", None, None)])
    await catalog.reap()
    assert catalog.machine(machine.arn) is None


async def test_a_machine_that_is_about_to_be_started_stays_until_it_is(catalog, store):
    """Its revision would be swept from under the execution that a start has yet to commit."""
    machine, revision = await catalog.create_machine("m", definition())
    with catalog.starting({machine.arn}):
        with catalog.starting({machine.arn}):
            await catalog.delete_machine(machine.arn)
        await catalog.reap()
        await store.sweep(2**60, 10)
        assert await store.revision(revision.id) == revision
        with pytest.raises(ApiError, match="StateMachineDeleting"):
            catalog.active_machine(machine.arn)
    await catalog.reap()
    await store.sweep(2**60, 10)
    assert await store.revision(revision.id) is None


async def test_what_does_not_exist_is_named(catalog):
    """StateMachineDoesNotExist and ActivityDoesNotExist carry the ARN."""
    arn = catalog.machine_arn("none")
    message = await refused("StateMachineDoesNotExist", catalog.update_machine(arn, definition()))
    assert message == f"State Machine Does Not Exist: '{arn}'"
    with pytest.raises(ApiError, match=f"Activity Does Not Exist: '{catalog.activity_arn('x')}'"):
        catalog.existing_activity(catalog.activity_arn("x"))


async def test_activities_are_created_once_and_deleted(catalog):
    """Creating one again gives the same; deleting one that is gone is fine."""
    made = await catalog.create_activity("a")
    assert await catalog.create_activity("a") == made
    assert catalog.activities() == [made]
    await catalog.delete_activity(made.arn)
    await catalog.delete_activity(made.arn)
    assert catalog.activity(made.arn) is None


async def test_a_restart_finds_everything(catalog, store):
    """Machines with their current revisions, activities, and the place where ids go on."""
    machine, _ = await catalog.create_machine("m", definition())
    _, revision = await catalog.update_machine(machine.arn, definition("two"))
    activity = await catalog.create_activity("a")
    again = catalog_of(store)
    await again.load()
    assert again.machines() == [machine]
    assert again.current(machine.arn) == revision
    assert again.activities() == [activity]
    _, newer = await again.update_machine(machine.arn, definition("three"))
    assert newer.id > revision.id


async def test_compiled_machines_are_bounded(catalog, monkeypatch):
    """The least recently used one goes, and is compiled again when it is asked for."""
    monkeypatch.setattr(compiled, "COMPILED_MAX", 2)
    revisions = [
        (await catalog.create_machine(f"m{number}", definition()))[1] for number in range(3)
    ]
    kept = catalog._compiled._machines
    assert list(kept) == [revisions[1].id, revisions[2].id]
    await catalog.compiled(revisions[0].id)
    assert list(kept) == [revisions[2].id, revisions[0].id]
