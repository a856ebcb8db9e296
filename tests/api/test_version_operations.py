"""Versions and aliases through plain boto3."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from gateway.engine.publications import Publications, read_routing

OTHER = json.dumps({"StartAt": "B", "States": {"B": {"Type": "Pass", "End": True}}})
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:m"


async def two_versions(api):
    """The ARNs of a machine and of two versions of it, the second of which is current."""
    arn = await api.machine("m")
    first = await api.call("publish_state_machine_version", stateMachineArn=arn)
    second = await api.call(
        "update_state_machine", stateMachineArn=arn, definition=OTHER, publish=True
    )
    return arn, first["stateMachineVersionArn"], second["stateMachineVersionArn"]


def to(*routes):
    """A routing configuration."""
    return [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in routes]


async def test_a_version_stays_as_it_was_published(api):
    """Numbered from 1, listed newest first, each with the definition of its time."""
    arn, first, second = await two_versions(api)
    assert (first, second) == (f"{MACHINE}:1", f"{MACHINE}:2")
    listed = await api.call("list_state_machine_versions", stateMachineArn=arn)
    assert [row["stateMachineVersionArn"] for row in listed["stateMachineVersions"]] == [
        second,
        first,
    ]
    page = await api.call("list_state_machine_versions", stateMachineArn=arn, maxResults=1)
    rest = await api.call(
        "list_state_machine_versions", stateMachineArn=arn, nextToken=page["nextToken"]
    )
    assert [row["stateMachineVersionArn"] for row in rest["stateMachineVersions"]] == [first]
    described = await api.call("describe_state_machine", stateMachineArn=first)
    assert '"A"' in described["definition"]
    assert described["stateMachineArn"] == first
    assert described["name"] == "m"


async def test_publishing_is_idempotent(api):
    """A revision has one version, no number is given again, no other revision is taken."""
    arn, _, second = await two_versions(api)
    again = await api.call("publish_state_machine_version", stateMachineArn=arn)
    assert again["stateMachineVersionArn"] == second
    await api.call("delete_state_machine_version", stateMachineVersionArn=second)
    await api.call("delete_state_machine_version", stateMachineVersionArn=second)
    third = await api.call("publish_state_machine_version", stateMachineArn=arn, description="d")
    assert third["stateMachineVersionArn"] == f"{MACHINE}:3"
    described = await api.call("describe_state_machine", stateMachineArn=f"{MACHINE}:3")
    assert described["description"] == "d"
    with pytest.raises(ClientError, match=r"ConflictException.*for revision INITIAL"):
        await api.call("publish_state_machine_version", stateMachineArn=arn, revisionId="INITIAL")


async def test_a_version_is_started(api):
    """Its revision runs, and the execution says what it was started through."""
    arn, first, _ = await two_versions(api)
    started = await api.call("start_execution", stateMachineArn=first, name="e")
    described = await api.until_ended(started["executionArn"])
    assert described["stateMachineArn"] == arn
    assert described["stateMachineVersionArn"] == first
    history = await api.call("get_execution_history", executionArn=started["executionArn"])
    details = history["events"][0]["executionStartedEventDetails"]
    assert details["stateMachineVersionArn"] == first
    assert history["events"][1]["stateEnteredEventDetails"]["name"] == "A"
    await api.call("start_execution", stateMachineArn=arn, name="plain")
    listed = await api.call("list_executions", stateMachineArn=first)
    assert [row["name"] for row in listed["executions"]] == ["e"]
    with pytest.raises(ClientError, match=f"StateMachineDoesNotExist.*'{MACHINE}:9'"):
        await api.call("start_execution", stateMachineArn=f"{MACHINE}:9")


async def test_an_alias_lives_and_dies(api):
    """Created, described, moved, listed and deleted; a version that it leads to cannot be."""
    arn, first, second = await two_versions(api)
    routing = to((first, 100))
    made = await api.call(
        "create_state_machine_alias", name="live", description="d", routingConfiguration=routing
    )
    alias = made["stateMachineAliasArn"]
    assert alias == f"{MACHINE}:live"
    again = await api.call(
        "create_state_machine_alias", name="live", description="d", routingConfiguration=routing
    )
    assert again == made
    with pytest.raises(ClientError, match="ConflictException"):
        await api.call(
            "create_state_machine_alias", name="live", routingConfiguration=to((second, 100))
        )
    await api.call(
        "update_state_machine_alias",
        stateMachineAliasArn=alias,
        routingConfiguration=to((first, 0), (second, 100)),
    )
    described = await api.call("describe_state_machine_alias", stateMachineAliasArn=alias)
    assert described["routingConfiguration"] == to((first, 0), (second, 100))
    assert (described["name"], described["description"]) == ("live", "d")
    for listed_of in (arn, first):
        listed = await api.call("list_state_machine_aliases", stateMachineArn=listed_of)
        assert [row["stateMachineAliasArn"] for row in listed["stateMachineAliases"]] == [alias]
    with pytest.raises(ClientError, match=r"ConflictException.*referenced by an alias.*\[live\]"):
        await api.call("delete_state_machine_version", stateMachineVersionArn=first)
    for _ in range(2):
        await api.call("delete_state_machine_alias", stateMachineAliasArn=alias)
    await api.call("delete_state_machine_version", stateMachineVersionArn=first)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        await api.call("describe_state_machine_alias", stateMachineAliasArn=alias)


async def test_an_alias_is_started(api):
    """The execution has the alias and the version that was chosen, and is found by both."""
    _, first, second = await two_versions(api)
    made = await api.call(
        "create_state_machine_alias",
        name="live",
        routingConfiguration=to((first, 100), (second, 0)),
    )
    alias = made["stateMachineAliasArn"]
    started = await api.call("start_execution", stateMachineArn=alias, name="e")
    described = await api.until_ended(started["executionArn"])
    assert described["stateMachineAliasArn"] == alias
    assert described["stateMachineVersionArn"] == first
    for arn, names in ((alias, ["e"]), (first, ["e"]), (second, [])):
        listed = await api.call("list_executions", stateMachineArn=arn)
        assert [row["name"] for row in listed["executions"]] == names


async def test_the_dice_choose_by_weight(api):
    """Each of the hundred sides of the dice leads to a version, as many as its weight says."""
    arn, first, second = await two_versions(api)
    await api.call(
        "create_state_machine_alias",
        name="live",
        routingConfiguration=to((first, 30), (second, 70)),
    )
    sides = iter(range(100))
    rigged = Publications(api.engine.catalog, api.store, lambda: 0, lambda _: next(sides))
    await rigged.load()
    chosen = Counter(rigged.target(f"{arn}:live").version for _ in range(100))
    assert chosen == {1: 30, 2: 70}
    assert read_routing(rigged.existing_alias(arn, "live")) == [(1, 30), (2, 70)]


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([(":1", 50), (":1", 50)], "distinct state machine version ARNs. Received: "),
        ([("", 70), (":2", 30)], "must contain state machine version ARNs. Received: "),
        ([(":1", 70), (":2", 29)], r"must equal 100. Received: \[70, 29\]"),
        ([(":1", 100), (":2", 1)], "must equal 100"),
        ([(":1", 101)], "Value '101' at 'routingConfiguration.1.member.weight'"),
        ([(":1", 40), (":2", 30), (":3", 30)], r"Value '\[RoutingConfigurationListItem\(state"),
    ],
)
async def test_a_routing_that_makes_no_sense_is_refused(api, routes, message):
    """In AWS's words."""
    await two_versions(api)
    routing = to(*((MACHINE + end, weight) for end, weight in routes))
    with pytest.raises(ClientError, match=f"ValidationException.*{message}"):
        await api.call("create_state_machine_alias", name="live", routingConfiguration=routing)


async def test_versions_and_aliases_go_with_their_machine(api):
    """A machine of the same name begins at version 1, without the old aliases."""
    arn, first, _ = await two_versions(api)
    await api.call("create_state_machine_alias", name="live", routingConfiguration=to((first, 100)))
    await api.call("delete_state_machine", stateMachineArn=arn)
    assert (await api.store.versions(), await api.store.aliases()) == ([], [])
    await api.machine("m")
    assert await api.call("list_state_machine_aliases", stateMachineArn=arn) == {
        "stateMachineAliases": []
    }
    made = await api.call("publish_state_machine_version", stateMachineArn=arn)
    assert made["stateMachineVersionArn"] == first
