"""Signed requests, as botocore signs them: who comes in, and what they may do there."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import structlog
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from structlog.testing import capture_logs

from gateway.api.bounded import Bounded
from gateway.api.credentials import AccessKey, Guard
from gateway.api.model import Model, step_functions_model
from gateway.api.operations.operation import Service
from gateway.api.operations.stategate_model import STATEGATE
from gateway.api.protocol import Protocol
from gateway.api.signatures import sign
from gateway.engine.metrics import Metrics

URL = "http://api:8083/"
MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:orders-eu"
START = "AWSStepFunctions.StartExecution"
STARTED = json.dumps({"stateMachineArn": MACHINE, "input": '{"ü": 1}'}).encode()
KEYS = {
    "AKALL": {"secret": "all-secret", "previous_secret": "old-secret"},
    "AKSTART": {"secret": "s", "actions": ["Start*", "List*"], "machines": ["orders-*"]},
    "AKTEST": {"secret": "t", "actions": ["TestState"]},
    "AKOWN": {"secret": "own", "actions": ["stategate:List*"]},
}


class World:
    """A protocol behind a guard."""

    def __init__(self, keys):
        self.keys = {key: AccessKey(**each) for key, each in keys.items()}
        self.at = int(time.time() * 1000)  # noqa: TID251 - botocore signs with the real clock
        self.metrics = Metrics()

        async def anything(_request):
            return {}

        services = [
            Service(model, dict.fromkeys(model.operation_names, anything))
            for model in (step_functions_model(), Model(STATEGATE))
        ]
        guard = Guard(lambda: self.keys, lambda: self.at, self.metrics)
        self.app = Bounded(Protocol(services, structlog.get_logger(), guard))

    async def send(self, request, body=None, **headers):
        """Status and error code of the answer to what botocore has prepared."""
        prepared = request.prepare()
        given = {**dict(prepared.headers.items()), **headers}
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport) as http:
            content = prepared.body if body is None else body
            answer = await http.post(prepared.url, headers=given, content=content)
        return answer.status_code, answer.json().get("__type")

    def refused(self, reason):
        """How many requests were refused for it."""
        return self.metrics.requests_refused[reason]


@pytest.fixture
def world():
    """With these keys."""
    return World(KEYS)


def signed(
    key="AKALL", secret="all-secret", target=START, body=STARTED, auth=SigV4Auth,
    scope=("states", "us-east-1"), **headers,
):  # fmt: skip
    """A request as botocore signs it."""
    request = AWSRequest("POST", URL, {"X-Amz-Target": target, **headers}, body)
    auth(Credentials(key, secret), *scope).add_auth(request)
    return request


OK = (200, None)


async def test_without_keys_nobody_has_to_sign():
    """An unsigned request is served."""
    world = World({})
    request = AWSRequest("POST", URL, {"X-Amz-Target": START}, STARTED)
    assert await world.send(request) == OK


@pytest.mark.parametrize("auth", [SigV4Auth, S3SigV4Auth])
@pytest.mark.parametrize("secret", ["all-secret", "old-secret"])
async def test_what_botocore_signs_comes_in(world, auth, secret):
    """With the hash of the body in a header or not, and with the secret that is being replaced."""
    assert await world.send(signed(secret=secret, auth=auth)) == OK
    assert world.refused("signature") == 0


async def test_our_own_signature_is_botocores(world):
    """What the command line sends comes in; and botocore's value is the same, character by
    character."""
    request = signed()
    headers = {"host": "api:8083", "x-amz-target": START}
    at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = sign("AKALL", "all-secret", "us-east-1", headers, STARTED, at)
    assert ours["authorization"] == request.headers["Authorization"]


async def test_unsigned_and_presigned_requests_are_refused(world):
    """With AWS's errors."""
    plain = AWSRequest("POST", URL, {"X-Amz-Target": START}, STARTED)
    assert await world.send(plain) == (403, "MissingAuthenticationTokenException")
    presigned = AWSRequest("POST", URL, {"X-Amz-Target": START}, STARTED)
    SigV4QueryAuth(Credentials("AKALL", "all-secret"), "states", "us-east-1").add_auth(presigned)
    assert await world.send(presigned) == (403, "IncompleteSignatureException")
    assert world.refused("signature") == 2


async def test_a_changed_request_is_refused(world):
    """Another body, another operation, another host, another date: each is signed."""
    invalid = (403, "InvalidSignatureException")
    assert await world.send(signed(), body=b"{}") == invalid
    assert (
        await world.send(signed(), **{"X-Amz-Target": "AWSStepFunctions.StopExecution"}) == invalid
    )
    assert await world.send(signed(), host="elsewhere") == invalid
    assert await world.send(signed(), **{"X-Amz-Date": "20200101T000000Z"}) == invalid
    assert await world.send(signed(secret="wrong")) == invalid
    unsigned_body = signed(auth=S3SigV4Auth)
    unsigned_body.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
    assert await world.send(unsigned_body) == invalid
    assert await world.send(signed(key="AKNONE")) == (403, "UnrecognizedClientException")
    assert await world.send(signed(), **{"X-Amz-More": "x"}) == (
        403,
        "IncompleteSignatureException",
    )
    assert await world.send(signed(), Authorization="AWS4-HMAC-SHA256 nonsense") == (
        403,
        "IncompleteSignatureException",
    )


async def test_a_signature_is_for_step_functions_and_for_the_region_that_it_names(world):
    """One for another service is of no use here. Any region may be named, as an endpoint has none;
    but it is signed, and so is the date in front of it."""
    assert await world.send(signed(scope=("sqs", "us-east-1"))) == (
        403,
        "IncompleteSignatureException",
    )
    assert await world.send(signed(scope=("states", "eu-west-1"))) == OK
    written = signed().headers["Authorization"]
    for part, other in (("us-east-1", "eu-west-1"), ("/20", "/19")):
        changed = written.replace(part, other, 1)
        answer = await world.send(signed(), Authorization=changed)
        assert answer == (403, "InvalidSignatureException")


async def test_a_request_may_come_twice(world):
    """As at AWS, where a client sends the same request again when its answer was lost: for as long
    as the clocks' difference is allowed, and not afterwards."""
    request = signed()
    assert [await world.send(request) for _ in range(2)] == [OK, OK]
    world.at += 301_000
    assert await world.send(request) == (403, "InvalidSignatureException")


@pytest.mark.parametrize(("minutes", "taken"), [(-6, False), (-4, True), (4, True), (6, False)])
async def test_clocks_may_differ_by_five_minutes(world, minutes, taken):
    """An older signature, and one from the future, are of no use."""
    world.at += int(timedelta(minutes=minutes).total_seconds() * 1000)
    expected = OK if taken else (403, "InvalidSignatureException")
    assert await world.send(signed()) == expected


@pytest.mark.parametrize(
    ("key", "target", "body", "allowed"),
    [
        ("AKALL", "AWSStepFunctions.DeleteStateMachine", {"stateMachineArn": MACHINE}, True),
        ("AKALL", "Stategate.Reload", {}, False),
        ("AKSTART", START, {"stateMachineArn": MACHINE}, True),
        ("AKSTART", START, {"stateMachineArn": f"{MACHINE}:live"}, True),
        ("AKSTART", START, {"stateMachineArn": MACHINE.replace("orders", "bills")}, False),
        ("AKSTART", "AWSStepFunctions.StopExecution", {"executionArn": MACHINE}, False),
        ("AKSTART", "AWSStepFunctions.ListStateMachines", {}, True),
        (
            "AKSTART",
            "AWSStepFunctions.ListMapRuns",
            {"executionArn": "arn:aws:states:us-east-1:123456789012:execution:bills:e"},
            False,
        ),
        ("AKTEST", "AWSStepFunctions.TestState", {"definition": "{}"}, True),
        (
            "AKTEST",
            "AWSStepFunctions.TestState",
            {"definition": "{}", "revealSecrets": True},
            False,
        ),
        ("AKALL", "AWSStepFunctions.TestState", {"definition": "{}", "revealSecrets": True}, True),
        ("AKOWN", "Stategate.ListLetters", {}, True),
        ("AKOWN", "Stategate.Reload", {}, False),
        ("AKOWN", START, {"stateMachineArn": MACHINE}, False),
    ],
)
async def test_a_key_may_do_what_is_listed(world, key, target, body, allowed):
    """Actions and machines, both; the daemon's own operations have to be named."""
    secret = KEYS[key]["secret"]
    request = signed(key, secret, target, json.dumps(body).encode())
    expected = OK if allowed else (400, "AccessDeniedException")
    assert await world.send(request) == expected
    assert world.refused("permission") == (not allowed)


async def test_machines_are_found_at_any_depth():
    """A new machine by its name, an alias by the versions that it leads to."""
    world = World({"A": {"secret": "s", "machines": ["orders-*"]}})
    role = "arn:aws:iam::123456789012:role/r"
    for name, expected in (("orders-us", OK), ("bills", (400, "AccessDeniedException"))):
        made = {"name": name, "definition": "{}", "roleArn": role}
        version = MACHINE.replace("orders-eu", name) + ":1"
        routing = [{"stateMachineVersionArn": version, "weight": 100}]
        alias = {"name": "live", "routingConfiguration": routing}
        for operation, body in (("CreateStateMachine", made), ("CreateStateMachineAlias", alias)):
            target = f"AWSStepFunctions.{operation}"
            request = signed("A", "s", target, json.dumps(body).encode())
            assert await world.send(request) == expected


async def test_a_refusal_is_logged_without_secrets(world):
    """Why, and by whom where that is known; no secret, no signature, no input."""
    with capture_logs() as logs:
        await world.send(signed(secret="wrong"))
        await world.send(
            signed("AKSTART", "s", "AWSStepFunctions.DeleteActivity", b'{"activityArn": "a"}')
        )
    assert [(log["reason"], log["code"]) for log in logs] == [
        ("signature", "InvalidSignatureException"),
        ("permission", "AccessDeniedException"),
    ]
    assert (logs[1]["key"], logs[1]["action"]) == ("AKSTART", "DeleteActivity")
    assert "secret" not in str(logs)


async def test_keys_are_asked_for_each_time(world):
    """What a reload has taken away is of no use any more."""
    request = signed()
    assert await world.send(request) == OK
    del world.keys["AKALL"]
    assert await world.send(request) == (403, "UnrecognizedClientException")
