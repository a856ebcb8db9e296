"""The calls that Terraform's and Airflow's providers make, in their order, through plain boto3."""

from __future__ import annotations

import json

import httpx
import pytest
from botocore.exceptions import ClientError

from tests.api.conftest import PASS, ROLE, WAIT

TAGS = [{"key": "team", "value": "orders"}]
OFF = {
    "loggingConfiguration": {"level": "OFF", "includeExecutionData": False},
    "tracingConfiguration": {"enabled": False},
    "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
}


async def test_terraform_makes_changes_and_destroys_a_state_machine(api):
    """aws_sfn_state_machine with ``publish``: plan, create, read, update, read, destroy."""
    checked = await api.call("validate_state_machine_definition", definition=PASS, type="STANDARD")
    assert (checked["result"], checked["diagnostics"]) == ("OK", [])
    made = await api.call(
        "create_state_machine", name="m", definition=PASS, roleArn=ROLE, type="STANDARD",
        publish=True, tags=TAGS, **OFF,
    )  # fmt: skip
    arn = made["stateMachineArn"]
    assert made["stateMachineVersionArn"] == f"{arn}:1"
    read = await api.call("describe_state_machine", stateMachineArn=arn)
    assert {name: read[name] for name in OFF} == OFF
    assert (read["definition"], read["roleArn"], read["status"]) == (PASS, ROLE, "ACTIVE")
    assert (await api.call("list_tags_for_resource", resourceArn=arn))["tags"] == TAGS
    tracing = {"tracingConfiguration": {"enabled": True}}
    changed = await api.call(
        "update_state_machine", stateMachineArn=arn, definition=WAIT, roleArn=ROLE,
        publish=True, versionDescription="second", **{**OFF, **tracing},
    )  # fmt: skip
    read = await api.call("describe_state_machine", stateMachineArn=arn)
    assert (read["definition"], read["revisionId"]) == (WAIT, changed["revisionId"])
    assert read["tracingConfiguration"] == {"enabled": True}
    listed = await api.call("list_state_machine_versions", stateMachineArn=arn)
    versions = [each["stateMachineVersionArn"] for each in listed["stateMachineVersions"]]
    assert versions == [f"{arn}:2", f"{arn}:1"]
    await api.call("untag_resource", resourceArn=arn, tagKeys=["team"])
    await api.call("tag_resource", resourceArn=arn, tags=[{"key": "env", "value": "test"}])
    tags = (await api.call("list_tags_for_resource", resourceArn=arn))["tags"]
    assert tags == [{"key": "env", "value": "test"}]
    await api.call("delete_state_machine", stateMachineArn=arn)
    with pytest.raises(ClientError, match="StateMachineDoesNotExist"):
        await api.call("describe_state_machine", stateMachineArn=arn)


async def test_terraform_makes_changes_and_destroys_an_alias(api):
    """aws_sfn_alias, over two versions of a machine."""
    machine = await api.machine()
    versions = []
    for role in (ROLE, f"{ROLE}2"):
        published = await api.call(
            "update_state_machine", stateMachineArn=machine, roleArn=role, publish=True
        )
        versions.append(published["stateMachineVersionArn"])
    routing = [{"stateMachineVersionArn": versions[0], "weight": 100}]
    made = await api.call(
        "create_state_machine_alias", name="live", description="d", routingConfiguration=routing
    )
    arn = made["stateMachineAliasArn"]
    read = await api.call("describe_state_machine_alias", stateMachineAliasArn=arn)
    assert (read["description"], read["routingConfiguration"]) == ("d", routing)
    halves = [{"stateMachineVersionArn": each, "weight": 50} for each in versions]
    await api.call(
        "update_state_machine_alias", stateMachineAliasArn=arn, description="d",
        routingConfiguration=halves,
    )  # fmt: skip
    read = await api.call("describe_state_machine_alias", stateMachineAliasArn=arn)
    assert read["routingConfiguration"] == halves
    await api.call("delete_state_machine_alias", stateMachineAliasArn=arn)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        await api.call("describe_state_machine_alias", stateMachineAliasArn=arn)


async def test_terraform_makes_and_destroys_an_activity(api):
    """aws_sfn_activity."""
    made = await api.call(
        "create_activity", name="work", tags=TAGS,
        encryptionConfiguration=OFF["encryptionConfiguration"],
    )  # fmt: skip
    arn = made["activityArn"]
    read = await api.call("describe_activity", activityArn=arn)
    assert (read["name"], read["creationDate"]) == ("work", made["creationDate"])
    assert read["encryptionConfiguration"] == OFF["encryptionConfiguration"]
    assert (await api.call("list_tags_for_resource", resourceArn=arn))["tags"] == TAGS
    await api.call("delete_activity", activityArn=arn)
    with pytest.raises(ClientError, match="ActivityDoesNotExist"):
        await api.call("describe_activity", activityArn=arn)


async def test_airflow_starts_waits_and_redrives(api):
    """StepFunctionStartExecutionOperator and its sensor; then again with a redrive."""
    fail = {"Type": "Fail", "Error": "E", "Cause": "c"}
    machine = await api.machine("m", json.dumps({"StartAt": "F", "States": {"F": fail}}))
    started = await api.call(
        "start_execution", stateMachineArn=machine, name="airflow", input=json.dumps({"n": 1})
    )
    ended = await api.until_ended(started["executionArn"])
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "E", "c")
    redriven = await api.call("redrive_execution", executionArn=started["executionArn"])
    assert redriven["redriveDate"] >= ended["stopDate"]
    again = await api.until_ended(started["executionArn"])
    assert (again["status"], again["redriveCount"]) == ("FAILED", 1)


async def test_executions_are_listed_by_the_beginning_of_their_names(api):
    """``namePrefix``, which AWS's model lacks, in a raw ListExecutions; it is checked as a name."""
    arn = await api.machine()
    for name in ("order-1", "order-2", "other"):
        await api.call("start_execution", stateMachineArn=arn, name=name)
    headers = {"x-amz-target": "AWSStepFunctions.ListExecutions"}
    async with httpx.AsyncClient(headers=headers) as http:

        async def listed(prefix, **more):
            wanted = {"stateMachineArn": arn, "namePrefix": prefix, **more}
            return (await http.post(api.url, json=wanted)).json()

        first = await listed("order-", maxResults=1)
        rest = await listed("order-", maxResults=1, nextToken=first["nextToken"])
        names = [each["name"] for page in (first, rest) for each in page["executions"]]
        assert names == ["order-2", "order-1"]
        assert (await listed("none"))["executions"] == []
        assert (await listed("other", nextToken=first["nextToken"]))["__type"] == "InvalidToken"
        assert (await listed(5))["__type"] == "SerializationException"
        assert (await listed("x" * 81))["__type"] == "ValidationException"
