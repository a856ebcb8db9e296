"""Lambda over real HTTP: what is asked, what each answer becomes, and what no answer becomes."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager

import pytest
import trio

from gateway.daemon.tools import open_tools
from gateway.engine.catalog import Catalog
from gateway.engine.engine import Engine
from gateway.engine.metrics import Metrics
from gateway.engine.outbox import Outbox
from gateway.store.memory import open_memory
from gateway.tasks.integrations import runners
from tests.engine.rig import machine
from tests.stand_ins.functions import Functions, echo, raising
from tests.stand_ins.server import Answer, Fault, Refusal, StandIn

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f"
DIRECT = {"Type": "Task", "Resource": ARN, "End": True}
INVOKE = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke",
    "Parameters": {"FunctionName": "f", "Payload.$": "$"},
    "End": True,
}


def clock() -> int:
    """Real sockets go with a real clock."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def engine_calling(url, monkeypatch):
    """An engine whose Lambda is at the URL."""
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": url,
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "thing",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    async with open_memory() as store, open_tools("us-east-1") as tools:
        catalog = Catalog(store, clock, region="us-east-1", account="123456789012")
        await catalog.load()
        metrics = Metrics()
        outbox = Outbox(store, lambda _: None, clock, metrics)
        engine = Engine(store, catalog, outbox, clock, metrics, runners(tools))
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            yield engine
            nursery.cancel_scope.cancel()


async def ended(engine, state, given='{"a": 1}'):
    """The row and the events of an execution of the state, once it has ended."""
    row, _ = await engine.catalog.create_machine("m", machine(T=state))
    done = trio.Event()
    engine.on_end.append(lambda _row: done.set())
    arn = (await engine.start_execution(row.arn, "n", given)).row.arn
    with trio.fail_after(20):
        await done.wait()
    return await engine.execution(arn), await engine.history(arn)


@pytest.fixture
def service():
    """A Lambda whose function echoes."""
    functions = Functions(echo)
    with StandIn(functions) as stand_in:
        yield functions, stand_in


async def test_a_function_as_resource_gets_the_input_and_gives_its_result(service, monkeypatch):
    """The payload is the state's input, the call is signed, carries a key, and the events are
    AWS's."""
    functions, stand_in = service
    async with engine_calling(stand_in.url, monkeypatch) as engine:
        row, events = await ended(engine, DIRECT)
    assert json.loads(row.output) == {"a": 1}
    assert [event["type"] for event in events[2:5]] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionSucceeded",
    ]
    (call,) = functions.invocations
    assert (call.function, json.loads(call.payload)) == (ARN, {"a": 1})
    assert call.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=any/")
    assert len(call.headers["idempotency-key"]) == 36


async def test_invoke_gives_the_answer_of_the_service(service, monkeypatch):
    """Payload, version and the HTTP metadata; each parameter goes where the API wants it."""
    functions, stand_in = service
    more = {"Qualifier": "live", "ClientContext": "Y3R4", "InvocationType": "RequestResponse"}
    state = {**INVOKE, "Parameters": {**INVOKE["Parameters"], **more}}
    async with engine_calling(stand_in.url, monkeypatch) as engine:
        row, _ = await ended(engine, state)
    output = json.loads(row.output)
    assert (output["Payload"], output["StatusCode"]) == ({"a": 1}, 200)
    assert output["ExecutedVersion"] == "$LATEST"
    assert output["SdkHttpMetadata"]["HttpHeaders"]["X-Amz-Executed-Version"] == "$LATEST"
    (call,) = functions.invocations
    assert (call.function, call.query) == ("f", "Qualifier=live")
    assert call.headers["x-amz-client-context"] == "Y3R4"


async def test_a_payload_of_null_is_none(service, monkeypatch):
    """The function sees an empty event, as with AWS."""
    functions, stand_in = service
    state = {**INVOKE, "Parameters": {"FunctionName": "f", "Payload": None}}
    async with engine_calling(stand_in.url, monkeypatch) as engine:
        row, _ = await ended(engine, state)
    assert functions.invocations[0].payload == b""
    assert json.loads(row.output)["Payload"] == {}


@pytest.mark.parametrize("state", [DIRECT, INVOKE], ids=["arn", "invoke"])
async def test_the_error_of_a_function_is_its_type(state, monkeypatch):
    """The cause is all that the function said."""
    said = {"errorType": "TooDear", "errorMessage": "no"}
    with StandIn(Functions(raising(said))) as stand_in:
        async with engine_calling(stand_in.url, monkeypatch) as engine:
            row, _ = await ended(engine, state)
    assert (row.error, json.loads(row.cause)) == ("TooDear", said)


@pytest.mark.parametrize(
    ("state", "cause"),
    [(DIRECT, '{"errorType": "TooDear"}'), (INVOKE, '{"errorType":"TooDear"}')],
    ids=["arn", "invoke"],
)
async def test_only_an_arn_shows_the_text_of_the_function(state, cause, monkeypatch):
    """AWS shows what a function said to the letter; of lambda:invoke it writes the JSON anew."""
    headers = (("X-Amz-Function-Error", "Unhandled"),)
    answer = Answer(200, b'{"errorType": "TooDear"}', headers)
    with StandIn(Functions(lambda _: answer)) as stand_in:
        async with engine_calling(stand_in.url, monkeypatch) as engine:
            row, _ = await ended(engine, state)
    assert row.cause == cause


async def test_a_function_error_without_type_is_unknown(monkeypatch):
    """AWS's sentence says so, with what was returned."""
    with StandIn(Functions(raising({"errorMessage": "timed out"}))) as stand_in:
        async with engine_calling(stand_in.url, monkeypatch) as engine:
            row, _ = await ended(engine, DIRECT)
    assert row.error == "Lambda.Unknown"
    assert row.cause.endswith('Returned payload: {"errorMessage":"timed out"}')


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ResourceNotFoundException", 404, "Lambda.ResourceNotFoundException"),
        ("TooManyRequestsException", 429, "Lambda.TooManyRequestsException"),
        ("ServiceException", 500, "Lambda.ServiceException"),
        ("AccessDeniedException", 403, "Lambda.AWSLambdaException"),
        ("Nonsense", 502, "Lambda.AWSLambdaException"),
    ],
)
async def test_a_refusal_of_the_service_has_the_name_that_aws_gives_it(
    service, monkeypatch, code, status, error
):
    """Errors of the model by their name, every other one by the general name."""
    _, stand_in = service
    stand_in.plan = lambda _operation, _number: Refusal(code, status)
    async with engine_calling(stand_in.url, monkeypatch) as engine:
        row, _ = await ended(engine, DIRECT)
    assert row.error == error
    assert row.cause.startswith(f"as wished (Service: AWSLambda; Status Code: {status};")


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.RESET, "Lambda.SdkClientException"),
        (Fault.LOST, "Lambda.SdkClientException"),
        (Fault.HALF, "Lambda.SdkClientException"),
        (Fault.NO_HTTP, "Lambda.SdkClientException"),
        (Fault.GARBAGE, "Lambda.Unknown"),
        (Fault.HANG, "States.Timeout"),
        (Fault.LATE, "States.Timeout"),
    ],
)
async def test_a_broken_answer_is_an_error_that_retry_takes(service, monkeypatch, fault, error):
    """The first call fails on the wire, Retry asks for its error, and the second one succeeds."""
    functions, stand_in = service
    stand_in.plan = lambda _operation, number: fault if number == 1 else None
    retry = {"ErrorEquals": [error], "MaxAttempts": 1, "IntervalSeconds": 1}
    limit = {"TimeoutSeconds": 3} if error == "States.Timeout" else {}
    state = {**DIRECT, **limit, "Retry": [retry]}
    async with engine_calling(stand_in.url, monkeypatch) as engine:
        row, _ = await ended(engine, state)
    assert (row.status, row.error) == ("SUCCEEDED", None)
    assert stand_in.calls["Invoke"] == 2
    keys = {call.headers["idempotency-key"] for call in functions.invocations}
    assert len(keys) == len(functions.invocations)


async def test_an_answer_that_comes_twice_is_no_answer_to_the_next_call(service, monkeypatch):
    """What is left over on a connection is not taken for the result of another task."""
    _, stand_in = service
    stand_in.plan = lambda _operation, number: Fault.DOUBLED if number == 1 else None
    second = {**DIRECT, "Parameters": {"b": 2}}
    retry = {"Retry": [{"ErrorEquals": ["Lambda.SdkClientException"], "IntervalSeconds": 1}]}
    first = {"Type": "Task", "Resource": ARN, "Next": "U"}
    async with engine_calling(stand_in.url, monkeypatch) as engine:
        row, _ = await engine.catalog.create_machine("m", machine(T=first, U={**second, **retry}))
        done = trio.Event()
        engine.on_end.append(lambda _row: done.set())
        arn = (await engine.start_execution(row.arn, "n", '{"a": 1}')).row.arn
        with trio.fail_after(20):
            await done.wait()
        assert json.loads((await engine.execution(arn)).output) == {"b": 2}


async def test_nobody_at_the_endpoint_is_a_client_error(monkeypatch):
    """Connection refused."""
    with StandIn(Functions(echo)) as stand_in:
        url = stand_in.url
    async with engine_calling(url, monkeypatch) as engine:
        row, _ = await ended(engine, DIRECT)
    assert row.error == "Lambda.SdkClientException"
    assert row.cause.startswith("Unable to execute HTTP request: ConnectError")


async def test_an_endless_answer_is_cut(monkeypatch):
    """It is not read on, however small the document in it: States.DataLimitExceeded."""
    with StandIn(Functions(lambda _: Answer(200, b" " * 3_000_000 + b"1"))) as stand_in:
        async with engine_calling(stand_in.url, monkeypatch) as engine:
            row, _ = await ended(engine, DIRECT)
    assert row.error == "States.DataLimitExceeded"
