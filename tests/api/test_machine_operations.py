"""State machines through plain boto3."""

from __future__ import annotations

import json
import threading
from functools import partial
from importlib import import_module

import httpx
import pytest
import trio
from botocore.exceptions import ClientError

from gateway.engine import compiled
from gateway.engine.compiled import LARGE_CHARACTERS
from gateway.engine.tags import read_tags
from gateway.errors import ApiError
from tests.api.test_model_walk import post

ROLE = "arn:aws:iam::123456789012:role/tests"
ARN = "arn:aws:states:us-east-1:123456789012:stateMachine:"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
WAIT = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 60, "End": True}}})


async def test_a_machine_lives_and_dies(api):
    """Created, described, updated, listed and deleted, with the members that AWS has."""
    arn = await api.machine()
    described = await api.call("describe_state_machine", stateMachineArn=arn)
    created = described.pop("creationDate")
    assert described == {
        "stateMachineArn": arn,
        "name": "m",
        "status": "ACTIVE",
        "type": "STANDARD",
        "definition": PASS,
        "roleArn": ROLE,
        "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
        "tracingConfiguration": {"enabled": False},
        "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
    }
    other = "arn:aws:iam::123456789012:role/other"
    updated = await api.call("update_state_machine", stateMachineArn=arn, roleArn=other)
    described = await api.call("describe_state_machine", stateMachineArn=arn)
    assert (described["roleArn"], described["revisionId"]) == (other, updated["revisionId"])
    assert described["creationDate"] == created
    listed = await api.call("list_state_machines")
    row = {"stateMachineArn": arn, "name": "m", "type": "STANDARD", "creationDate": created}
    assert listed == {"stateMachines": [row]}
    assert await api.call("delete_state_machine", stateMachineArn=arn) == {}
    assert await api.call("list_state_machines") == {"stateMachines": []}


async def test_lists_page(api):
    """Pages follow one another by nextToken until there is none."""
    for number in range(5):
        await api.machine(f"m{number}")
    first = await api.call("list_state_machines", maxResults=3)
    rest = await api.call("list_state_machines", maxResults=3, nextToken=first["nextToken"])
    names = [row["name"] for row in first["stateMachines"] + rest["stateMachines"]]
    assert names == ["m0", "m1", "m2", "m3", "m4"]
    assert "nextToken" not in rest
    with pytest.raises(ClientError, match="InvalidToken"):
        await api.call("list_activities", nextToken=first["nextToken"])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tags": [{"key": "aws:x", "value": "1"}]}, "ValidationException.*reserved"),
        (
            {"tags": [{"key": "a"}, {"value": "1"}]},
            r"ValidationException.*tags\.2\.member\.key",
        ),
        ({"versionDescription": "x"}, "ValidationException.*only be set when publish is true"),
        ({"definition": "{"}, "InvalidDefinition"),
        ({"definition": "no JSON"}, "INVALID_JSON_DESCRIPTION: Unrecognized token 'no'"),
        ({"name": "a b"}, "InvalidName"),
        ({"roleArn": "x"}, "InvalidArn.*Invalid Role Arn: 'x'"),
        ({"roleArn": ROLE.replace(":role", ":user")}, "InvalidArn.*Invalid Role Arn"),
        ({"name": "a\ud800b"}, r"InvalidName.*'a\?b'"),
        ({"loggingConfiguration": {"level": "ALL"}}, "InvalidLoggingConfiguration"),
        (
            {"loggingConfiguration": {"level": "ALL", "destinations": [{}]}},
            "InvalidLoggingConfiguration",
        ),
        (
            {
                "loggingConfiguration": {
                    "level": "ERROR",
                    "destinations": [{"cloudWatchLogsLogGroup": {}}],
                }
            },
            "InvalidLoggingConfiguration",
        ),
    ],
)
async def test_what_cannot_be_created_is_refused(api, parameters, message):
    """Each with AWS's code, or with the words that it is not served."""
    wanted = {"name": "m", "definition": PASS, "roleArn": ROLE, **parameters}
    with pytest.raises(ClientError, match=message):
        await api.call("create_state_machine", **wanted)


@pytest.mark.parametrize(
    ("arn", "message"),
    [
        ("nonsense", "InvalidArn.*Invalid ARN prefix: nonsense"),
        ("arn:aws:states:us-east-1:123456789012:activity:a", "InvalidArn.*Resource type"),
        ("arn:aws:states:us-east-1:123456789012:stateMachine:x", "StateMachineDoesNotExist"),
        ("arn:aws:states:us-east-1:123456789012:stateMachine:m:1", "StateMachineDoesNotExist"),
    ],
)
async def test_wrong_arns_are_told_apart(api, arn, message):
    """No ARN, the ARN of something else, and one behind which there is nothing (or no version)."""
    await api.machine("m")
    with pytest.raises(ClientError, match=message):
        await api.call("describe_state_machine", stateMachineArn=arn)


async def test_definitions_are_validated(api):
    """ValidateStateMachineDefinition answers with the diagnostics, and creates nothing."""
    fine = await api.call("validate_state_machine_definition", definition=PASS)
    assert fine == {"result": "OK", "diagnostics": [], "truncated": False}
    wrong = await api.call("validate_state_machine_definition", definition='{"StartAt": "A"}')
    assert wrong["result"] == "FAIL"
    assert wrong["diagnostics"][0] == {
        "severity": "ERROR",
        "code": "SCHEMA_VALIDATION_FAILED",
        "message": "These fields are required: [States]",
        "location": "/",
    }


async def test_a_label_is_refused_in_a_form_of_its_own(api):
    """AWS's recorded answer to a label that cannot be is like no other: it shows the definition."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        **json.loads(PASS.replace('"A"', '"In"')),
    }
    state = {"Type": "Map", "Label": "a\x96", "ItemProcessor": processor, "End": True}
    definition = json.dumps({"StartAt": "A", "States": {"A": state}})
    with pytest.raises(ClientError) as refused:
        await api.machine(definition=definition)
    assert refused.value.response["Error"]["Message"] == (
        "Error=ValueError Args=[\"Label contains invalid character: '\\\\x96'\"] "
        f"in definition '{definition}'."
    )


async def test_an_express_machine_is_validated_as_such(api):
    """The type that the caller names decides what is supported."""
    task = {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync", "End": True}
    definition = json.dumps({"StartAt": "A", "States": {"A": task}})
    operation = "validate_state_machine_definition"
    assert (await api.call(operation, definition=definition))["result"] == "OK"
    found = await api.call(operation, definition=definition, type="EXPRESS")
    assert [each["location"] for each in found["diagnostics"]] == ["/States/A/Resource"]


async def test_variable_references_are_described(api):
    """Which variables each state names, and no state that names none; without the definition, for
    which AWS shows an empty object, nothing of it."""
    first = {"Type": "Pass", "Assign": {"a": 1}, "Next": "B"}
    second = {"Type": "Pass", "InputPath": "$a", "End": True}
    definition = json.dumps({"StartAt": "A", "States": {"A": first, "B": second}})
    arn = await api.machine(definition=definition)
    described = await api.call("describe_state_machine", stateMachineArn=arn)
    assert described["variableReferences"] == {"B": ["a"]}
    bare = await api.call(
        "describe_state_machine", stateMachineArn=arn, includedData="METADATA_ONLY"
    )
    assert (bare["definition"], "variableReferences" in bare) == ("{}", False)


async def test_tags_are_kept_changed_and_taken_off(api):
    """On machines and activities alike: those of the creation, those that came, none that went."""
    tags = [{"key": "team", "value": "orders"}]
    made = await api.call(
        "create_state_machine", name="m", definition=PASS, roleArn=ROLE, tags=tags
    )
    activity = await api.call("create_activity", name="a", tags=tags)
    for arn in (made["stateMachineArn"], activity["activityArn"]):
        assert await api.call("list_tags_for_resource", resourceArn=arn) == {"tags": tags}
        more = [{"key": "team", "value": "billing"}, {"key": "env", "value": ""}]
        await api.call("tag_resource", resourceArn=arn, tags=more)
        assert await api.call("list_tags_for_resource", resourceArn=arn) == {"tags": more}
        await api.call("untag_resource", resourceArn=arn, tagKeys=["team", "other"])
        assert await api.call("list_tags_for_resource", resourceArn=arn) == {"tags": more[1:]}
    await api.call("delete_activity", activityArn=activity["activityArn"])
    await api.call("create_activity", name="a")
    again = await api.call("list_tags_for_resource", resourceArn=activity["activityArn"])
    assert again == {"tags": []}


async def test_a_resource_has_no_more_than_fifty_tags(api):
    """The 51st is refused and changes nothing, and so is a tag on a version."""
    arn = await api.machine()
    await api.call("publish_state_machine_version", stateMachineArn=arn)
    fifty = [{"key": f"k{n}", "value": "v"} for n in range(50)]
    await api.call("tag_resource", resourceArn=arn, tags=fifty)
    one = [{"key": "one", "value": "more"}]
    for resource, code in ((arn, "TooManyTags"), (f"{arn}:1", "ResourceNotFound")):
        with pytest.raises(ClientError, match=code):
            await api.call("tag_resource", resourceArn=resource, tags=one)
    listed = await api.call("list_tags_for_resource", resourceArn=arn)
    assert listed == {"tags": fifty}


async def test_metadata_alone_has_no_definition(api):
    """AWS: it is ``{}`` then, of the machine and of the one that an execution runs."""
    arn = await api.machine()
    started = await api.call("start_execution", stateMachineArn=arn)
    of = {"stateMachineArn": arn}, {"executionArn": started["executionArn"]}
    for wanted, call in zip(
        of, ("describe_state_machine", "describe_state_machine_for_execution"), strict=True
    ):
        described = await api.call(call, **wanted, includedData="METADATA_ONLY")
        assert described["definition"] == "{}"
        assert described["roleArn"] == ROLE


def test_a_tag_whose_key_is_null_is_refused():
    """Clients check that themselves; who writes a request by hand is told."""
    with pytest.raises(ApiError, match=r"null at 'tags\.1\.member\.key'"):
        read_tags([{"key": None, "value": "1"}])


async def test_null_and_unknown_members_of_settings_are_as_if_left_out(api):
    """In the structures of a request as well as in itself."""
    logging = {"level": None, "destinations": None, "includeExecutionData": True, "other": 1}
    given = {
        "name": "m",
        "definition": PASS,
        "roleArn": ROLE,
        "loggingConfiguration": logging,
        "tracingConfiguration": {"enabled": None},
    }
    async with httpx.AsyncClient() as http:
        created = await post(http, api.url, "CreateStateMachine", given)
        assert created.status_code == 200, created.text
        wanted = {"stateMachineArn": created.json()["stateMachineArn"]}
        described = await post(http, api.url, "DescribeStateMachine", wanted)
    shown = described.json()
    assert shown["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": True}
    assert shown["tracingConfiguration"] == {"enabled": False}


async def test_a_machine_is_the_same_only_with_the_version_that_came_with_it(api):
    """Creating it again with ``publish`` finds that version; one of another description, or none,
    belongs to another machine."""
    wanted = {"name": "m", "definition": PASS, "roleArn": ROLE, "publish": True}
    first = await api.call("create_state_machine", **wanted, versionDescription="v")
    again = await api.call("create_state_machine", **wanted, versionDescription="v")
    assert again["stateMachineVersionArn"] == first["stateMachineVersionArn"]
    version = first["stateMachineVersionArn"]
    described = await api.call("describe_state_machine", stateMachineArn=version)
    assert described["description"] == "v"
    await api.machine("plain")
    for other in ({"versionDescription": "w"}, {}, {"name": "plain"}):
        with pytest.raises(ClientError, match="StateMachineAlreadyExists"):
            await api.call("create_state_machine", **{**wanted, **other})
    listed = await api.call("list_state_machine_versions", stateMachineArn=f"{ARN}plain")
    assert listed["stateMachineVersions"] == []
    updated = {"stateMachineArn": f"{ARN}m", "definition": WAIT, "publish": True}
    second = await api.call("update_state_machine", **updated)
    assert second["stateMachineVersionArn"] == f"{ARN}m:2"


async def test_a_role_has_to_be_one_in_an_update_too(api):
    """What is no ARN of a role is refused, and nothing changes."""
    arn = await api.machine()
    with pytest.raises(ClientError, match="InvalidArn"):
        await api.call("update_state_machine", stateMachineArn=arn, roleArn=f"{ARN}m")
    described = await api.call("describe_state_machine", stateMachineArn=arn)
    assert described["roleArn"] == ROLE


async def test_a_tag_that_comes_twice_has_its_last_value(api):
    """As if it had been given twice, one after the other."""
    arn = await api.machine()
    tags = [{"key": "a", "value": value} for value in "12"]
    await api.call("tag_resource", resourceArn=arn, tags=tags)
    listed = await api.call("list_tags_for_resource", resourceArn=arn)
    assert listed["tags"] == [{"key": "a", "value": "2"}]


LONG = json.dumps({**json.loads(PASS), "Comment": "x" * LARGE_CHARACTERS})


@pytest.mark.parametrize(
    ("work", "operation"),
    [
        ("gateway.api.operations.machines._diagnostics", "validate_state_machine_definition"),
        ("gateway.engine.catalog.compile_definition", "create_state_machine"),
        ("gateway.engine.catalog.compile_definition", "update_state_machine"),
        ("gateway.api.operations.machines.variable_references", "describe_state_machine"),
        ("gateway.engine.compiled.parse_definition", "start_execution"),
    ],
)
async def test_a_long_definition_holds_up_nobody(api, monkeypatch, work, operation):
    """Others are answered while it is worked on, however long that takes."""
    arn = await api.machine("old", LONG)
    api.engine.catalog._compiled._machines.clear()  # As after a restart.
    module, _, name = work.rpartition(".")
    real = getattr(import_module(module), name)
    begun, others = threading.Event(), threading.Event()

    def slow(*given):
        begun.set()
        assert others.wait(5), "nobody else was answered"
        return real(*given)

    monkeypatch.setattr(work, slow)
    given = {
        "validate_state_machine_definition": {"definition": LONG},
        "create_state_machine": {"name": "new", "definition": LONG, "roleArn": ROLE},
        "update_state_machine": {"definition": LONG.replace("xx", "yy")},
    }.get(operation, {})
    named = {} if "definition" in given and "update" not in operation else {"stateMachineArn": arn}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(api.call, operation, **given, **named))
        await trio.to_thread.run_sync(begun.wait)
        await api.call("list_state_machines")
        others.set()


async def test_a_long_definition_is_read_once_for_many(api, monkeypatch):
    """After a restart, all executions of a machine ask for it at once."""
    arn = await api.machine("old", LONG)
    catalog, read = api.engine.catalog, []
    catalog._compiled._machines.clear()
    real = compiled.parse_definition

    def watched(text):
        read.append(text)
        return real(text)

    monkeypatch.setattr(compiled, "parse_definition", watched)
    revision = catalog.current(arn).id
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(catalog.compiled, revision)
    assert read == [LONG]
    with pytest.raises(LookupError):
        await catalog.compiled(revision + 1)
