"""Functions behind a URL, and those of AWS under settings of their own, over real HTTP."""

from __future__ import annotations

import json

import pytest

from gateway.config.settings import Settings
from tests.stand_ins.functions import Functions, echo
from tests.stand_ins.server import Answer, Fault, Service, StandIn
from tests.tasks.functions_rig import calling, function


class Endpoint(Service):
    """Answers whatever the test says."""

    def __init__(self, answer):
        self._answer = answer
        self.requests = []

    def operation(self, request):
        """One for each method."""
        return request.method

    def answer(self, operation, request):
        """As told."""
        self.requests.append(request)
        return self._answer(request)


def at(stand_in, path="/price", **more):
    """The settings of a function at a stand-in."""
    return function(type="http", url=stand_in.url + path, allow_private=True, **more)


async def test_the_payload_is_posted_and_the_body_is_the_result():
    """With the headers that are configured and a key for what is called twice."""
    endpoint = Endpoint(lambda request: Answer(201, request.body))
    with StandIn(endpoint) as stand_in:
        settings = at(stand_in, headers={"Authorization": "Bearer of news"})
        async with calling(settings) as rig:
            assert await rig.output('{"a":1}') == {"a": 1}
    (request,) = endpoint.requests
    assert (request.method, request.path, request.body) == ("POST", "/price", b'{"a":1}')
    assert request.headers["authorization"] == "Bearer of news"
    assert request.headers["content-type"] == "application/json"
    assert len(request.headers["idempotency-key"]) == 36


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (Answer(503, b"busy"), "States.Http.StatusCode.503", "busy"),
        (Answer(302, b"", (("Location", "/there"),)), "States.Http.StatusCode.302", ""),
        (Answer(500, b'{"errorType": "Oh", "errorMessage": "no"}'), "Oh", "no"),
        (Answer(200, b'{"errorType": "Oh", "errorMessage": "no"}',
                (("X-Amz-Function-Error", "Unhandled"),)), "Oh", "no"),
    ],
)  # fmt: skip
async def test_an_answer_that_is_a_failure(answer, error, message):
    """By its status, or by the error that it holds; a redirect is not followed."""
    endpoint = Endpoint(lambda _: answer)
    with StandIn(endpoint) as stand_in:
        async with calling(at(stand_in)) as rig:
            found, cause = await rig.failure()
    assert found == cause["errorType"] == error
    assert cause["errorMessage"] == message
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF, Fault.NO_HTTP, Fault.LOST])
async def test_no_answer(fault):
    """States.Http.Socket."""
    with StandIn(Endpoint(lambda _: Answer(200, b"{}"))) as stand_in:
        stand_in.plan = lambda _operation, _number: fault
        async with calling(at(stand_in)) as rig:
            assert (await rig.failure())[0] == "States.Http.Socket"


async def test_no_answer_in_time():
    """Sandbox.Timedout, as of any function."""
    with StandIn(Endpoint(lambda _: Answer(200, b"{}"))) as stand_in:
        stand_in.plan = lambda _operation, _number: Fault.HANG
        async with calling(at(stand_in, timeout="300ms")) as rig:
            assert (await rig.failure())[0] == "Sandbox.Timedout"


async def test_an_empty_answer_is_null():
    """As of a function that returns nothing."""
    with StandIn(Endpoint(lambda _: Answer(204))) as stand_in:
        async with calling(at(stand_in)) as rig:
            assert await rig.output() is None


async def test_a_private_address_has_to_be_allowed(monkeypatch):
    """In the file it is a problem, and a name that leads to one is no way round."""
    with pytest.raises(ValueError, match="no public address; allow_private: true permits it"):
        Settings.model_validate(function(type="http", url="http://127.0.0.1:1/"))
    settings = function(type="http", url="http://functions.test:1/")
    monkeypatch.setattr("trio.socket.getaddrinfo", _loopback)
    async with calling(settings) as rig:
        error, cause = await rig.failure()
    assert error == "States.Http.Socket"
    assert "127.0.0.1, which is no public address" in cause["errorMessage"]


async def _loopback(_host, port, **_):
    return [(2, 1, 6, "", ("127.0.0.1", port))]


async def test_the_function_of_aws_under_another_name(monkeypatch):
    """`type: lambda` names the one that is called; what is not configured is called as it is."""
    functions = Functions(echo)
    with StandIn(functions) as stand_in:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", stand_in.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "thing")
        async with calling(function(type="lambda", function="prices:live")) as rig:
            assert await rig.output('{"a":1}') == {"a": 1}
            assert await rig.output('{"a":1}', function="other") == {"a": 1}
    called = [invocation.function for invocation in functions.invocations]
    assert called == ["prices:live", "arn:aws:lambda:us-east-1:123456789012:function:other"]
    assert json.loads(functions.invocations[0].payload) == {"a": 1}
