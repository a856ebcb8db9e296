"""TestState of an HTTP task: what was asked and answered is shown, secrets only when asked for."""

from __future__ import annotations

import json

import pytest

from gateway.api.operations.test_state import StateTests
from tests.stand_ins.server import Answer, StandIn
from tests.tasks.functions_rig import calling
from tests.tasks.test_http_functions import Endpoint
from tests.tasks.test_http_tasks import asking, connected

ADDED = {"headers": {"X-Shop": "s3cret"}, "query": {"key": "s3cret"}, "body": {"pin": "s3cret"}}


async def tried(rig, state, **members):
    """The answer to a test of the state."""
    definition = json.dumps({"Type": "Task", "End": True, **state})
    return await StateTests(rig.engine).test({"definition": definition, **members})


@pytest.fixture
def shop():
    """An endpoint that takes orders."""
    with StandIn(Endpoint(lambda _: Answer(404, b"none", (("X-A", "1"),)))) as stand_in:
        yield stand_in


@pytest.mark.parametrize("reveal", [False, True])
async def test_an_exchange_is_shown(shop, reveal):
    """With all of the task's own, a failed one as well; what the connection added to the request
    is in it only for those who ask for secrets."""
    state = asking(shop.url + "/orders?a=1", Method="POST", RequestBody={"n": 1})
    async with calling(connected(**ADDED)) as rig:
        answer = await tried(rig, state, inspectionLevel="TRACE", revealSecrets=reveal)
    assert answer["error"] == "States.Http.StatusCode.404"
    data = answer["inspectionData"]
    request, response = data["request"], data["response"]
    assert (request["protocol"], request["method"]) == ("http", "POST")
    query, pin = ("&key=s3cret", {"pin": "s3cret"}) if reveal else ("", {})
    assert request["url"] == f"{shop.url}/orders?a=1{query}"
    assert json.loads(request["body"]) == {"n": 1, **pin}
    assert "User-Agent: stategate" in request["headers"]
    assert ("Authorization: Basic" in request["headers"]) is reveal
    assert ("X-Shop: s3cret" in request["headers"]) is reveal
    assert ("s3cret" in str(answer)) is reveal
    assert (response["statusCode"], response["statusMessage"]) == ("404", "Not Found")
    assert (response["protocol"], response["body"]) == ("http", "none")
    assert "X-A: 1" in response["headers"]


async def test_no_other_level_shows_it(shop):
    """DEBUG has the data of the state."""
    async with calling(connected()) as rig:
        answer = await tried(rig, asking(shop.url), inspectionLevel="DEBUG")
    assert not answer["inspectionData"].keys() & {"request", "response"}


async def test_what_nobody_answers_is_shown_without_an_answer():
    """The request is there."""
    async with calling(connected()) as rig:
        answer = await tried(rig, asking("http://127.0.0.1:1/x"), inspectionLevel="TRACE")
    assert answer["error"] == "States.Http.Socket"
    assert answer["inspectionData"]["request"]["url"] == "http://127.0.0.1:1/x"
    assert "response" not in answer["inspectionData"]
