"""The wire: what comes back for requests of every kind, good and bad."""

from __future__ import annotations

import httpx
import pytest
import structlog
from starlette.requests import Request
from structlog.testing import capture_logs

from gateway.api.bounded import Bounded
from gateway.api.model import step_functions_model
from gateway.api.operations.operation import Service
from gateway.api.protocol import Protocol
from gateway.errors import ApiError, Unavailable
from gateway.store.failures import StoreFull


async def post(protocol, target, body=b"{}"):
    """The answer of the protocol, without a server."""
    transport = httpx.ASGITransport(Bounded(protocol), raise_app_exceptions=True)
    headers = {} if target is None else {"x-amz-target": target}
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as http:
        return await http.post("/", headers=headers, content=body)


def serving(operation):
    """A protocol whose StartExecution is this."""
    service = Service(step_functions_model(), {"StartExecution": operation})
    return Protocol([service], structlog.get_logger())


START = "AWSStepFunctions.StartExecution"
ARN = b'{"stateMachineArn": "arn"}'


async def test_an_answer_is_json_with_a_request_id():
    """JSON 1.0; the operation gets the checked members, timestamps go out in seconds."""

    async def start(request):
        assert request == {"stateMachineArn": "arn"}
        return {"executionArn": "e", "startDate": 1_500}

    answer = await post(serving(start), START, ARN)
    assert answer.json() == {"executionArn": "e", "startDate": 1.5}
    assert answer.headers["content-type"] == "application/x-amz-json-1.0"
    assert len(answer.headers["x-amzn-requestid"]) == 36


@pytest.mark.parametrize(
    ("target", "body", "status", "code"),
    [
        (None, b"", 400, "UnknownOperationException"),
        ("AWSStepFunctions.Nonsense", b"", 400, "UnknownOperationException"),
        ("Other.StartExecution", b"", 400, "UnknownOperationException"),
        ("StartExecution", b"", 400, "UnknownOperationException"),
        ("AWSStepFunctions.ListMapRuns", b'{"executionArn": "x"}', 501, "NotImplementedException"),
        (START, b"{", 400, "SerializationException"),
        (START, b"\xff", 400, "SerializationException"),
        (START, b'"text"', 400, "SerializationException"),
        (START, b"", 400, "ValidationException"),
    ],
)
async def test_a_bad_request_is_refused(target, body, status, code):
    """Before any operation sees it."""

    async def start(request):
        raise AssertionError(request)

    answer = await post(serving(start), target, body)
    assert (answer.status_code, answer.json()["__type"]) == (status, code)
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (ApiError("InvalidArn", "x"), 400, "InvalidArn", None),
        (Unavailable("stopping", 7), 503, "ServiceUnavailableException", "7"),
        (Unavailable("stopping"), 503, "ServiceUnavailableException", None),
        (StoreFull("no space"), 503, "ServiceUnavailableException", "5"),
        (KeyError("bug"), 500, "InternalFailure", None),
    ],
)
async def test_what_an_operation_raises_is_answered(error, status, code, retry_after):
    """AWS's codes as they are, what passes as 503 with the time to wait, and a bug as 500."""

    async def start(_):
        raise error

    with capture_logs() as logs:
        answer = await post(serving(start), START, ARN)
    assert (answer.status_code, answer.json()["__type"]) == (status, code)
    assert answer.headers.get("retry-after") == retry_after
    assert bool(logs) is (status == 500)


async def test_a_bug_is_logged_with_its_traceback():
    """The caller gets the request's id, the log has it with what happened; the protocol goes on."""

    async def start(_):
        raise KeyError("bug")

    protocol = serving(start)
    with capture_logs() as logs:
        answer = await post(protocol, START, ARN)
    assert logs[0]["exc_info"]
    assert logs[0]["request_id"] in answer.json()["message"]
    assert (await post(protocol, START, b"{")).status_code == 400


async def test_an_answer_that_no_json_can_hold_is_a_bug():
    """It is contained like any other."""

    async def start(_):
        return {"executionArn": Request, "startDate": 1}

    with capture_logs():
        assert (await post(serving(start), START, ARN)).status_code == 500


async def test_signatures_do_not_matter(api):
    """Unsigned and arbitrarily signed requests are served alike."""
    for signature in ({}, {"authorization": "AWS4-HMAC-SHA256 Credential=x/y, Signature=z"}):
        headers = {"x-amz-target": "AWSStepFunctions.ListStateMachines", **signature}
        async with httpx.AsyncClient() as http:
            answer = await http.post(api.url, headers=headers)
        assert answer.json() == {"stateMachines": []}
