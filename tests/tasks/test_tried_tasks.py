"""A Task state that is tested without a mock is called for real."""

from __future__ import annotations

import json

import pytest
import trio

from gateway.api.operations.test_state import StateTests
from gateway.store.memory import MemoryStore
from gateway.tasks.protocol import TaskFailure
from tests.engine.rig import running
from tests.stand_ins.functions import Functions, echo
from tests.stand_ins.server import StandIn
from tests.tasks.test_dispatcher import SLOW, Scripted
from tests.tasks.test_lambda_function import INVOKE, engine_calling

pytestmark = pytest.mark.slow


async def tried(engine, state, **members):
    """The answer to a test of the state."""
    return await StateTests(engine).test({"definition": json.dumps(state), **members})


async def test_a_function_is_called(monkeypatch):
    """The answer has what it returned, and what each step made of it; nothing is left of it."""
    state = {**INVOKE, "ResultSelector": {"got.$": "$.Payload.n"}}
    with StandIn(Functions(echo)) as far:
        async with engine_calling(far.url, monkeypatch) as engine:
            answer = await tried(engine, state, input='{"n": 1}', inspectionLevel="DEBUG")
            assert await engine.store.tasks() == []
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", '{"got":1}')
    assert json.loads(answer["inspectionData"]["result"])["Payload"] == {"n": 1}


async def test_a_function_that_fails_fails_the_state():
    """With the runner's error, which Retry takes."""

    async def fail(_request):
        raise TaskFailure("Busy", "full")

    async with running(MemoryStore(), [Scripted(work=fail)]) as engine:
        state = {**SLOW, "Retry": [{"ErrorEquals": ["Busy"]}]}
        answer = await tried(engine, state)
        assert answer == {"status": "RETRIABLE", "error": "Busy", "cause": "full"}


async def test_every_call_has_a_key_of_its_own():
    """Nobody takes the second test for the first one, made again."""

    async def at_once(request):
        return request.input

    slow = Scripted(work=at_once)
    async with running(MemoryStore(), [slow]) as engine:
        for _ in range(2):
            assert (await tried(engine, SLOW, input='{"n":  1}'))["output"] == '{"n":  1}'
        one, other = slow.requests
        assert one.key != other.key
        assert one.resource == SLOW["Resource"]


async def test_a_call_has_its_time(autojump_clock):
    """That of the state, and never more than five minutes."""
    took = []

    async def hang(_request):
        began = trio.current_time()
        try:
            await trio.sleep_forever()
        finally:
            took.append(trio.current_time() - began)

    async with running(MemoryStore(), [Scripted(work=hang)]) as engine:
        for state in (SLOW, {**SLOW, "TimeoutSeconds": 5}, {**SLOW, "TimeoutSeconds": 9999}):
            answer = await tried(engine, state)
            assert answer == {"status": "FAILED", "error": "States.Timeout"}
    assert took == [300, 5, 300]


async def test_a_result_that_is_too_large_is_a_failure():
    """As in an execution: States.ALL catches it."""

    async def much(_request):
        return "x" * 300_000

    async with running(MemoryStore(), [Scripted(work=much)]) as engine:
        state = {**SLOW, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}
        answer = await tried(engine, state)
        assert (answer["status"], answer["nextState"]) == ("CAUGHT_ERROR", "C")
        assert answer["error"] == "States.DataLimitExceeded"


async def test_what_nobody_calls_says_so():
    """As in an execution."""
    async with running(MemoryStore(), []) as engine:
        answer = await tried(engine, SLOW)
        assert (answer["status"], answer["error"]) == ("FAILED", "States.Runtime")
        assert "no integration for the resource" in answer["cause"]
