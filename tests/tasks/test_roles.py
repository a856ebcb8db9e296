"""As whom a task with Credentials calls, and what is to be seen of it."""

from __future__ import annotations

import json
import re

import pytest

from gateway.aws.roles import OWN, Identity, RoleSettings, identity_of
from tests.stand_ins.server import Answer, StandIn
from tests.tasks.services_rig import JsonService, engine_at, failure, run, task

ROLE = "arn:aws:iam::111122223333:role/audit"
GET = {"TableName": "t", "Key": {"id": {"S": "1"}}}
_KEY = re.compile(r"Credential=([^/]+)/")


class Aws(JsonService):
    """DynamoDB and STS in one; remembers who asked for what."""

    def __init__(self, may_assume=True):
        super().__init__(lambda _: {})
        self.asked: list[tuple[str, str, str]] = []
        self.may_assume = may_assume

    def operation(self, request):
        """STS has a form instead of a header."""
        return super().operation(request) or "AssumeRole"

    def answer(self, operation, request):
        """Temporary keys, or an empty document."""
        key = _KEY.search(request.headers["authorization"])[1]
        self.asked.append((operation, key, request.body.decode()))
        if operation != "AssumeRole":
            return super().answer(operation, request)
        if not self.may_assume:
            said = "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
            return Answer(403, f"<ErrorResponse>{said}</ErrorResponse>".encode())
        keys = (
            "<AccessKeyId>assumed</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
            "<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"
        )
        user = "<Arn>arn:aws:sts::111122223333:assumed-role/audit/x</Arn>"
        body = (
            f"<AssumeRoleResponse><AssumeRoleResult><Credentials>{keys}</Credentials>"
            f"<AssumedRoleUser>{user}</AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
        )
        return Answer(200, body.encode())


@pytest.fixture
def aws():
    """The service, and where it is."""
    service = Aws()
    with StandIn(service) as stand_in:
        yield service, stand_in.url


def called(role):
    """A task that is called as a role."""
    return task("aws-sdk:dynamodb:getItem", GET, Credentials=role)


@pytest.mark.parametrize("credentials", [{"RoleArn": ROLE}, {"RoleArn.$": "$.role"}])
async def test_a_role_is_assumed_once(aws, monkeypatch, credentials):
    """Its keys sign the calls, the history names it, and another task is called as the daemon."""
    service, url = aws
    async with engine_at(url, monkeypatch) as engine:
        await run(engine, task("aws-sdk:dynamodb:getItem", GET))
        first = await run(engine, called(credentials), given={"role": ROLE})
        await run(engine, called(credentials), given={"role": ROLE})
    keys = [(operation, key) for operation, key, _ in service.asked]
    assert keys == [
        ("GetItem", "any"), ("AssumeRole", "any"), ("GetItem", "assumed"), ("GetItem", "assumed"),
    ]  # fmt: skip
    scheduled = next(event for event in first.events if event["type"] == "TaskScheduled")
    details = scheduled["taskScheduledEventDetails"]
    assert details["taskCredentials"] == {"roleArn": ROLE}
    assert json.loads(details["parameters"]) == GET


async def test_a_role_of_a_query(aws, monkeypatch):
    """JSONata gives it, too; a function is called as a role by its ARN alike."""
    service, url = aws
    function = "arn:aws:lambda:us-east-1:123456789012:function:f"
    state = {
        "Type": "Task", "Resource": function, "QueryLanguage": "JSONata", "End": True,
        "Credentials": {"RoleArn": "{% $states.input.role %}"},
    }  # fmt: skip
    async with engine_at(url, monkeypatch) as engine:
        ended = await run(engine, state, given={"role": ROLE})
    details = ended.events[2]["lambdaFunctionScheduledEventDetails"]
    assert details["taskCredentials"] == {"roleArn": ROLE}
    assert [key for _, key, _ in service.asked] == ["any", "assumed"]


async def test_a_role_that_may_not_be_had(monkeypatch):
    """The task fails with States.Permissions, which Catch takes, and nothing is called."""
    service = Aws(may_assume=False)
    with StandIn(service) as stand_in:
        async with engine_at(stand_in.url, monkeypatch) as engine:
            error, cause = await failure(engine, called({"RoleArn": ROLE}))
    assert error == "States.Permissions"
    assert "not you" in cause
    assert {operation for operation, _, _ in service.asked} == {"AssumeRole"}


async def test_a_role_that_is_no_text(aws, monkeypatch):
    """The execution fails before anything is asked for."""
    _, url = aws
    async with engine_at(url, monkeypatch) as engine:
        ended = await run(engine, called({"RoleArn.$": "$.role"}), given={"role": 1})
    assert (ended.row.status, ended.row.error) == ("FAILED", "States.Runtime")
    assert "TaskScheduled" not in ended.types


@pytest.mark.parametrize(
    ("entries", "identity"),
    [
        ({}, Identity(role=ROLE)),
        ({ROLE: {}}, Identity(role=ROLE)),
        ({ROLE: {"external_id": "x"}}, Identity(role=ROLE, external_id="x")),
        ({ROLE: {"profile": "audit"}}, Identity(profile="audit")),
        ({ROLE: {"profile": "audit", "assume": True}}, Identity("audit", ROLE)),
        ({ROLE: {"assume": False}}, OWN),
        ({"arn:aws:iam::*:role/*": {"assume": False}}, OWN),
        ({"arn:aws:iam::*:role/other": {"assume": False}}, Identity(role=ROLE)),
        ({"arn:aws:iam::*:role/*": {"profile": "a"}, ROLE: {"profile": "b"}}, Identity("a")),
    ],
)
def test_what_the_configuration_says_of_a_role(entries, identity):
    """The first entry that fits decides; without one the role is assumed."""
    roles = {arn: RoleSettings(**settings) for arn, settings in entries.items()}
    assert identity_of(ROLE, roles) == identity
    assert identity_of(None, roles) == OWN
